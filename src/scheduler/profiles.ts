/** Which scores count how much, by the schedulerName that pods ask for. Other names are somebody else's schedulers. */
import type { Score } from './scores/contract.js';
import { imageLocality } from './scores/images.js';
import { preferredPods } from './scores/pod-affinity.js';
import { discouragingTaints, preferredNodes } from './scores/preferences.js';
import { balancedAllocation, leastAllocated, mostAllocated } from './scores/resources.js';
import { softSpread } from './scores/spread.js';

export interface Profile {
  readonly name: string;
  readonly scores: readonly { readonly score: Score; readonly weight: number }[];
  /** Nodes that would do are searched for until so many percent of all are found; 0: fewer, the larger the cluster is. */
  readonly percentageOfNodesToScore: number;
}

export const defaultSchedulerName = 'default-scheduler';

function profile(name: string, room: Score): Profile {
  const scores = [
    { score: discouragingTaints, weight: 3 },
    { score: preferredNodes, weight: 2 },
    { score: room, weight: 1 },
    { score: softSpread, weight: 2 },
    { score: preferredPods, weight: 2 },
    { score: balancedAllocation, weight: 1 },
    { score: imageLocality, weight: 1 },
  ];
  return { name, scores, percentageOfNodesToScore: 0 };
}

/** `bin-packing-scheduler` fills one node before the next: for clusters that are paid by the node. */
export const profiles: readonly Profile[] = [
  profile(defaultSchedulerName, leastAllocated),
  profile('bin-packing-scheduler', mostAllocated),
];
