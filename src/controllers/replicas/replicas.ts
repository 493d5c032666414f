/**
 * Keeps so many pods of one template: what ReplicaSet and ReplicationController do alike. They differ in how they select
 * and in who else their pods are related to.
 */
import type { PodTemplateSpec } from '../../kube/api/core-v1.js';
import type { KubeObject } from '../../kube/meta.js';
import type { Pod } from '../../kube/pod.js';
import type { LabelRequirement } from '../../kube/selector.js';
import { matchesLabels } from '../../kube/selector.js';
import type { Action, Facts, Outcome } from '../contract.js';
import { availableInMs, isPodActive, isPodTerminating } from '../pods/condition.js';
import { claim, isControlledBy } from '../pods/ownership.js';
import { rankForDeletion } from '../pods/rank.js';
import { createPod, deletePod } from '../pods/tell.js';
import { podFromTemplate } from '../pods/template.js';
import { statusPatch } from '../status-patch.js';
import { pauseAfterRefusals } from './refused.js';
import { type ReplicasStatus, statusOf } from './status.js';

/** A ReplicaSet or a ReplicationController. */
export interface Replicated extends KubeObject {
  readonly spec?: { replicas?: number; minReadySeconds?: number; template?: PodTemplateSpec };
  readonly status?: ReplicasStatus;
}

/**
 * So many pods are made or removed in one run; the next run goes on from what came of it. A run costs as much as there are
 * pods, so that it may do more where there are many.
 */
const burst = (active: number): number => Math.max(500, Math.ceil(active / 10));

/**
 * @param requirements of the owner's selector; undefined selects nothing
 * @param siblings pods beside its own that count when pods are ranked by how many share their node
 */
export function keepReplicas(
  facts: Facts,
  owner: Replicated,
  requirements: readonly LabelRequirement[] | undefined,
  siblings: () => readonly Pod[],
): Outcome {
  const { mine, actions } = claim<Pod>(facts.view, owner, 'Pod', pod =>
    isPodActive(pod)
      ? requirements !== undefined && matchesLabels(requirements, pod.metadata.labels)
      : isControlledBy(pod, owner),
  );
  const active = mine.filter(isPodActive);
  const wanted = owner.metadata.deletionTimestamp ? [] : manage(facts, owner, active, siblings);
  const pause = wanted.some(change => change.do === 'create') ? pauseAfterRefusals(mine, facts.now) : 0;
  const changes = pause > 0 ? [] : wanted;
  const failure = changes.some(change => change.do === 'create') ? facts.refused : undefined;
  const terminating = mine.filter(isPodTerminating).length;
  const status = statusOf(owner, { active, terminating, failure, now: facts.now });
  const ready = nextAvailable(active, owner.spec?.minReadySeconds ?? 0, facts.now);
  const wait = pause > 0 ? Math.min(pause, ready ?? pause) : ready;
  return {
    actions: [...actions, ...changes, ...statusPatch(owner, status)],
    ...(wait !== undefined && { requeueAfterMs: wait }),
  };
}

function manage(
  { now, random }: Facts,
  owner: Replicated,
  active: readonly Pod[],
  siblings: () => readonly Pod[],
): Action[] {
  const missing = (owner.spec?.replicas ?? 1) - active.length;
  if (missing > 0)
    return Array.from({ length: Math.min(missing, burst(active.length)) }, () =>
      createPod(podFromTemplate(owner.spec?.template, owner, random), owner),
    );
  if (missing === 0) return [];
  return rankForDeletion(active, [...active, ...siblings()], now, owner.spec?.minReadySeconds)
    .slice(0, Math.min(-missing, burst(active.length)))
    .map(pod => deletePod(pod, owner));
}

/** Milliseconds until the next ready pod becomes available. */
function nextAvailable(pods: readonly Pod[], minReadySeconds: number, now: number): number | undefined {
  if (minReadySeconds <= 0) return undefined;
  const waits = pods.map(pod => availableInMs(pod, minReadySeconds, now) ?? 0).filter(ms => ms > 0);
  return waits.length > 0 ? Math.min(...waits) : undefined;
}
