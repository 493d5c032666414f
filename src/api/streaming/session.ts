/**
 * One exec or attach: the node's stream on one side, a client on the other, whatever the client's protocol. What the node
 * sends before the client's handshake is complete waits here.
 */
import type { Status } from '../../kube/status.js';
import { channel } from '../../link/frames.js';
import { internal } from '../errors.js';
import type { NodeStream } from '../streams.js';
import { success } from '../subresources/success.js';

/** The client's side, as a protocol implements it. */
export interface SessionClient {
  /** Resolves when the client can take more. @param number channel.stdout or channel.stderr */
  send(number: number, data: Buffer): Promise<void>;
  /** The last word; then the connection is closed. */
  finish(status: Status): void;
}

export class Session {
  readonly #stream: NodeStream;
  #client: SessionClient | undefined;
  #connected: () => void = () => {};
  readonly #ready = new Promise<void>(resolve => {
    this.#connected = resolve;
  });

  constructor(stream: NodeStream) {
    this.#stream = stream;
    stream.listen({
      onData: (number, data) => this.#out(number, data),
      onEnd: () => {},
      onClose: (status, lost) => void this.#finish(status, lost),
    });
  }

  connect(client: SessionClient): void {
    this.#client = client;
    this.#connected();
  }

  /** Resolves when more can be taken; what the other end does not want any more is dropped. */
  async input(number: number, data: Uint8Array): Promise<void> {
    if (number !== channel.stdin && number !== channel.resize) return;
    // an empty message only says that the channel is there
    if (data.length === 0) return;
    await this.#stream.write(number, data).catch(() => {});
  }

  end(number: number): void {
    if (number === channel.stdin) this.#stream.end(number);
  }

  /** The client is gone. */
  close(): void {
    this.#stream.close();
  }

  async #out(number: number, data: Buffer): Promise<void> {
    await this.#ready;
    await this.#client!.send(number, data);
  }

  async #finish(status: Status | undefined, lost: boolean): Promise<void> {
    await this.#ready;
    this.#client!.finish(lost ? internal('the link to the node was lost').status : (status ?? success));
  }
}

/** The text that protocols before v4 have instead of a Status; nothing for success. */
export function statusText({ status, message }: Status): string {
  return status === 'Failure' ? (message ?? 'unknown error') : '';
}
