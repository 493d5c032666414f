/**
 * Streams inside one link, with credit: per channel a sender may have `initialCredit` bytes under way; the receiver
 * gives credit back as its reader takes the data. So one slow `kubectl logs` holds up nothing else. Used by both ends.
 */
import type { Status } from '../kube/status.js';
import { encodeStreamFrame, initialCredit, maxStreamPayload } from './frames.js';

/** The frames a stream sends about itself; the same in both directions. */
export type StreamControl =
  | { readonly t: 'credit'; readonly stream: number; readonly channel: number; readonly bytes: number }
  | { readonly t: 'end'; readonly stream: number; readonly channel: number }
  | { readonly t: 'close'; readonly stream: number; readonly status?: Status };

export interface StreamTransport {
  control(frame: StreamControl): void;
  data(frame: Buffer): void;
}

export interface StreamEvents {
  /** Resolve when the data has been taken: only then the sender gets its credit back. */
  onData(channel: number, data: Buffer): Promise<void> | void;
  onEnd(channel: number): void;
  /** Once; from the other side, or because the link broke (`lost`). */
  onClose(status: Status | undefined, lost: boolean): void;
}

const silent: StreamEvents = { onData: () => {}, onEnd: () => {}, onClose: () => {} };

export class LinkStream {
  readonly #transport: StreamTransport;
  #events: StreamEvents = silent;
  readonly #credit = new Map<number, number>();
  readonly #waiting = new Map<number, (() => void)[]>();
  readonly #received = new Map<number, number>();
  #closed = false;

  constructor(
    readonly id: number,
    transport: StreamTransport,
    readonly onGone: () => void,
  ) {
    this.#transport = transport;
  }

  get closed(): boolean {
    return this.#closed;
  }

  listen(events: StreamEvents): void {
    this.#events = events;
  }

  /** Sends all of `data`, waiting for credit where needed. Rejects if the stream closes before. */
  async write(channel: number, data: Uint8Array): Promise<void> {
    for (let offset = 0; offset < data.length; ) {
      const credit = await this.#available(channel);
      const part = data.subarray(offset, offset + Math.min(credit, maxStreamPayload));
      this.#credit.set(channel, credit - part.length);
      this.#transport.data(encodeStreamFrame(this.id, channel, part));
      offset += part.length;
    }
  }

  end(channel: number): void {
    if (!this.#closed) this.#transport.control({ t: 'end', stream: this.id, channel });
  }

  close(status?: Status): void {
    if (this.#closed) return;
    this.#transport.control({ t: 'close', stream: this.id, ...(status && { status }) });
    this.#finish();
  }

  /** From the transport. False: the other side sent more than it had credit for, and must be cut off. */
  receive(channel: number, payload: Buffer): boolean {
    const outstanding = (this.#received.get(channel) ?? 0) + payload.length;
    if (outstanding > initialCredit) return false;
    this.#received.set(channel, outstanding);
    void Promise.resolve(this.#events.onData(channel, payload)).then(() => this.#giveBack(channel, payload.length), () => this.close());
    return true;
  }

  receiveControl(frame: StreamControl): void {
    if (frame.t === 'end') return this.#events.onEnd(frame.channel);
    if (frame.t === 'close') return this.#over(frame.status, false);
    this.#credit.set(frame.channel, (this.#credit.get(frame.channel) ?? initialCredit) + frame.bytes);
    for (const resume of this.#waiting.get(frame.channel)?.splice(0) ?? []) resume();
  }

  /** The link broke. */
  lost(): void {
    this.#over(undefined, true);
  }

  #over(status: Status | undefined, lost: boolean): void {
    if (this.#closed) return;
    this.#finish();
    this.#events.onClose(status, lost);
  }

  #finish(): void {
    this.#closed = true;
    for (const list of this.#waiting.values()) for (const resume of list.splice(0)) resume();
    this.onGone();
  }

  #giveBack(channel: number, bytes: number): void {
    this.#received.set(channel, (this.#received.get(channel) ?? 0) - bytes);
    if (!this.#closed) this.#transport.control({ t: 'credit', stream: this.id, channel, bytes });
  }

  async #available(channel: number): Promise<number> {
    for (;;) {
      if (this.#closed) throw new Error(`stream ${this.id} is closed`);
      const credit = this.#credit.get(channel) ?? initialCredit;
      if (credit > 0) return credit;
      await new Promise<void>(resume => {
        const list = this.#waiting.get(channel) ?? [];
        list.push(resume);
        this.#waiting.set(channel, list);
      });
    }
  }
}
