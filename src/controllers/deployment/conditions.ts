/** A Deployment's conditions: what they are called, and how one replaces another. Texts and reasons are Kubernetes'. */
import type { DeploymentCondition } from '../../kube/api/apps-v1.js';
import { timestamp } from '../../kube/time.js';

export type Said = Pick<DeploymentCondition, 'type' | 'status' | 'reason' | 'message'>;

export const find = (conditions: readonly DeploymentCondition[], type: string): DeploymentCondition | undefined =>
  conditions.find(condition => condition.type === type);

export const without = (conditions: readonly DeploymentCondition[], type: string): DeploymentCondition[] =>
  conditions.filter(condition => condition.type !== type);

/**
 * Nothing changes while status and reason stay the same, unless `renewed`: then the time of update does, from which the
 * progress deadline counts.
 */
export function say(
  conditions: readonly DeploymentCondition[],
  said: Said,
  now: number,
  renewed = false,
): DeploymentCondition[] {
  const before = find(conditions, said.type);
  const isSame = before?.status === said.status && before?.reason === said.reason;
  if (isSame && !renewed) return [...conditions];
  const time = timestamp(now);
  const since = before?.status === said.status ? (before?.lastTransitionTime ?? time) : time;
  return [...without(conditions, said.type), { ...said, lastUpdateTime: time, lastTransitionTime: since }];
}

export function available(isAvailable: boolean): Said {
  return isAvailable
    ? {
        type: 'Available',
        status: 'True',
        reason: 'MinimumReplicasAvailable',
        message: 'Deployment has minimum availability.',
      }
    : {
        type: 'Available',
        status: 'False',
        reason: 'MinimumReplicasUnavailable',
        message: 'Deployment does not have minimum availability.',
      };
}

const progressing = (status: string, reason: string, message: string): Said => ({
  type: 'Progressing',
  status,
  reason,
  message,
});

export const complete = 'NewReplicaSetAvailable';
export const timedOut = 'ProgressDeadlineExceeded';

/** What a rollout is about: its new ReplicaSet, or (without one) the Deployment itself. */
const subject = (deployment: string, set: string | undefined): string =>
  set === undefined ? `Deployment "${deployment}"` : `ReplicaSet "${set}"`;

export const progress = {
  created: (set: string) => progressing('True', 'NewReplicaSetCreated', `Created new replica set "${set}"`),
  found: (set: string) => progressing('True', 'FoundNewReplicaSet', `Found new replica set "${set}"`),
  refused: (set: string, why: string) =>
    progressing('False', 'ReplicaSetCreateError', `Failed to create new replica set "${set}": ${why}`),
  complete: (deployment: string, set: string | undefined) =>
    progressing('True', complete, `${subject(deployment, set)} has successfully progressed.`),
  going: (deployment: string, set: string | undefined) =>
    progressing('True', 'ReplicaSetUpdated', `${subject(deployment, set)} is progressing.`),
  timedOut: (deployment: string, set: string | undefined) =>
    progressing('False', timedOut, `${subject(deployment, set)} has timed out progressing.`),
  paused: () => progressing('Unknown', 'DeploymentPaused', 'Deployment is paused'),
  resumed: () => progressing('Unknown', 'DeploymentResumed', 'Deployment is resumed'),
};
