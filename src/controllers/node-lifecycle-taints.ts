/** Which taints a node's state calls for, and when a silent node's pods may be given up. Pure. */
import type { Node, Taint } from '../kube/node.js';
import { parseTime, timestamp } from '../kube/time.js';
import { nodeTaints } from '../kube/tolerations.js';

const statusOf = (node: Node, type: string): string | undefined =>
  node.status?.conditions?.find(condition => condition.type === type)?.status;

export const isNodeReady = (node: Node): boolean => statusOf(node, 'Ready') === 'True';

const troubles: readonly (readonly [string, string])[] = [
  ['MemoryPressure', nodeTaints.memoryPressure],
  ['DiskPressure', nodeTaints.diskPressure],
  ['PIDPressure', nodeTaints.pidPressure],
  ['NetworkUnavailable', nodeTaints.networkUnavailable],
];

const lost = [nodeTaints.notReady, nodeTaints.unreachable] as readonly string[];
const ours = new Set<string>([...lost, ...troubles.map(([, key]) => key), nodeTaints.unschedulable]);

/** Keys of the taints with NoSchedule. A node that has not said anything yet has no trouble. */
function noSchedule(node: Node): string[] {
  return [
    ...lostKey(node),
    ...troubles.filter(([type]) => statusOf(node, type) === 'True').map(([, key]) => key),
    ...(node.spec?.unschedulable ? [nodeTaints.unschedulable] : []),
  ];
}

function lostKey(node: Node): string[] {
  const ready = statusOf(node, 'Ready');
  return ready === 'False' ? [nodeTaints.notReady] : ready === 'Unknown' ? [nodeTaints.unreachable] : [];
}

export type Eviction = 'now' | 'not yet' | 'stop';

/**
 * The taints that the node is to have; the same array if it has them. Others' taints stay.
 * @param eviction what `mayEvict` says: whether NoExecute may be added now, or is even taken off
 */
export function taintsFor(node: Node, eviction: Eviction, now: number): readonly Taint[] {
  const before = node.spec?.taints ?? [];
  const keep = (taint: Taint): boolean => {
    if (!ours.has(taint.key)) return true;
    if (taint.effect === 'NoSchedule') return noSchedule(node).includes(taint.key);
    if (taint.effect !== 'NoExecute' || !lost.includes(taint.key)) return true;
    return eviction !== 'stop' && lostKey(node).includes(taint.key);
  };
  const kept = before.filter(keep);
  const has = (key: string, effect: Taint['effect']): boolean =>
    kept.some(taint => taint.key === key && taint.effect === effect);
  // one that changes from not ready to unreachable is given up already: it does not wait for its turn again
  const begun = before.some(taint => taint.effect === 'NoExecute' && lost.includes(taint.key));
  const mayAdd = eviction === 'now' || (eviction === 'not yet' && begun);
  const added: Taint[] = [
    ...noSchedule(node)
      .filter(key => !has(key, 'NoSchedule'))
      .map((key): Taint => ({ key, effect: 'NoSchedule', timeAdded: timestamp(now) })),
    ...lostKey(node)
      .filter(key => mayAdd && !has(key, 'NoExecute'))
      .map((key): Taint => ({ key, effect: 'NoExecute', timeAdded: timestamp(now) })),
  ];
  return added.length === 0 && kept.length === before.length ? before : [...kept, ...added];
}

/** At most one node in so long is given up (Kubernetes: 0.1 nodes per second). */
export const evictionIntervalMs = 10_000;
const slowIntervalMs = 100_000;
const smallCluster = 50;

/**
 * Whether the pods of one more lost node may be evicted. If no node is ready, it is rather this process that is cut off: none
 * are evicted, and those that wait are spared. If most are lost, none in a small cluster, and slowly in a large one.
 */
export function mayEvict(nodes: readonly Node[], now: number): { eviction: Eviction; againMs: number | undefined } {
  const notReady = nodes.filter(node => lostKey(node).length > 0).length;
  if (notReady === nodes.length) return { eviction: 'stop', againMs: evictionIntervalMs };
  const mostly = notReady > 2 && notReady / nodes.length >= 0.55;
  if (mostly && nodes.length <= smallCluster) return { eviction: 'not yet', againMs: evictionIntervalMs };
  const times = nodes.flatMap(({ spec }) =>
    (spec?.taints ?? [])
      .filter(({ key, effect }) => effect === 'NoExecute' && lost.includes(key))
      .map(({ timeAdded }) => parseTime(timeAdded ?? '') ?? 0),
  );
  const leftMs = Math.max(0, ...times) + (mostly ? slowIntervalMs : evictionIntervalMs) - now;
  return leftMs > 0 ? { eviction: 'not yet', againMs: leftMs } : { eviction: 'now', againMs: undefined };
}
