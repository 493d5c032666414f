/**
 * Says how many pods of each PodDisruptionBudget may be evicted now. The API takes from that number in the same commit as it
 * evicts (src/api/subresources/eviction.ts), so this only ever counts anew. Key: `namespace/name`.
 */
import type { PodDisruptionBudget, PodDisruptionBudgetStatus } from '../kube/api/policy-v1.js';
import { selects } from '../kube/label-selector.js';
import type { OwnerReference } from '../kube/meta.js';
import type { Pod } from '../kube/pod.js';
import { parseTime, timestamp } from '../kube/time.js';
import { type Controller, type Facts, type FactsView, type Key, nothing, type Outcome, type Seen } from './contract.js';
import { isPodReady } from './pods/condition.js';
import { resolveIntOrPercent } from './pods/int-or-percent.js';
import { controllerRefOf, keyOfObject, objectOf } from './pods/ownership.js';
import { statusPatch } from './status-patch.js';

/** So long an evicted pod may take to be deleted before it counts again. */
export const evictionMs = 120_000;

const scaled = ['ReplicaSet', 'Deployment', 'StatefulSet', 'ReplicationController'];

export const disruptionController: Controller = {
  name: 'disruption',
  wakes: [
    { kind: 'PodDisruptionBudget', keys: object => [keyOfObject(object)] },
    {
      kind: 'Pod',
      keys: (pod, _deleted, view) =>
        view
          .list('PodDisruptionBudget', pod.metadata.namespace)
          .filter(budget => selects((budget as PodDisruptionBudget).spec?.selector, pod.metadata.labels))
          .map(keyOfObject),
    },
    ...scaled.map(kind => ({ kind, keys: keysOfScaled })),
  ],
  writes: ['PodDisruptionBudget status, but for evictions'],
  reconcile,
};

function keysOfScaled({ metadata }: Seen, _deleted: boolean, view: FactsView): Key[] {
  return view.list('PodDisruptionBudget', metadata.namespace).map(keyOfObject);
}

function reconcile({ view, now }: Facts, key: Key): Outcome {
  const budget = objectOf<PodDisruptionBudget>(view, 'PodDisruptionBudget', key);
  if (!budget || budget.metadata.deletionTimestamp) return nothing;
  const pods = (view.list('Pod', budget.metadata.namespace) as unknown as Pod[]).filter(pod =>
    selects(budget.spec?.selector, pod.metadata.labels),
  );
  const disrupted = stillDisrupted(budget, pods, now);
  const expected = expectedOf(view, budget, pods);
  const status =
    typeof expected === 'string'
      ? failedStatus(budget, expected, now)
      : statusOf(budget, pods, { expected, disrupted, now });
  const waits = Object.values(disrupted).map(time => (parseTime(time) ?? now) + evictionMs - now);
  return {
    actions: statusPatch(budget, {
      ...status,
      disruptedPods: Object.keys(disrupted).length > 0 ? disrupted : undefined,
    }),
    ...(waits.length > 0 && { requeueAfterMs: Math.max(0, Math.min(...waits)) }),
  };
}

/** Evicted, and not yet seen being deleted. */
function stillDisrupted({ status }: PodDisruptionBudget, pods: readonly Pod[], now: number): Record<string, string> {
  const waiting = new Set(pods.filter(pod => !pod.metadata.deletionTimestamp).map(pod => pod.metadata.name));
  const entries = Object.entries(status?.disruptedPods ?? {}).filter(
    ([name, time]) => waiting.has(name) && (parseTime(time) ?? 0) + evictionMs > now,
  );
  return Object.fromEntries(entries);
}

interface Expected {
  /** How many pods there should be. */
  readonly pods: number;
  /** How many of them must stay. */
  readonly healthy: number;
}

/** A number of pods that must stay says itself what is wanted; all else is a share of what their controllers want. */
function expectedOf(view: FactsView, { spec }: PodDisruptionBudget, pods: readonly Pod[]): Expected | string {
  const { minAvailable, maxUnavailable } = spec ?? {};
  if (typeof minAvailable === 'number') return { pods: pods.length, healthy: minAvailable };
  const total = scaleOf(view, pods);
  if (typeof total === 'string') return total;
  if (maxUnavailable !== undefined)
    return { pods: total, healthy: Math.max(0, total - resolveIntOrPercent(maxUnavailable, total, 'up')) };
  // neither is said: one may not be available (validation lets it through, as Kubernetes does)
  return { pods: total, healthy: minAvailable === undefined ? total : resolveIntOrPercent(minAvailable, total, 'up') };
}

