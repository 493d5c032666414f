/** Required pod affinity and anti-affinity, of the pod itself and of the pods that are there. */

import type { Cluster } from '../cluster.js';
import { bump, type PerNode } from '../counts.js';
import type { NodeInfo } from '../node-info.js';
import type { PodInfo } from '../pod-info.js';
import { type Term, termMatches } from '../terms.js';
import { type Check, type Filter, final, forNow } from './contract.js';

const wantsOthers = final("node(s) didn't match pod affinity rules");
const shunsOthers = forNow("node(s) didn't match pod anti-affinity rules");
const shunned = forNow("node(s) didn't satisfy existing pods anti-affinity rules");

export const interPodAffinity: Filter = {
  name: 'InterPodAffinity',
  wakes: ['node-added', 'node-labels', 'pod-placed', 'pod-gone', 'namespace'],
  prepare: (info, cluster) => {
    const checks = [affinityCheck(info, cluster), antiAffinityCheck(info, cluster), symmetryCheck(info, cluster)];
    const needed = checks.filter(check => check !== undefined);
    if (needed.length === 0) return undefined;
    return {
      at: node => {
        for (const check of needed) {
          const refusal = check.at(node);
          if (refusal) return refusal;
        }
        return undefined;
      },
      shift: (other, node, by) => {
        for (const { shift } of needed) shift?.(other, node, by);
      },
    };
  },
};

/** Pods by the value of a node label. */
export class ByPlace {
  readonly #counts = new Map<string, number>();
  constructor(readonly topologyKey: string) {}

  get isEmpty(): boolean {
    return this.#counts.size === 0;
  }
  at({ labels }: NodeInfo): number {
    const place = labels[this.topologyKey];
    return place === undefined ? 0 : (this.#counts.get(place) ?? 0);
  }
  add({ labels }: NodeInfo, by: number): void {
    const place = labels[this.topologyKey];
    if (place !== undefined) bump(this.#counts, place, by);
  }
  addAll(perNode: PerNode, cluster: Cluster, weight = 1): this {
    for (const [name, count] of perNode) {
      const node = cluster.node(name);
      if (node) this.add(node, count * weight);
    }
    return this;
  }
}

/** The pods that match all terms are counted, at the place that each term means. */
function affinityCheck(info: PodInfo, cluster: Cluster): Check | undefined {
  const { affinity } = info;
  if (affinity.length === 0) return undefined;
  const matches = (other: PodInfo) => affinity.every(term => termMatches(term, other, cluster.namespaceLabels));
  const perNode = cluster.count(`all ${affinity.map(({ text }) => text).join()}`, matches);
  const places = affinity.map(({ topologyKey }) => new ByPlace(topologyKey).addAll(perNode, cluster));
  const isOwn = matches(info);
  return {
    at: node => {
      if (affinity.some(({ topologyKey }) => node.labels[topologyKey] === undefined)) return wantsOthers;
      if (places.every(place => place.at(node) > 0)) return undefined;
      // the first of a group that wants to be together has nobody to join
      return isOwn && places.every(({ isEmpty }) => isEmpty) ? undefined : wantsOthers;
    },
    shift: (other, node, by) => {
      if (matches(other)) for (const place of places) place.add(node, by);
    },
  };
}

function antiAffinityCheck({ antiAffinity }: PodInfo, cluster: Cluster): Check | undefined {
  if (antiAffinity.length === 0) return undefined;
  const matches = (term: Term, other: PodInfo) => termMatches(term, other, cluster.namespaceLabels);
  const places = antiAffinity.map(term => ({
    term,
    at: new ByPlace(term.topologyKey).addAll(
      cluster.count(`one ${term.text}`, other => matches(term, other)),
      cluster,
    ),
  }));
  return {
    at: node => (places.some(place => place.at.at(node) > 0) ? shunsOthers : undefined),
    shift: (other, node, by) => {
      for (const place of places) if (matches(place.term, other)) place.at.add(node, by);
    },
  };
}

/** Anti-affinity holds for those that come later, too. */
function symmetryCheck(info: PodInfo, cluster: Cluster): Check | undefined {
  const byKey = new Map<string, ByPlace>();
  const placesOf = (key: string): ByPlace => {
    const known = byKey.get(key) ?? new ByPlace(key);
    byKey.set(key, known);
    return known;
  };
  const matches = (term: Term) => termMatches(term, info, cluster.namespaceLabels);
  for (const { term, perNode } of cluster.requiredAntiAffinity.values())
    if (matches(term)) placesOf(term.topologyKey).addAll(perNode, cluster);
  return {
    at: node => {
      for (const place of byKey.values()) if (place.at(node) > 0) return shunned;
      return undefined;
    },
    shift: (other, node, by) => {
      for (const term of other.antiAffinity) if (matches(term)) placesOf(term.topologyKey).add(node, by);
    },
  };
}
