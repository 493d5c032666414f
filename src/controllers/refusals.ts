/** What the API has refused to create, by key, and how long further tries are held back. Pure but for its memory. */
import { type BackoffPolicy, backoffDelay } from '../base/backoff.js';
import { StatusError } from '../kube/status.js';
import type { Key, Refusal } from './contract.js';

/** Whoever mends what was wrong (a quota, a template) waits no longer than `maxMs`. */
const policy: BackoffPolicy = { initialMs: 200, maxMs: 15_000, factor: 2 };

interface Entry {
  readonly refusal: Refusal;
  readonly count: number;
  readonly retryAt: number;
}

/** The request itself was at fault: not a lost race, not something gone, not the store's trouble. */
export function isRefusal(error: unknown): error is StatusError {
  return error instanceof StatusError && error.code >= 400 && error.code < 500 && ![404, 409].includes(error.code);
}

export class Refusals {
  readonly #entries = new Map<Key, Entry>();

  /** @param now milliseconds since 1970 */
  add(key: Key, refusal: Refusal, now: number): void {
    const count = (this.#entries.get(key)?.count ?? 0) + 1;
    this.#entries.set(key, { refusal, count, retryAt: now + backoffDelay(policy, count) });
  }

  of(key: Key): Refusal | undefined {
    return this.#entries.get(key)?.refusal;
  }

  /** Milliseconds until creates may be tried again; 0 or less: now. */
  retryMs(key: Key, now: number): number {
    return (this.#entries.get(key)?.retryAt ?? now) - now;
  }

  delete(key: Key): void {
    this.#entries.delete(key);
  }
}
