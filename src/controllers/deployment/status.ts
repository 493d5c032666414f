/** A Deployment's status, counted from the statuses of its ReplicaSets. */
import type { Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet } from '../../kube/api/apps-v1.js';
import { parseTime } from '../../kube/time.js';
import { boundsOf, progressDeadlineMs, replicasOf } from './bounds.js';
import { available, complete, find, progress, say, timedOut, without } from './conditions.js';
import type { ReplicaSets } from './replica-sets.js';

export type Status = { [K in keyof DeploymentStatus]: DeploymentStatus[K] | undefined };

const sum = (sets: ReplicaSets, of: (set: ReplicaSet) => number | undefined): number =>
  sets.all.reduce((so, { set }) => so + (of(set) ?? 0), 0);

/** Counts of 0 are absent, as on Kubernetes' wire. */
export function countedStatus(
  deployment: Deployment,
  sets: ReplicaSets,
  conditions: readonly DeploymentCondition[],
  now: number,
): Status {
  const availableReplicas = sum(sets, set => set.status?.availableReplicas);
  const { unavailable } = boundsOf(deployment);
  const { collisionCount } = deployment.status ?? {};
  return {
    observedGeneration: deployment.metadata.generation,
    replicas: sum(sets, set => set.status?.replicas) || undefined,
    updatedReplicas: sets.newest?.set.status?.replicas || undefined,
    readyReplicas: sum(sets, set => set.status?.readyReplicas) || undefined,
    availableReplicas: availableReplicas || undefined,
    unavailableReplicas: Math.max(0, sum(sets, set => set.spec?.replicas) - availableReplicas) || undefined,
    terminatingReplicas: sum(sets, set => set.status?.terminatingReplicas),
    collisionCount,
    conditions: say(conditions, available(availableReplicas >= replicasOf(deployment) - unavailable), now),
  };
}

/** The same with how the rollout is going. */
export function rolloutStatus(
  deployment: Deployment,
  sets: ReplicaSets,
  conditions: readonly DeploymentCondition[],
  now: number,
): Status {
  const status = countedStatus(deployment, sets, conditions, now);
  return { ...status, conditions: withFailure(sets, withProgress(deployment, sets, status, now), now) };
}

function withProgress(deployment: Deployment, sets: ReplicaSets, status: Status, now: number): DeploymentCondition[] {
  const conditions = status.conditions ?? [];
  if (progressDeadlineMs(deployment) === undefined) return without(conditions, 'Progressing');
  const before = find(conditions, 'Progressing');
  const { replicas = 0, updatedReplicas = 0 } = status;
  // once complete, pods that die do not start the clock again
  if (before?.reason === complete && replicas === updatedReplicas) return conditions;
  const names = [deployment.metadata.name, sets.newest?.set.metadata.name] as const;
  if (isComplete(deployment, status)) return say(conditions, progress.complete(...names), now);
  if (isProgressing(deployment.status ?? {}, status)) return say(conditions, progress.going(...names), now, true);
  if (hasTimedOut(deployment, before, now)) return say(conditions, progress.timedOut(...names), now);
  return conditions;
}

export function isComplete(deployment: Deployment, status: Status): boolean {
  const wanted = replicasOf(deployment);
  const { updatedReplicas = 0, replicas = 0, availableReplicas = 0, observedGeneration = 0 } = status;
  const counts = [updatedReplicas, replicas, availableReplicas];
  return counts.every(count => count === wanted) && observedGeneration >= (deployment.metadata.generation ?? 0);
}

function isProgressing(before: DeploymentStatus, now: Status): boolean {
  const old = (status: Status): number => (status.replicas ?? 0) - (status.updatedReplicas ?? 0);
  return (
    (now.updatedReplicas ?? 0) > (before.updatedReplicas ?? 0) ||
    old(now) < old(before) ||
    (now.readyReplicas ?? 0) > (before.readyReplicas ?? 0) ||
    (now.availableReplicas ?? 0) > (before.availableReplicas ?? 0)
  );
}

function hasTimedOut(deployment: Deployment, condition: DeploymentCondition | undefined, now: number): boolean {
  if (!condition || condition.reason === complete) return false;
  return condition.reason === timedOut || deadlineOf(deployment, condition) < now;
}

function deadlineOf(deployment: Deployment, condition: DeploymentCondition): number {
  return (parseTime(condition.lastUpdateTime ?? '') ?? 0) + (progressDeadlineMs(deployment) ?? 0);
}

/** Milliseconds until a rollout under way may have timed out; undefined: it cannot. */
export function timeOutMs(deployment: Deployment, status: Status, now: number): number | undefined {
  const condition = find(status.conditions ?? [], 'Progressing');
  if (!condition || progressDeadlineMs(deployment) === undefined || isComplete(deployment, status)) return undefined;
  if (condition.reason === complete || condition.reason === timedOut) return undefined;
  // a second more: the condition's time has no fractions
  return Math.max(0, deadlineOf(deployment, condition) - now) + 1000;
}

/** That pods cannot be made is known to the ReplicaSets: the newest one's word counts first. */
function withFailure(
  { newest, all }: ReplicaSets,
  conditions: readonly DeploymentCondition[],
  now: number,
): DeploymentCondition[] {
  const sets = [...(newest ? [newest] : []), ...all].map(({ set }) => set);
  const failures = sets.map(set => set.status?.conditions?.find(({ type }) => type === 'ReplicaFailure'));
  const failure = failures.find(condition => condition !== undefined);
  if (!failure) return without(conditions, 'ReplicaFailure');
  const { type, status, reason = '', message = '' } = failure;
  return say(conditions, { type, status, reason, message }, now);
}
