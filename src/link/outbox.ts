/**
 * Reports waiting to be acknowledged: the newest per key, one under way per key, kept across reconnects. So a burst
 * collapses, nothing queued grows, and a status is never stored before an older one of the same pod.
 */
export interface Outgoing<F> {
  /** What it is the newest state of; events have a key each. */
  readonly key: string;
  readonly frame: F;
}

interface Slot<F> {
  waiting: F | undefined;
  sentId: number | undefined;
  sent: F | undefined;
}

export class Outbox<F> {
  readonly #slots = new Map<string, Slot<F>>();
  readonly #byId = new Map<number, string>();
  readonly #send: (id: number, frame: F) => void;
  #nextId = 1;
  #connected = false;

  constructor(send: (id: number, frame: F) => void) {
    this.#send = send;
  }

  get size(): number {
    return this.#slots.size;
  }

  /** Something of this key waits or is under way. */
  has(key: string): boolean {
    return this.#slots.has(key);
  }

  /** Replaces what waits under this key. */
  put({ key, frame }: Outgoing<F>): void {
    const slot = this.#slots.get(key) ?? { waiting: undefined, sentId: undefined, sent: undefined };
    slot.waiting = frame;
    this.#slots.set(key, slot);
    this.#pump(key, slot);
  }

  /** Everything unacknowledged goes (again). */
  connected(): void {
    this.#connected = true;
    for (const [key, slot] of this.#slots) {
      slot.waiting ??= slot.sent;
      slot.sent = undefined;
      slot.sentId = undefined;
      this.#pump(key, slot);
    }
  }

  disconnected(): void {
    this.#connected = false;
    this.#byId.clear();
  }

  /** The controller has answered. Returns the key and frame that it was for, if still known. */
  acknowledged(id: number): Outgoing<F> | undefined {
    const key = this.#byId.get(id);
    const slot = key === undefined ? undefined : this.#slots.get(key);
    this.#byId.delete(id);
    if (key === undefined || !slot || slot.sentId !== id) return undefined;
    const frame = slot.sent as F;
    slot.sentId = undefined;
    slot.sent = undefined;
    if (slot.waiting === undefined) this.#slots.delete(key);
    else this.#pump(key, slot);
    return { key, frame };
  }

  /** Forgets what waits under a key. */
  drop(key: string): void {
    this.#slots.delete(key);
  }

  #pump(key: string, slot: Slot<F>): void {
    if (!this.#connected || slot.sentId !== undefined || slot.waiting === undefined) return;
    const id = this.#nextId++;
    slot.sent = slot.waiting;
    slot.waiting = undefined;
    slot.sentId = id;
    this.#byId.set(id, key);
    this.#send(id, slot.sent);
  }
}
