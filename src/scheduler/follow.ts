/** Keeps the scheduler's picture and queue true to what has changed. Synchronous; decides nothing about nodes. */
import type { Node } from '../kube/node.js';
import type { Pod } from '../kube/pod.js';
import { type Cluster, samePod } from './cluster.js';
import type { SchedulerChange } from './contract.js';
import { nodeWakes, sameImages, type Wake } from './events.js';
import { helps } from './helps.js';
import type { Nominations } from './nominations.js';
import { type PodInfo, podInfo, withPod } from './pod-info.js';
import { defaultSchedulerName } from './profiles.js';
import type { SchedulingQueue } from './queue.js';

export interface Parts {
  readonly cluster: Cluster;
  readonly queue: SchedulingQueue;
  readonly nominations: Nominations;
  /** UIDs of pods that were given a node and are not yet stored with it. */
  readonly assumed: Set<string>;
  /** schedulerNames that are ours. */
  readonly names: ReadonlySet<string>;
  readonly onGated: (pod: Pod) => void;
}

export const isFinished = ({ status }: Pod): boolean => status?.phase === 'Succeeded' || status?.phase === 'Failed';

export function follow(parts: Parts, { kind, object, previous, deleted }: SchedulerChange): void {
  switch (kind) {
    case 'Pod':
      return followPod(parts, object as Pod, deleted);
    case 'Node':
      return followNode(parts, object as Node, previous as Node | undefined, deleted);
    case 'Namespace':
      parts.cluster.forgetCounts();
      return happened(parts, 'namespace');
    default:
      return happened(parts, 'volume');
  }
}

/** Pods that it could help are tried again. */
export function happened({ queue, cluster }: Parts, wake: Wake, nodeName?: string): void {
  const node = nodeName === undefined ? undefined : cluster.node(nodeName);
  queue.move(wake, ({ info, plugins }) => helps(info, plugins, { wake, node }));
}

function followNode(parts: Parts, node: Node, previous: Node | undefined, deleted: boolean): void {
  const { name } = node.metadata;
  if (deleted) {
    parts.cluster.removeNode(name);
    return happened(parts, 'node-removed');
  }
  const known = parts.cluster.node(name) ? previous : undefined;
  const wakes = nodeWakes(known, node);
  if (wakes.length > 0 || !known || !sameImages(known, node)) parts.cluster.setNode(node);
  for (const wake of wakes) happened(parts, wake, name);
}

function followPod(parts: Parts, pod: Pod, deleted: boolean): void {
  if (deleted || isFinished(pod)) return leave(parts, pod);
  if (pod.spec.nodeName) return place(parts, pod, pod.spec.nodeName);
  const uid = pod.metadata.uid ?? '';
  if (parts.assumed.has(uid)) return;
  if (pod.metadata.deletionTimestamp || !parts.names.has(pod.spec.schedulerName ?? defaultSchedulerName))
    return leave(parts, pod);
  wait(parts, pod, uid);
}

function leave(parts: Parts, { metadata: { uid = '' } }: Pod): void {
  const { cluster, queue, nominations, assumed } = parts;
  const node = cluster.nodeOf(uid) ?? nominations.nodeOf(uid);
  cluster.removePod(uid);
  queue.delete(uid);
  nominations.delete(uid);
  assumed.delete(uid);
  if (node !== undefined) happened(parts, 'pod-gone', node);
}

function place(parts: Parts, pod: Pod, node: string): void {
  const { cluster, queue, nominations, assumed } = parts;
  const uid = pod.metadata.uid ?? '';
  const confirmed = assumed.delete(uid);
  const before = cluster.infoOf(uid);
  queue.delete(uid);
  nominations.delete(uid);
  const info = cluster.setPod(pod);
  if (!before || confirmed) happened(parts, 'pod-placed', node);
  else if (info.requests !== before.requests || info.labels !== before.labels) {
    happened(parts, 'pod-placed', node);
    if (takesLess(info, before) || info.terminating) happened(parts, 'pod-gone', node);
  }
}

const takesLess = (after: PodInfo, before: PodInfo): boolean =>
  [...before.requests].some(([name, amount]) => (after.requests.get(name) ?? 0) < amount);

function wait({ queue, nominations, onGated }: Parts, pod: Pod, uid: string): void {
  const known = queue.infoOf(uid);
  const same = known !== undefined && samePod(known.pod, pod);
  const info = same ? withPod(known, pod) : podInfo(pod);
  const gated = (pod.spec.schedulingGates ?? []).length > 0;
  queue.put(info, gated, known !== undefined && !same);
  const nominated = pod.status?.nominatedNodeName;
  if (nominated) nominations.set(info, nominated);
  else if (known?.pod.status?.nominatedNodeName) nominations.delete(uid);
  if (gated) onGated(pod);
}
