/** What can happen in a cluster that may make room for a pod, and what of it a change of an object means. Pure. */
import { deepEqual } from '../kube/json.js';
import type { Node } from '../kube/node.js';

export type Wake =
  | 'node-added'
  | 'node-removed'
  | 'node-allocatable'
  | 'node-labels'
  | 'node-taints'
  /** A pod has come to a node, or its labels have changed. */
  | 'pod-placed'
  /** A pod has left its node, or takes less there. */
  | 'pod-gone'
  | 'volume'
  | 'namespace';

const isReady = (node: Node): boolean =>
  node.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;

/** Empty for what the scheduler does not care about: heartbeats, mostly. */
export function nodeWakes(before: Node | undefined, after: Node): Wake[] {
  if (!before) return ['node-added'];
  const wakes: Wake[] = [];
  if (!deepEqual(before.status?.allocatable, after.status?.allocatable)) wakes.push('node-allocatable');
  if (!deepEqual(before.metadata.labels, after.metadata.labels)) wakes.push('node-labels');
  const refuses = (node: Node) => [node.spec?.taints ?? [], node.spec?.unschedulable ?? false, isReady(node)];
  if (!deepEqual(refuses(before), refuses(after))) wakes.push('node-taints');
  return wakes;
}

/** Scores look at the images that a node has; nobody waits for them. */
export const sameImages = (before: Node, after: Node): boolean =>
  deepEqual(before.status?.images, after.status?.images);