/** What all the controllers of the pods together want; a text says why nobody knows. */
function scaleOf(view: FactsView, pods: readonly Pod[]): number | string {
  const scales = new Map<string, number>();
  for (const pod of pods) {
    const owner = controllerRefOf(pod);
    if (!owner) return `found no controller ref for pod "${pod.metadata.name}"`;
    const found = scalable(view, owner, pod.metadata.namespace);
    if (!found) return `found no controllers for pod "${pod.metadata.name}"`;
    scales.set(found.uid, found.replicas);
  }
  return [...scales.values()].reduce((sum, replicas) => sum + replicas, 0);
}

/** A ReplicaSet speaks for its Deployment, whose number counts during a rollout. */
function scalable(
  view: FactsView,
  { apiVersion, kind, name, uid }: OwnerReference,
  namespace: string | undefined,
): { uid: string; replicas: number } | undefined {
  const served = view.kindOf(apiVersion, kind);
  const owner = served && view.get(served.name, served.namespaced ? namespace : undefined, name);
  if (owner?.metadata.uid !== uid) return undefined;
  const above = kind === 'ReplicaSet' ? controllerRefOf(owner) : undefined;
  const higher = above?.kind === 'Deployment' ? scalable(view, above, namespace) : undefined;
  const replicas = (owner.spec as { replicas?: unknown } | undefined)?.replicas;
  return higher ?? (typeof replicas === 'number' ? { uid, replicas } : undefined);
}

type Next = { [field in keyof PodDisruptionBudgetStatus]: PodDisruptionBudgetStatus[field] | undefined };

function statusOf(
  budget: PodDisruptionBudget,
  pods: readonly Pod[],
  { expected, disrupted, now }: { expected: Expected; disrupted: Readonly<Record<string, string>>; now: number },
): Next {
  const healthy = pods.filter(
    pod => isPodReady(pod) && !pod.metadata.deletionTimestamp && !Object.hasOwn(disrupted, pod.metadata.name),
  ).length;
  const allowed = expected.pods > 0 ? Math.max(0, healthy - expected.healthy) : 0;
  return {
    ...counts(budget, {
      disruptionsAllowed: allowed,
      currentHealthy: healthy,
      desiredHealthy: expected.healthy,
      expectedPods: expected.pods,
    }),
    conditions: [
      condition(
        budget,
        {
          status: allowed > 0 ? 'True' : 'False',
          reason: allowed > 0 ? 'SufficientPods' : 'InsufficientPods',
          message: '',
        },
        now,
      ),
    ],
  };
}

/** Nobody may be evicted while it is not known how many there should be. */
function failedStatus(budget: PodDisruptionBudget, message: string, now: number): Next {
  const { currentHealthy = 0, desiredHealthy = 0, expectedPods = 0 } = budget.status ?? {};
  return {
    ...counts(budget, { disruptionsAllowed: 0, currentHealthy, desiredHealthy, expectedPods }),
    conditions: [condition(budget, { status: 'False', reason: 'SyncFailed', message }, now)],
  };
}

type Counts = Pick<
  PodDisruptionBudgetStatus,
  'disruptionsAllowed' | 'currentHealthy' | 'desiredHealthy' | 'expectedPods'
>;

const counts = ({ metadata }: PodDisruptionBudget, numbers: Counts) => ({
  observedGeneration: metadata.generation,
  ...numbers,
});

const type = 'DisruptionAllowed';

function condition(
  { metadata, status }: PodDisruptionBudget,
  next: { status: string; reason: string; message: string },
  now: number,
): NonNullable<PodDisruptionBudgetStatus['conditions']>[number] {
  const before = status?.conditions?.find(one => one.type === type);
  const lastTransitionTime = before?.status === next.status ? before.lastTransitionTime : timestamp(now);
  return { type, ...next, lastTransitionTime, observedGeneration: metadata.generation ?? 0 };
}
