/** The status of a StatefulSet, counted from its pods. Pure. */
import type { StatefulSet, StatefulSetStatus } from '../../kube/api/apps-v1.js';
import type { Pod } from '../../kube/pod.js';
import { isPodAvailable } from '../pods/condition.js';
import { ordinalOf, revisionOf } from './identity.js';
import { isHealthy, isInRange, isRunningAndReady } from './plan.js';

interface Revisions {
  /** Names of revisions. */
  readonly current: string;
  readonly update: string;
  readonly collisionCount: number | undefined;
}

export function statusOf(
  set: StatefulSet,
  pods: readonly Pod[],
  { current, update, collisionCount }: Revisions,
  now: number,
): { [field in keyof StatefulSetStatus]: StatefulSetStatus[field] | undefined } {
  const minReadySeconds = set.spec?.minReadySeconds ?? 0;
  const count = (test: (pod: Pod) => boolean): number => pods.filter(test).length;
  const ofRevision = (name: string): number | undefined =>
    count(pod => !pod.metadata.deletionTimestamp && revisionOf(pod) === name) || undefined;
  const done = isRolledOut(set, pods, update, now);
  return {
    observedGeneration: set.metadata.generation,
    replicas: pods.length,
    readyReplicas: count(isRunningAndReady) || undefined,
    availableReplicas: count(pod => isRunningAndReady(pod) && isPodAvailable(pod, minReadySeconds, now)),
    currentReplicas: ofRevision(done ? update : current),
    updatedReplicas: ofRevision(update),
    currentRevision: done ? update : current,
    updateRevision: update,
    collisionCount,
    conditions: set.status?.conditions,
  };
}

/** Every pod that should be there runs the new revision, and no other pod is left. */
function isRolledOut(set: StatefulSet, pods: readonly Pod[], update: string, now: number): boolean {
  return (
    set.spec?.updateStrategy?.type === 'RollingUpdate' &&
    pods.length === (set.spec.replicas ?? 1) &&
    pods.every(pod => isInRange(set, ordinalOf(pod)) && revisionOf(pod) === update && isHealthy(set, pod, now))
  );
}
