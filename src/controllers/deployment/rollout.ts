/** The next step of a Deployment: which ReplicaSets to make, resize or remove, and what to say about it. */
import type { Deployment, DeploymentCondition } from '../../kube/api/apps-v1.js';
import { type Action, type Facts, targetOf } from '../contract.js';
import { missingAnnotations, nextRevision, revisionOf } from './annotations.js';
import { isRolling, progressDeadlineMs } from './bounds.js';
import { find, progress, say } from './conditions.js';
import { type ReplicaSets, total } from './replica-sets.js';
import { newSize, oldSizes } from './sizes.js';
import { isComplete, rolloutStatus } from './status.js';
import { createSet, newName, patchSet, resize } from './writes.js';

export interface Step {
  readonly actions: readonly Action[];
  /** What the step itself has to say, before progress is judged. */
  readonly conditions: readonly DeploymentCondition[];
  /** The name that a new ReplicaSet should have is taken. */
  readonly collided?: true;
}

/** The strategy's next step; the step after that is decided on what came of it. */
export function step(facts: Facts, deployment: Deployment, sets: ReplicaSets): Step {
  const conditions = deployment.status?.conditions ?? [];
  const before = isRolling(deployment) ? [] : stopOld(deployment, sets);
  if (before.length > 0) return { actions: before, conditions };
  // Recreate: not one new pod before the last old one has ended
  if (!isRolling(deployment) && total(sets.old, 'running') > 0) return { actions: [], conditions };
  if (!sets.newest) return create(facts, deployment, sets);
  const renewed = annotate(deployment, sets);
  if (renewed.length > 0) return { actions: renewed, conditions };
  return { actions: go(facts, deployment, sets), conditions: foundNew(deployment, sets, facts.now) };
}

function stopOld(deployment: Deployment, { old }: ReplicaSets): Action[] {
  return resize(deployment, new Map(old.filter(({ size }) => size > 0).map(one => [one, 0])));
}

function create(facts: Facts, deployment: Deployment, sets: ReplicaSets): Step {
  const { name } = newName(deployment);
  const conditions = deployment.status?.conditions ?? [];
  // it is not ours, or not of this template: then it would be the newest
  if (facts.view.get('ReplicaSet', deployment.metadata.namespace, name))
    return { actions: [], conditions, collided: true };
  const said = facts.refused ? progress.refused(name, facts.refused.message) : progress.created(name);
  return {
    actions: [createSet(deployment, newSize(deployment, sets), nextRevision(sets.old))],
    conditions: progressDeadlineMs(deployment) === undefined ? conditions : say(conditions, said, facts.now),
  };
}

/** The newest ReplicaSet carries the revision, and what the Deployment says of itself. */
export function annotate(deployment: Deployment, { newest, old }: ReplicaSets): Action[] {
  if (!newest) return [];
  const annotations = missingAnnotations(deployment, newest.set, nextRevision(old));
  const minReadySeconds = deployment.spec?.minReadySeconds ?? 0;
  const isReadyLate = (newest.set.spec?.minReadySeconds ?? 0) !== minReadySeconds;
  if (Object.keys(annotations).length === 0 && !isReadyLate) return [];
  return [patchSet(newest.set, { metadata: { annotations }, ...(isReadyLate && { spec: { minReadySeconds } }) })];
}

/** A Deployment that took over a ReplicaSet has never said that it made one. */
function foundNew(deployment: Deployment, { newest }: ReplicaSets, now: number): readonly DeploymentCondition[] {
  const conditions = deployment.status?.conditions ?? [];
  if (!newest || progressDeadlineMs(deployment) === undefined || find(conditions, 'Progressing')) return conditions;
  return say(conditions, progress.found(newest.set.metadata.name), now);
}

/** One thing at a time: grow the new, else shrink the old, else tidy up. */
function go(facts: Facts, deployment: Deployment, sets: ReplicaSets): Action[] {
  const { newest } = sets;
  const size = newSize(deployment, sets);
  const grown = newest && size !== newest.size ? resize(deployment, new Map([[newest, size]])) : [];
  if (grown.length > 0) return grown;
  const shrunk = isRolling(deployment) ? resize(deployment, oldSizes(deployment, sets)) : [];
  if (shrunk.length > 0) return shrunk;
  const status = rolloutStatus(deployment, sets, deployment.status?.conditions ?? [], facts.now);
  return isComplete(deployment, status) ? tidy(deployment, sets) : [];
}

/** Removes the oldest of the empty ReplicaSets that the history has no room for. */
export function tidy({ spec }: Deployment, { old }: ReplicaSets): Action[] {
  const limit = spec?.revisionHistoryLimit ?? 10;
  const there = old.filter(({ set }) => !set.metadata.deletionTimestamp);
  return there
    .toSorted((a, b) => revisionOf(a.set) - revisionOf(b.set))
    .slice(0, Math.max(0, there.length - limit))
    .filter(({ set, claims }) => claims === 0 && (set.status?.replicas ?? 0) === 0)
    .map(({ set }) => ({ do: 'delete', target: targetOf(set) }));
}
