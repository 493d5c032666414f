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

export class LinkStream {
  readonly #transport: StreamTransport;
  #events: StreamEvents | undefined;
  /** What came before anybody listened: bounded, because no credit is given back for it. */
  readonly #early: ((events: StreamEvents) => void)[] = [];
  readonly #credit = new Map<number, number>();
  readonly #waiting = new Map<number, (() => void)[]>();
  readonly #received = new Map<number, number>();
  /** The last write asked for, per channel: the next one, or the end, goes after it. */
  readonly #tail = new Map<number, Promise<void>>();
  /** Settles when what has come on a channel so far has been taken: its end is told after that. */
  readonly #taken = new Map<number, Promise<unknown>>();
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

  /** Hears everything from the beginning, also what came while the listener was being prepared. */
  listen(events: StreamEvents): void {
    this.#events = events;
    for (const tell of this.#early.splice(0)) tell(events);
  }

  #tell(what: (events: StreamEvents) => void): void {
    if (this.#events) what(this.#events);
    else this.#early.push(what);
  }

  /** Sends all of `data`, waiting for credit where needed; writes keep their order. Rejects if the stream closes before. */
  write(channel: number, data: Uint8Array): Promise<void> {
    const before = this.#tail.get(channel) ?? Promise.resolve();
    const done = before.then(() => this.#send(channel, data));
    this.#tail.set(channel, done);
    return done;
  }

  /** No more data on this channel: told after what was written before. */
  end(channel: number): void {
    const before = this.#tail.get(channel) ?? Promise.resolve();
    void before.then(
      () => {
        if (!this.#closed) this.#transport.control({ t: 'end', stream: this.id, channel });
      },
      () => {},
    );
  }

  async #send(channel: number, data: Uint8Array): Promise<void> {
    for (let offset = 0; offset < data.length; ) {
      const credit = await this.#available(channel);
      const part = data.subarray(offset, offset + Math.min(credit, maxStreamPayload));
      this.#credit.set(channel, credit - part.length);
      this.#transport.data(encodeStreamFrame(this.id, channel, part));
      offset += part.length;
    }
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
    this.#tell(events => {
      const before = this.#taken.get(channel);
      const taken = this.#take(events, channel, payload);
      this.#taken.set(channel, Promise.all([before, taken]));
    });
    return true;
  }

  receiveControl(frame: StreamControl): void {
    if (frame.t === 'end') return this.#tell(events => void this.#end(events, frame.channel));
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
    this.#tell(events => events.onClose(status, lost));
  }

  #finish(): void {
    this.#closed = true;
    for (const list of this.#waiting.values()) for (const resume of list.splice(0)) resume();
    this.onGone();
  }

  async #end(events: StreamEvents, channel: number): Promise<void> {
    await this.#taken.get(channel);
    events.onEnd(channel);
  }

  async #take(events: StreamEvents, channel: number, payload: Buffer): Promise<void> {
    try {
      await events.onData(channel, payload);
      this.#giveBack(channel, payload.length);
    } catch {
      this.close();
    }
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
