/**
 * How many pods of each node match something, kept while pods come and go: so a decision sums over nodes and not over pods.
 * A question that was asked once is remembered; the ones unused for longest are forgotten.
 */
import type { PodInfo } from './pod-info.js';
import type { Term } from './terms.js';

export type PerNode = ReadonlyMap<string, number>;

interface Counter {
  readonly matches: (info: PodInfo) => boolean;
  readonly perNode: Map<string, number>;
}

const maxQuestions = 200;

export class MatchCounts {
  readonly #counters = new Map<string, Counter>();

  /** @param text equal texts are the same question. @param placed every pod with its node, for a new question. */
  ask(text: string, matches: (info: PodInfo) => boolean, placed: () => Iterable<[PodInfo, string]>): PerNode {
    const known = this.#counters.get(text);
    if (known) {
      this.#counters.delete(text);
      this.#counters.set(text, known);
      return known.perNode;
    }
    const counter: Counter = { matches, perNode: new Map() };
    for (const [info, node] of placed()) if (matches(info)) bump(counter.perNode, node, 1);
    this.#counters.set(text, counter);
    const [oldest] = this.#counters.keys();
    if (this.#counters.size > maxQuestions && oldest !== undefined) this.#counters.delete(oldest);
    return counter.perNode;
  }

  change(info: PodInfo, node: string, by: 1 | -1): void {
    for (const { matches, perNode } of this.#counters.values()) if (matches(info)) bump(perNode, node, by);
  }

  /** The answers depend on something that has changed. */
  forget(): void {
    this.#counters.clear();
  }
}

export interface Carried {
  readonly term: Term;
  readonly weight: number;
  readonly perNode: PerNode;
}

/** Which terms the pods in place carry, each distinct one once, with how many pods of each node carry it. */
export class CarriedTerms {
  readonly #terms = new Map<string, Carried & { readonly perNode: Map<string, number> }>();

  values(): Iterable<Carried> {
    return this.#terms.values();
  }

  change(term: Term, weight: number, node: string, by: 1 | -1): void {
    const key = `${weight} ${term.text}`;
    const carried = this.#terms.get(key) ?? { term, weight, perNode: new Map<string, number>() };
    bump(carried.perNode, node, by);
    if (carried.perNode.size === 0) this.#terms.delete(key);
    else this.#terms.set(key, carried);
  }
}

export function bump(counts: Map<string, number>, key: string, by: number): void {
  const next = (counts.get(key) ?? 0) + by;
  if (next === 0) counts.delete(key);
  else counts.set(key, next);
}
