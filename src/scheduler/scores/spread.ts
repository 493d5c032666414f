/** topologySpreadConstraints with ScheduleAnyway: the fewer matching pods a place has, the better. */
import type { Cluster } from '../cluster.js';
import { isCounted, spreadCounts } from '../filters/spread.js';
import type { NodeInfo } from '../node-info.js';
import type { PodInfo } from '../pod-info.js';
import type { Spread } from '../terms.js';
import { best, type Score } from './contract.js';

const hostLabel = 'kubernetes.io/hostname';

export const softSpread: Score = {
  name: 'PodTopologySpread',
  rate: (info, nodes, cluster) => {
    const soft = info.spreads.filter(({ hard }) => !hard);
    if (soft.length === 0) return undefined;
    const isRated = ({ labels }: NodeInfo) =>
      !info.ownSpreads || soft.every(({ topologyKey }) => labels[topologyKey] !== undefined);
    const rated = nodes.filter(isRated);
    const costs = soft.map(spread => costOf(spread, info, rated, cluster, isRated));
    const sums = nodes.map(node =>
      isRated(node) ? Math.round(costs.reduce((sum, cost) => sum + cost(node), 0)) : undefined,
    );
    return fewestBest(sums);
  },
};

type Cost = (node: NodeInfo) => number;

/** Matching pods at the node's place; places that are many weigh more, so that few large ones do not drown them. */
function costOf(
  spread: Spread,
  info: PodInfo,
  rated: readonly NodeInfo[],
  cluster: Cluster,
  isRated: (node: NodeInfo) => boolean,
): Cost {
  const { topologyKey, maxSkew } = spread;
  const perNode = spreadCounts(spread, cluster);
  const weigh = (count: number, places: number) => count * Math.log(places + 2) + (maxSkew - 1);
  if (topologyKey === hostLabel)
    return ({ name, labels }) => (labels[hostLabel] === undefined ? 0 : weigh(perNode.get(name) ?? 0, rated.length));
  const counts = new Map(rated.map(({ labels }) => [labels[topologyKey], 0]));
  // the scheduler's own constraint on zones is no work where there are none
  if (counts.size === 1 && counts.has(undefined)) return () => 0;
  for (const [name, count] of perNode) {
    const node = cluster.node(name);
    if (!node || !isRated(node) || !isCounted(spread, info, node)) continue;
    const place = node.labels[topologyKey];
    const sum = counts.get(place);
    if (sum !== undefined) counts.set(place, sum + count);
  }
  return ({ labels }) =>
    labels[topologyKey] === undefined ? 0 : weigh(counts.get(labels[topologyKey]) ?? 0, counts.size);
}

/** Undefined, where a constraint means nothing, is the worst. */
function fewestBest(sums: readonly (number | undefined)[]): number[] {
  const known = sums.filter(sum => sum !== undefined);
  const most = Math.max(0, ...known);
  const least = known.length > 0 ? Math.min(...known) : 0;
  return sums.map(sum => {
    if (sum === undefined) return 0;
    return most === 0 ? best : Math.trunc((best * (most + least - sum)) / most);
  });
}
