/**
 * Rolls a Deployment out by making, resizing and removing ReplicaSets; it never touches a pod. Every run makes one step and
 * writes what it sees; what the step causes wakes it for the next one. Key: `namespace/name`.
 */
import type { Deployment, DeploymentCondition } from '../../kube/api/apps-v1.js';
import { selects } from '../../kube/label-selector.js';
import { type Action, type Controller, type Facts, type Key, nothing, type Outcome, targetOf } from '../contract.js';
import { keyOfObject, objectOf, wakeOfDependents } from '../pods/ownership.js';
import { statusPatch } from '../status-patch.js';
import { revisionKey } from './annotations.js';
import { progressDeadlineMs } from './bounds.js';
import { find, progress, say, timedOut } from './conditions.js';
import { type ReplicaSets, replicaSetsOf } from './replica-sets.js';
import { annotate, step, tidy } from './rollout.js';
import { scaledSizes, wasScaled } from './sizes.js';
import { countedStatus, rolloutStatus, type Status, timeOutMs } from './status.js';
import { resize } from './writes.js';

export const deploymentController: Controller = {
  name: 'deployment',
  wakes: [
    { kind: 'Deployment', keys: object => [keyOfObject(object)] },
    wakeOfDependents('ReplicaSet', 'Deployment', (owner, set) =>
      selects((owner as unknown as Deployment).spec?.selector, set.metadata.labels),
    ),
  ],
  writes: ['ReplicaSets of Deployments', 'Deployment status', `the annotation ${revisionKey}`],
  concurrency: 5,
  reconcile,
};

function reconcile(facts: Facts, key: Key): Outcome {
  const deployment = objectOf<Deployment>(facts.view, 'Deployment', key);
  if (!deployment) return nothing;
  const { sets, actions } = replicaSetsOf(facts, deployment);
  if (actions.length > 0) return { actions };
  const conditions = deployment.status?.conditions ?? [];
  if (deployment.metadata.deletionTimestamp)
    return report(deployment, countedStatus(deployment, sets, conditions, facts.now));
  const paused = pausing(deployment, facts.now);
  if (paused) return report(deployment, { ...deployment.status, conditions: paused });
  const isPaused = deployment.spec?.paused ?? false;
  const sizes = isPaused || wasScaled(deployment, sets) ? resize(deployment, scaledSizes(deployment, sets)) : [];
  return isPaused || sizes.length > 0 ? rescale(facts, deployment, sets, sizes) : rollOut(facts, deployment, sets);
}

/** Conditions that say that it has just been paused or resumed; undefined: nothing to say. */
function pausing(deployment: Deployment, now: number): DeploymentCondition[] | undefined {
  if (progressDeadlineMs(deployment) === undefined) return undefined;
  const conditions = deployment.status?.conditions ?? [];
  const reason = find(conditions, 'Progressing')?.reason;
  if (reason === timedOut) return undefined;
  const isSaid = reason === 'DeploymentPaused';
  if (Boolean(deployment.spec?.paused) === isSaid) return undefined;
  return say(conditions, isSaid ? progress.resumed() : progress.paused(), now);
}

/** Only sizes: the rollout, if there is one, stays where it is. */
function rescale(facts: Facts, deployment: Deployment, sets: ReplicaSets, sizes: readonly Action[]): Outcome {
  const status = countedStatus(deployment, sets, deployment.status?.conditions ?? [], facts.now);
  const annotated = annotate(deployment, sets);
  // both may patch the newest ReplicaSet, and only the first would find it as it was
  if (annotated.length > 0) return report(deployment, status, annotated);
  const tidied = sizes.length === 0 ? tidy(deployment, sets) : [];
  return report(deployment, status, [...sizes, ...tidied, ...revised(deployment, sets)]);
}

function rollOut(facts: Facts, deployment: Deployment, sets: ReplicaSets): Outcome {
  const { actions, conditions, collided } = step(facts, deployment, sets);
  const status = rolloutStatus(deployment, sets, conditions, facts.now);
  const collisionCount = (deployment.status?.collisionCount ?? 0) + 1;
  return {
    ...report(deployment, { ...status, ...(collided && { collisionCount }) }, [
      ...actions,
      ...revised(deployment, sets),
    ]),
    ...waiting(timeOutMs(deployment, status, facts.now)),
  };
}

const waiting = (ms: number | undefined): Pick<Outcome, 'requeueAfterMs'> =>
  ms === undefined ? {} : { requeueAfterMs: ms };

/** The Deployment's own annotation follows its newest ReplicaSet's. */
function revised(deployment: Deployment, { newest }: ReplicaSets): Action[] {
  const revision = newest?.set.metadata.annotations?.[revisionKey];
  if (revision === undefined || deployment.metadata.annotations?.[revisionKey] === revision) return [];
  const patch = { metadata: { annotations: { [revisionKey]: revision } } };
  return [{ do: 'patch', target: targetOf(deployment), at: deployment.metadata.resourceVersion, patch }];
}

/** The status has no other writer, so that it may follow another patch of the Deployment in the same run. */
function report(deployment: Deployment, status: Status, actions: readonly Action[] = []): Outcome {
  const isPatched = actions.some(action => action.do === 'patch' && action.target.kind === 'Deployment');
  return { actions: [...actions, ...statusPatch(deployment, status, !isPatched)] };
}
