/** Preferred pod affinity and anti-affinity, of the pod and of those that are there; required affinity counts a little. */
import type { Cluster } from '../cluster.js';
import type { CarriedTerms } from '../counts.js';
import { ByPlace } from '../filters/pod-affinity.js';
import type { PodInfo } from '../pod-info.js';
import { termMatches, type WeightedTerm } from '../terms.js';
import { best, type Score } from './contract.js';

export const preferredPods: Score = {
  name: 'InterPodAffinity',
  rate: (info, nodes, cluster) => {
    const places = placesOf(info, cluster);
    if (places.length === 0) return undefined;
    const sums = nodes.map(node => places.reduce((sum, place) => sum + place.at(node), 0));
    const least = Math.min(...sums);
    const most = Math.max(...sums);
    return sums.map(sum => (most === least ? 0 : Math.trunc((best * (sum - least)) / (most - least))));
  },
};

/** Sums of weights by place, one for each term that says something here. */
function placesOf(info: PodInfo, cluster: Cluster): ByPlace[] {
  return [
    ...own(info.preferredAffinity, cluster, 1),
    ...own(info.preferredAntiAffinity, cluster, -1),
    ...others(cluster.requiredAffinity, info, cluster, 1),
    ...others(cluster.preferredAffinity, info, cluster, 1),
    ...others(cluster.preferredAntiAffinity, info, cluster, -1),
  ].filter(({ isEmpty }) => !isEmpty);
}

function own(terms: readonly WeightedTerm[], cluster: Cluster, sign: 1 | -1): ByPlace[] {
  return terms.map(({ term, weight }) => {
    const perNode = cluster.count(`one ${term.text}`, other => termMatches(term, other, cluster.namespaceLabels));
    return new ByPlace(term.topologyKey).addAll(perNode, cluster, sign * weight);
  });
}

function others(carried: CarriedTerms, info: PodInfo, cluster: Cluster, sign: 1 | -1): ByPlace[] {
  return [...carried.values()]
    .filter(({ term }) => termMatches(term, info, cluster.namespaceLabels))
    .map(({ term, weight, perNode }) => new ByPlace(term.topologyKey).addAll(perNode, cluster, sign * weight));
}
