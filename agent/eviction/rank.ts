/** Which pod goes first when a node runs short: kubelet's order. Pure. */
import type { Pod } from '../../src/kube/pod.js';
import { podRequests } from '../../src/kube/pod-resources.js';
import { isCritical } from '../admission/admit.js';
import { isStatic } from '../pods/static-pod.js';
import { resourceOf, type Signal } from './thresholds.js';

/** Of one pod: bytes, inodes or processes of what is short. */
export interface Usage {
  readonly total: number;
  /** By container; empty where it is not told apart. */
  readonly containers: ReadonlyMap<string, number>;
}

export interface Candidate {
  readonly pod: Pod;
  readonly usage: Usage;
}

/** Never evicted: what the node itself lives on. */
export const isSpared = (pod: Pod): boolean => isStatic(pod) || isCritical(pod);

/** Whole units that the pod asks for of what is counted by requests; 0 for the rest. */
export function requestOf(pod: Pod, signal: Signal): number {
  const resource = resourceOf(signal);
  if (resource !== 'memory' && resource !== 'ephemeral-storage') return 0;
  return Number((podRequests(pod.spec).get(resource) ?? 0n) / 1_000_000_000n);
}

/**
 * First those that use more than they asked for, then the lower priority, then the more beyond what was asked for. For
 * processes nobody can ask: priority, then their number.
 */
export function evictionOrder<T extends Candidate>(candidates: readonly T[], signal: Signal): T[] {
  const beyond = ({ pod, usage }: Candidate): number => usage.total - requestOf(pod, signal);
  const exceeds = (candidate: Candidate): number => (resourceOf(signal) !== 'pids' && beyond(candidate) > 0 ? 0 : 1);
  return candidates
    .filter(({ pod }) => !isSpared(pod))
    .toSorted((a, b) => exceeds(a) - exceeds(b) || priorityOf(a.pod) - priorityOf(b.pod) || beyond(b) - beyond(a));
}

const priorityOf = ({ spec }: Pod): number => (spec as { priority?: number }).priority ?? 0;
