/** How full a node would be: the emptiest, the fullest, or the one whose CPU and memory fill alike. */
import type { NodeInfo } from '../node-info.js';
import type { PodInfo } from '../pod-info.js';
import { best, type Score } from './contract.js';

type Part = (requested: number, capacity: number) => number;

const free: Part = (requested, capacity) =>
  capacity === 0 || requested > capacity ? 0 : Math.trunc(((capacity - requested) * best) / capacity);

const used: Part = (requested, capacity) =>
  capacity === 0 ? 0 : Math.trunc((Math.min(requested, capacity) * best) / capacity);

function meanOf(part: Part): Score['rate'] {
  return (info, nodes) =>
    nodes.map(node => {
      const cpu = part(node.scoredCpu + info.scored.cpu, node.allocatable.get('cpu') ?? 0);
      const memory = part(node.scoredMemory + info.scored.memory, node.allocatable.get('memory') ?? 0);
      return Math.trunc((cpu + memory) / 2);
    });
}

export const leastAllocated: Score = { name: 'NodeResourcesFit', rate: meanOf(free) };
export const mostAllocated: Score = { name: 'NodeResourcesFit', rate: meanOf(used) };

/** Pods that ask for nothing would all go to the node that is balanced already: they are not rated. */
export const balancedAllocation: Score = {
  name: 'NodeResourcesBalancedAllocation',
  rate: (info, nodes) => {
    if (!info.requests.has('cpu') && !info.requests.has('memory')) return undefined;
    return nodes.map(node => {
      const parts = ['cpu', 'memory'].flatMap(name => fraction(name, info, node));
      const deviation = parts.length === 2 ? Math.abs(parts[0]! - parts[1]!) / 2 : 0;
      return Math.trunc((1 - deviation) * best);
    });
  },
};

function fraction(name: string, { requests }: PodInfo, { allocatable, requested }: NodeInfo): number[] {
  const capacity = allocatable.get(name) ?? 0;
  if (capacity === 0) return [];
  return [Math.min(1, ((requested.get(name) ?? 0) + (requests.get(name) ?? 0)) / capacity)];
}
