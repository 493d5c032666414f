/** What a filter is. All filters are pure: they look at a pod and at the scheduler's picture, and change neither. */
import type { Cluster } from '../cluster.js';
import type { Wake } from '../events.js';
import type { NodeInfo } from '../node-info.js';
import type { PodInfo } from '../pod-info.js';

export interface Refusal {
  /** kube-scheduler's words; each counts by itself. */
  readonly reasons: readonly string[];
  /** True: no eviction from that node could help. */
  readonly final: boolean;
}

/** A filter that has looked at one pod. */
export interface Check {
  at(node: NodeInfo): Refusal | undefined;
  /** Looks only at these nodes, by name. */
  readonly only?: ReadonlySet<string>;
  /** Counts another pod as come to (1) or gone from (-1) a node, to try things out. The caller takes it back. */
  readonly shift?: (info: PodInfo, node: NodeInfo, by: 1 | -1) => void;
}

/** Undefined: has nothing against any node. `refused`: no node will do, and why. */
export type Prepared = Check | { readonly refused: string } | undefined;

export interface Filter {
  /** kube-scheduler's name of the plugin. */
  readonly name: string;
  /** After what changes a pod that it refused is worth another try. */
  readonly wakes: readonly Wake[];
  prepare(info: PodInfo, cluster: Cluster): Prepared;
}

export const final = (...reasons: string[]): Refusal => ({ reasons, final: true });
export const forNow = (...reasons: string[]): Refusal => ({ reasons, final: false });
