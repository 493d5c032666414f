/**
 * Pods that wait for a node, as kube-scheduler keeps them: the active ones by priority and age; those that back off, 1 s after
 * the first failure, doubled up to 10 s; and those that no node would take, until something changes that could help, or five
 * minutes have passed. Knows no clock but the one it is given; `tick` is called at `nextDeadline`.
 */
import type { Wake } from './events.js';
import { Heap } from './heap.js';
import type { PodInfo } from './pod-info.js';

const initialBackoffMs = 1000;
const maxBackoffMs = 10_000;
/** Whatever was missed, so long nobody waits without another try. */
const leftoverMs = 5 * 60_000;

type Place = 'active' | 'backoff' | 'unschedulable' | 'gated' | 'busy';

export interface QueuedPod {
  info: PodInfo;
  /** Since the pod is known; decides between equal priorities. */
  readonly since: number;
  readonly order: number;
  attempts: number;
  failedAt: number;
  /** Filters that have refused it at the last attempt. */
  plugins: ReadonlySet<string>;
  place: Place;
  /** Failed without a verdict: its back-off is not shortened. */
  errored: boolean;
  /** Spec or labels have changed while it was being bound. */
  changed: boolean;
}

/** Stands in a heap for a pod until the pod is elsewhere: heaps are not searched. */
interface Ticket {
  readonly entry: QueuedPod;
  readonly until: number;
}

