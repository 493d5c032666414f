/**
 * Which pod goes first when there are too many: the one that will be missed least. The order is Kubernetes' (ReplicaSet,
 * "Scaling a ReplicaSet"): unassigned, pending, not ready, (ours alone) not available, cheaper by annotation, more siblings
 * on its node, ready for a shorter time, restarted more often, younger.
 */
import type { Pod } from '../../kube/pod.js';
import { parseTime } from '../../kube/time.js';
import { isPodAvailable, isPodReady, readySince } from './condition.js';

export const deletionCost = 'controller.kubernetes.io/pod-deletion-cost';

const phases: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };

/**
 * The pods in the order in which they should go. Not stable in its input: ties are decided by UID.
 * @param related pods that count as siblings on a node (at least `pods` themselves)
 * @param now milliseconds since 1970
 * @param minReadySeconds from when on a ready pod is available: a Deployment that lets go of the others counts on keeping it
 */
export function rankForDeletion(
  pods: readonly Pod[],
  related: readonly Pod[],
  now: number,
  minReadySeconds = 0,
): Pod[] {
  const perNode = new Map<string, number>();
  for (const { spec } of related) if (spec.nodeName) perNode.set(spec.nodeName, (perNode.get(spec.nodeName) ?? 0) + 1);
  return pods
    .map(pod => ({ pod, marks: marksOf(pod, { perNode, now, minReadySeconds }) }))
    .sort((a, b) => compare(a.marks, b.marks) || (uidOf(a.pod) < uidOf(b.pod) ? -1 : 1))
    .map(({ pod }) => pod);
}

/** Compared from the left; the smaller goes first. */
function marksOf(
  pod: Pod,
  { perNode, now, minReadySeconds }: { perNode: ReadonlyMap<string, number>; now: number; minReadySeconds: number },
): number[] {
  const ready = isPodReady(pod);
  return [
    pod.spec.nodeName ? 1 : 0,
    phases[pod.status?.phase ?? 'Pending'] ?? 0,
    ready ? 1 : 0,
    isPodAvailable(pod, minReadySeconds, now) ? 1 : 0,
    costOf(pod),
    -(perNode.get(pod.spec.nodeName ?? '') ?? 0),
    ready ? magnitude(readySince(pod), now) : 0,
    -restartsOf(pod),
    magnitude(parseTime(pod.metadata.creationTimestamp ?? ''), now),
  ];
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (const [i, mark] of a.entries()) if (mark !== b[i]) return mark - b[i]!;
  return 0;
}

const uidOf = (pod: Pod): string => pod.metadata.uid ?? '';

/** An int32 in decimal; anything else counts as 0, as if nothing was said. */
function costOf(pod: Pod): number {
  const text = pod.metadata.annotations?.[deletionCost] ?? '0';
  const cost = Number(text);
  return /^(0|-?[1-9]\d*)$/.test(text) && Math.abs(cost) < 2 ** 31 ? cost : 0;
}

function restartsOf({ status }: Pod): number {
  return Math.max(0, ...(status?.containerStatuses ?? []).map(({ restartCount }) => restartCount));
}

/** Ages differ only by powers of two, so that the youngest is not always the victim (KEP-2185). */
function magnitude(since: number | undefined, now: number): number {
  if (since === undefined) return -1;
  const age = Math.max(0, now - since);
  return age < 1 ? -1 : Math.floor(Math.log2(age * 1e6));
}
