/** What the scheduler reads and writes: handed to it, so that it knows neither the API nor the store. */
import type { PersistentVolumeClaim } from '../kube/api/core-v1.js';
import type { KubeObject } from '../kube/meta.js';
import type { Pod } from '../kube/pod.js';
import type { ClusterObjects } from './cluster.js';

export interface SchedulerChange {
  readonly kind: string;
  readonly object: KubeObject;
  readonly previous: KubeObject | undefined;
  readonly deleted: boolean;
}

/** Kinds that the scheduler follows. */
export const followedKinds: ReadonlySet<string> = new Set([
  'Pod',
  'Node',
  'Namespace',
  'PersistentVolumeClaim',
  'PersistentVolume',
  'StorageClass',
]);

export interface SchedulerView extends ClusterObjects {
  /** Changes of `followedKinds`, in order, each once. */
  subscribe(listener: (change: SchedulerChange) => void): { close(): void };
}

/** All reject with an Error saying why. */
export interface SchedulerWrites {
  bind(pod: Pod, node: string): Promise<void>;
  /** @param nominate the node that room is being made on; null takes back what was said before. */
  unschedulable(pod: Pod, message: string, nominate?: string | null): Promise<void>;
  gated(pod: Pod): Promise<void>;
  /** Tells who makes volumes where the claim's first consumer goes. */
  selectNode(claim: PersistentVolumeClaim, node: string): Promise<void>;
  /** Removes a pod for a more important one, gracefully. */
  evict(victim: Pod, preemptor: Pod, node: string): Promise<void>;
  takeBackNomination(pod: Pod): Promise<void>;
}
