/**
 * Pods of a former agent whose records could not be read at the start: they stand as they are, nothing is made for them,
 * and their adoption is tried again. What the controller says of them meanwhile is kept.
 */
import { backoffDelay } from '../../src/base/backoff.js';
import type { Pod } from '../../src/kube/pod.js';
import { type AdoptedPod, adoptAgain } from './adopt.js';
import type { PodNode } from './node-contract.js';

const backoff = { initialMs: 200, maxMs: 30_000, factor: 2 } as const;

interface Waiting {
  failures: number;
  timer: NodeJS.Timeout;
  wanted?: Pod | 'gone';
}

export class AsidePods {
  readonly #waiting = new Map<string, Waiting>();

  constructor(
    readonly node: PodNode,
    /** @param pod undefined: it had no record, and is gone */
    readonly onAdopted: (uid: string, pod: AdoptedPod | undefined, wanted: Pod | 'gone' | undefined) => void,
  ) {}

  add(uid: string): void {
    this.#waiting.set(uid, { failures: 1, timer: this.#later(uid, 1) });
  }

  uids(): Iterable<string> {
    return this.#waiting.keys();
  }

  /** Notes what the controller says of a pod that is set aside. @returns false if it is not */
  note(uid: string, wanted: Pod | 'gone'): boolean {
    const waiting = this.#waiting.get(uid);
    if (waiting) waiting.wanted = wanted;
    return waiting !== undefined;
  }

  close(): void {
    for (const { timer } of this.#waiting.values()) clearTimeout(timer);
    this.#waiting.clear();
  }

  #later(uid: string, failures: number): NodeJS.Timeout {
    return setTimeout(() => void this.#again(uid), backoffDelay(backoff, failures));
  }

  async #again(uid: string): Promise<void> {
    const result = await adoptAgain(this.node, uid).catch(() => 'aside' as const);
    const waiting = this.#waiting.get(uid);
    if (!waiting) return;
    if (result === 'aside') {
      waiting.failures++;
      waiting.timer = this.#later(uid, waiting.failures);
      return;
    }
    this.#waiting.delete(uid);
    this.onAdopted(uid, result, waiting.wanted);
  }
}
