/**
 * A queue of keys, not of events (client-go's workqueue idea): adding a key that waits is a no-op, adding one that runs
 * makes it run once more afterwards. So a burst collapses, and one key never runs twice at the same time.
 */
import { type BackoffPolicy, backoffDelay } from './backoff.js';

/** What a run wants next: nothing, or to run again after some milliseconds. */
export type RunResult = undefined | { readonly againAfterMs: number };

export interface KeyedQueueOptions<K> {
  readonly run: (key: K) => Promise<RunResult> | RunResult;
  /** Called for a run that threw; the key runs again after its back-off. */
  readonly onError: (key: K, error: unknown, retryMs: number) => void;
  /** How many keys may run at once. Default 1. */
  readonly concurrency?: number;
  readonly backoff?: BackoffPolicy;
}

const defaultBackoff: BackoffPolicy = { initialMs: 50, maxMs: 30_000, factor: 2 };

export class KeyedQueue<K> {
  readonly #waiting = new Set<K>();
  readonly #running = new Set<K>();
  readonly #dirty = new Set<K>();
  readonly #timers = new Map<K, NodeJS.Timeout>();
  readonly #failures = new Map<K, number>();
  readonly #options: KeyedQueueOptions<K>;
  #idle: (() => void)[] = [];
  #closed = false;
  #scheduled = false;

  constructor(options: KeyedQueueOptions<K>) {
    this.#options = options;
  }

  /** Asks for `key` to run soon. */
  add(key: K): void {
    if (this.#closed) return;
    this.#clearTimer(key);
    if (this.#running.has(key)) this.#dirty.add(key);
    else this.#waiting.add(key);
    this.#schedule();
  }

  /** Asks for `key` to run in `delayMs`; a later `add` brings it forward. */
  addAfter(key: K, delayMs: number): void {
    if (this.#closed) return;
    this.#clearTimer(key);
    // setTimeout fires at once for delays over 2^31-1 ms
    const timer = setTimeout(() => this.add(key), Math.min(Math.max(0, delayMs), 2 ** 31 - 1));
    this.#timers.set(key, timer);
  }

  /** Forgets a key's timer and back-off; a run under way is not stopped. */
  forget(key: K): void {
    this.#clearTimer(key);
    this.#failures.delete(key);
    this.#waiting.delete(key);
    this.#dirty.delete(key);
  }

  /** Resolves when nothing waits or runs (timers do not count). */
  idle(): Promise<void> {
    if (this.#waiting.size + this.#running.size === 0) return Promise.resolve();
    return new Promise(resolve => this.#idle.push(resolve));
  }

  /** Takes no more keys; resolves when the runs under way have ended. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    this.#waiting.clear();
    this.#dirty.clear();
    await this.idle();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#start();
    });
  }

  #start(): void {
    for (const key of this.#waiting) {
      if (this.#running.size >= (this.#options.concurrency ?? 1)) return;
      this.#waiting.delete(key);
      this.#running.add(key);
      void this.#runOne(key);
    }
  }

  async #runOne(key: K): Promise<void> {
    try {
      const result = await this.#options.run(key);
      this.#failures.delete(key);
      if (result && !this.#dirty.has(key)) this.addAfter(key, result.againAfterMs);
    } catch (error) {
      const failures = (this.#failures.get(key) ?? 0) + 1;
      this.#failures.set(key, failures);
      const retryMs = backoffDelay(this.#options.backoff ?? defaultBackoff, failures);
      this.#options.onError(key, error, retryMs);
      if (!this.#dirty.has(key)) this.addAfter(key, retryMs);
    } finally {
      this.#running.delete(key);
      if (this.#dirty.delete(key) && !this.#closed) this.#waiting.add(key);
      this.#start();
      if (this.#waiting.size + this.#running.size === 0) for (const resolve of this.#idle.splice(0)) resolve();
    }
  }

  #clearTimer(key: K): void {
    const timer = this.#timers.get(key);
    if (timer) clearTimeout(timer);
    this.#timers.delete(key);
  }
}