export class SchedulingQueue {
  readonly #entries = new Map<string, QueuedPod>();
  readonly #active = new Heap<QueuedPod>(isBefore);
  readonly #backoff = new Heap<Ticket>((a, b) =>
    a.until === b.until ? isBefore(a.entry, b.entry) : a.until < b.until,
  );
  readonly #unschedulable = new Set<QueuedPod>();
  readonly #now: () => number;
  #order = 0;

  /** @param now milliseconds */
  constructor(now: () => number) {
    this.#now = now;
  }

  get size(): number {
    return this.#entries.size;
  }

  has(uid: string): boolean {
    return this.#entries.has(uid);
  }

  placeOf(uid: string): Place | undefined {
    return this.#entries.get(uid)?.place;
  }

  /** A pod that is new, or that has changed. @param gated its scheduling gates are not open yet. */
  put(info: PodInfo, gated: boolean, changed: boolean): void {
    const entry = this.#entries.get(info.uid);
    if (!entry) {
      const fresh: QueuedPod = {
        ...{ info, since: this.#now(), order: this.#order++, attempts: 0, failedAt: 0 },
        ...{ plugins: new Set<string>(), place: gated ? 'gated' : 'busy', errored: false, changed: false },
      };
      this.#entries.set(info.uid, fresh);
      if (!gated) this.#activate(fresh);
      return;
    }
    entry.info = info;
    if (entry.place === 'busy') entry.changed ||= changed;
    else if (gated) this.#park(entry);
    else if (entry.place === 'gated') this.#activate(entry);
    else if (changed && entry.place === 'unschedulable') this.#release(entry);
  }

  delete(uid: string): void {
    const entry = this.#entries.get(uid);
    if (!entry) return;
    this.#entries.delete(uid);
    this.#unschedulable.delete(entry);
    entry.place = 'busy';
  }

  /** The next one to try; it stays known until it is deleted, `unschedulable` or `failed`. */
  pop(): QueuedPod | undefined {
    const entry = this.#nextActive() ?? this.#nextOfBackoff();
    if (!entry) return undefined;
    entry.place = 'busy';
    entry.changed = false;
    entry.attempts++;
    return entry;
  }

  /** No node would take it. */
  unschedulable(entry: QueuedPod, plugins: ReadonlySet<string>): void {
    if (this.#entries.get(entry.info.uid) !== entry) return;
    entry.plugins = plugins;
    entry.errored = false;
    entry.failedAt = this.#now();
    if (entry.changed) return this.#release(entry);
    entry.place = 'unschedulable';
    this.#unschedulable.add(entry);
  }

  /** Something went wrong that says nothing about the nodes: again after its back-off. */
  failed(entry: QueuedPod): void {
    if (this.#entries.get(entry.info.uid) !== entry) return;
    entry.errored = true;
    entry.failedAt = this.#now();
    this.#release(entry);
  }

  /** It must not wait for a change any longer. */
  retry(uid: string): void {
    const entry = this.#entries.get(uid);
    if (entry?.place === 'unschedulable') this.#release(entry);
  }

  infoOf(uid: string): PodInfo | undefined {
    return this.#entries.get(uid)?.info;
  }

  /** Something has changed. @param helps whether it could help that pod. */
  move(wake: Wake, helps: (entry: QueuedPod, wake: Wake) => boolean): void {
    for (const entry of [...this.#unschedulable]) if (helps(entry, wake)) this.#release(entry);
  }

  /** Milliseconds on the clock given; undefined: only a change can bring the next pod. */
  nextDeadline(): number | undefined {
    this.#dropStale();
    const backoff = this.#backoff.peek()?.until;
    let leftover: number | undefined;
    // in the order in which they failed
    for (const { failedAt } of this.#unschedulable) {
      leftover = failedAt + leftoverMs;
      break;
    }
    if (backoff === undefined || leftover === undefined) return backoff ?? leftover;
    return Math.min(backoff, leftover);
  }

  /** Lets go of those whose time has come. */
  tick(): void {
    const now = this.#now();
    for (const entry of this.#unschedulable) {
      if (entry.failedAt + leftoverMs > now) break;
      this.#release(entry);
    }
    for (this.#dropStale(); (this.#backoff.peek()?.until ?? Number.POSITIVE_INFINITY) <= now; this.#dropStale())
      this.#activate(this.#backoff.pop()!.entry);
  }

  get hasActive(): boolean {
    return this.#active.size > 0;
  }

  #nextActive(): QueuedPod | undefined {
    for (let entry = this.#active.pop(); entry; entry = this.#active.pop())
      if (entry.place === 'active' && this.#entries.get(entry.info.uid) === entry) return entry;
    return undefined;
  }

  /** With nothing else to do, a pod that something could help now need not wait for its time. */
  #nextOfBackoff(): QueuedPod | undefined {
    this.#dropStale();
    const next = this.#backoff.peek();
    if (!next || next.entry.errored) return undefined;
    this.#backoff.pop();
    return next.entry;
  }

  #release(entry: QueuedPod): void {
    this.#unschedulable.delete(entry);
    const until = backoffEnd(entry);
    if (until <= this.#now()) return this.#activate(entry);
    entry.place = 'backoff';
    this.#backoff.push({ entry, until });
  }

  #activate(entry: QueuedPod): void {
    this.#unschedulable.delete(entry);
    entry.place = 'active';
    this.#active.push(entry);
  }

  #park(entry: QueuedPod): void {
    this.#unschedulable.delete(entry);
    entry.place = 'gated';
  }

  #dropStale(): void {
    for (let ticket = this.#backoff.peek(); ticket; ticket = this.#backoff.peek()) {
      const { entry, until } = ticket;
      const current = entry.place === 'backoff' && backoffEnd(entry) === until;
      if (current && this.#entries.get(entry.info.uid) === entry) return;
      this.#backoff.pop();
    }
  }
}

export function backoffMs(attempts: number): number {
  return Math.min(maxBackoffMs, initialBackoffMs * 2 ** Math.min(10, Math.max(0, attempts - 1)));
}

/** Those that end within one window end together, so that the more important goes first. */
const windowMs = 100;

const backoffEnd = ({ failedAt, attempts }: QueuedPod): number =>
  Math.ceil((failedAt + backoffMs(attempts)) / windowMs) * windowMs;

function isBefore(a: QueuedPod, b: QueuedPod): boolean {
  if (a.info.priority !== b.info.priority) return a.info.priority > b.info.priority;
  return a.order < b.order;
}
