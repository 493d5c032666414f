/** The ReplicaSets of one Deployment, with what there is of their pods at this moment. */
import type { Deployment, ReplicaSet } from '../../kube/api/apps-v1.js';
import { requirementsOf } from '../../kube/label-selector.js';
import type { Pod } from '../../kube/pod.js';
import { matchesLabels } from '../../kube/selector.js';
import type { Action, Facts } from '../contract.js';
import { isPodActive, isPodAvailable, isPodTerminating } from '../pods/condition.js';
import { claim, isControlledBy } from '../pods/ownership.js';
import { isSameTemplate } from './hash.js';

/** A ReplicaSet, and its pods as the view has them: its own status may be a moment behind. */
export interface Sized {
  readonly set: ReplicaSet;
  /** Wanted: `spec.replicas`. */
  readonly size: number;
  /** Pods that are there, or will be: never less than `size`. */
  readonly claims: number;
  /** Pods that are available and not about to be removed: never more than `size`. */
  readonly available: number;
  /** Its controller has seen this size: pods of a larger one are no longer on their way. */
  readonly isSettled: boolean;
  /** Pods that have not ended, also those on their way out. */
  readonly running: number;
}

export interface ReplicaSets {
  readonly all: readonly Sized[];
  /** The one of the present template. */
  readonly newest: Sized | undefined;
  /** All others, the oldest first. */
  readonly old: readonly Sized[];
}

/** Adoptions and releases of ReplicaSets are in `actions`: they come first, and alone. */
export function replicaSetsOf(facts: Facts, deployment: Deployment): { sets: ReplicaSets; actions: readonly Action[] } {
  const requirements = requirementsOf(deployment.spec?.selector);
  const { mine, actions } = claim<ReplicaSet>(
    facts.view,
    deployment,
    'ReplicaSet',
    set => requirements !== undefined && matchesLabels(requirements, set.metadata.labels),
  );
  const all = mine.toSorted(byAge).map(set => sized(facts, set));
  const newest = all.find(({ set }) => isSameTemplate(set.spec?.template, deployment.spec?.template));
  return { sets: { all, newest, old: all.filter(one => one !== newest) }, actions };
}

function byAge({ metadata: a }: ReplicaSet, { metadata: b }: ReplicaSet): number {
  const [one, other] = [a.creationTimestamp ?? '', b.creationTimestamp ?? ''];
  if (one !== other) return one < other ? -1 : 1;
  return a.name < b.name ? -1 : 1;
}

function sized({ view, now }: Facts, set: ReplicaSet): Sized {
  const { replicas: size = 1, minReadySeconds = 0 } = set.spec ?? {};
  const { generation = 1 } = set.metadata;
  const dependents = view.dependents(set.metadata.uid ?? '') as unknown as Pod[];
  const pods = dependents.filter(pod => pod.kind === 'Pod' && isControlledBy(pod, set));
  const active = pods.filter(isPodActive);
  const available = active.filter(pod => isPodAvailable(pod, minReadySeconds, now)).length;
  return {
    set,
    size,
    claims: Math.max(size, active.length),
    available: Math.min(size, available),
    isSettled: generation === 1 || (set.status?.observedGeneration ?? 0) >= generation,
    running: active.length + pods.filter(isPodTerminating).length,
  };
}

export const total = (sets: readonly Sized[], what: 'size' | 'claims' | 'available' | 'running'): number =>
  sets.reduce((sum, one) => sum + one[what], 0);
