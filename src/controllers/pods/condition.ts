/** What a pod's status means to those who count pods: active, ready, available. */
import type { Condition } from '../../kube/meta.js';
import type { Pod } from '../../kube/pod.js';
import { parseTime } from '../../kube/time.js';

const hasEnded = (pod: Pod): boolean => pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';

/** Counts as a replica: neither ended nor on its way out. */
export const isPodActive = (pod: Pod): boolean => !hasEnded(pod) && !pod.metadata.deletionTimestamp;

/** On its way out, and perhaps still running. */
export const isPodTerminating = (pod: Pod): boolean => !hasEnded(pod) && pod.metadata.deletionTimestamp !== undefined;

export function podCondition(pod: Pod, type: string): Condition | undefined {
  return pod.status?.conditions?.find(condition => condition.type === type);
}

export const isPodReady = (pod: Pod): boolean => podCondition(pod, 'Ready')?.status === 'True';

/** Milliseconds since 1970 since when it is ready; undefined: it is not, or nobody says since when. */
export function readySince(pod: Pod): number | undefined {
  const ready = podCondition(pod, 'Ready');
  return ready?.status === 'True' ? parseTime(ready.lastTransitionTime ?? '') : undefined;
}

/**
 * Milliseconds until the pod is available, that is, ready for `minReadySeconds`: 0 for one that is, undefined for one that
 * is not ready. @param now milliseconds since 1970
 */
export function availableInMs(pod: Pod, minReadySeconds: number, now: number): number | undefined {
  if (!isPodReady(pod)) return undefined;
  if (minReadySeconds <= 0) return 0;
  const since = readySince(pod);
  return since === undefined ? undefined : Math.max(0, since + minReadySeconds * 1000 - now);
}

export const isPodAvailable = (pod: Pod, minReadySeconds: number, now: number): boolean =>
  availableInMs(pod, minReadySeconds, now) === 0;
