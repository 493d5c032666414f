/** What a score is: how well each node that would do suits a pod. Pure. */
import type { Cluster } from '../cluster.js';
import type { NodeInfo } from '../node-info.js';
import type { PodInfo } from '../pod-info.js';

export const best = 100;

export interface Score {
  /** kube-scheduler's name of the plugin. */
  readonly name: string;
  /** One number a node, 0 to 100, in the order of `nodes`; undefined: says nothing about this pod. */
  rate(info: PodInfo, nodes: readonly NodeInfo[], cluster: Cluster): number[] | undefined;
}

/** The largest becomes 100, or with `fewest` 0; nothing but zeros is as good as it gets with `fewest`. */
export function scaled(values: readonly number[], fewest = false): number[] {
  const largest = Math.max(0, ...values);
  if (largest === 0) return values.map(() => (fewest ? best : 0));
  return values.map(value => {
    const part = Math.trunc((best * value) / largest);
    return fewest ? best - part : part;
  });
}
