/** topologySpreadConstraints with DoNotSchedule: no place may have more than maxSkew more matching pods than the emptiest. */
import type { Cluster } from '../cluster.js';
import type { NodeInfo } from '../node-info.js';
import type { PodInfo } from '../pod-info.js';
import type { Spread } from '../terms.js';
import { type Check, type Filter, final, forNow } from './contract.js';
import { wantsNode } from './node-affinity.js';
import { refuses } from './taints.js';

const skewed = "node(s) didn't match pod topology spread constraints";

export const podTopologySpread: Filter = {
  name: 'PodTopologySpread',
  wakes: ['node-added', 'node-removed', 'node-labels', 'node-taints', 'pod-placed', 'pod-gone'],
  prepare: (info, cluster) => {
    const hard = info.spreads.filter(spread => spread.hard);
    return hard.length === 0 ? undefined : checkOf(info, hard, cluster);
  },
};

/** Whether the pods of a node count for a constraint. */
export function isCounted(spread: Spread, info: PodInfo, node: NodeInfo): boolean {
  if (spread.honorAffinity && !wantsNode(info, node)) return false;
  return !spread.honorTaints || !refuses(node.taints, info.tolerations);
}

/** Pods on their way out do not count. */
export const spreadCounts = (spread: Spread, cluster: Cluster) =>
  cluster.count(spread.text, other => !other.terminating && spread.counts(other));

/** One constraint with what it counts: matching pods by place. */
class Places {
  readonly #counts = new Map<string, number>();
  #least: number | undefined;
  readonly own: number;

  constructor(
    readonly spread: Spread,
    readonly info: PodInfo,
  ) {
    this.own = spread.counts(info) ? 1 : 0;
  }

  add(place: string, by: number): void {
    this.#counts.set(place, (this.#counts.get(place) ?? 0) + by);
    this.#least = undefined;
  }

  has(place: string): boolean {
    return this.#counts.has(place);
  }

  isSkewed(place: string): boolean {
    return (this.#counts.get(place) ?? 0) + this.own - this.#smallest() > this.spread.maxSkew;
  }

  /** Places that are too few count as if there were an empty one more. */
  #smallest(): number {
    if (this.#counts.size < this.spread.minDomains) return 0;
    if (this.#least === undefined) {
      this.#least = Number.MAX_SAFE_INTEGER;
      for (const count of this.#counts.values()) if (count < this.#least) this.#least = count;
    }
    return this.#least;
  }
}

function checkOf(info: PodInfo, hard: readonly Spread[], cluster: Cluster): Check {
  const all = hard.map(spread => ({ places: new Places(spread, info), perNode: spreadCounts(spread, cluster) }));
  const isPlace = ({ labels }: NodeInfo) => hard.every(({ topologyKey }) => labels[topologyKey] !== undefined);
  for (const node of cluster.nodes) {
    if (!isPlace(node)) continue;
    for (const { places, perNode } of all)
      if (isCounted(places.spread, info, node))
        places.add(node.labels[places.spread.topologyKey]!, perNode.get(node.name) ?? 0);
  }
  return {
    at: ({ labels }) => {
      for (const { places } of all) {
        const place = labels[places.spread.topologyKey];
        if (place === undefined) return final(`${skewed} (missing required label)`);
        if (places.isSkewed(place)) return forNow(skewed);
      }
      return undefined;
    },
    shift: (other, node, by) => {
      if (!isPlace(node) || other.terminating) return;
      for (const { places } of all)
        if (places.spread.counts(other) && isCounted(places.spread, info, node))
          places.add(node.labels[places.spread.topologyKey]!, by);
    },
  };
}
