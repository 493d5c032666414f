/** What PodDisruptionBudgets say about evicting a pod, and what an eviction takes from them. Kubernetes' words. */
import type { PodDisruptionBudget } from '../../kube/api/policy-v1.js';
import { clone } from '../../kube/json.js';
import { selects } from '../../kube/label-selector.js';
import type { Pod } from '../../kube/pod.js';
import { failure, type StatusError } from '../../kube/status.js';
import { timestamp } from '../../kube/time.js';
import type { Change, Compare, Engine } from '../engine.js';
import { forbidden } from '../errors.js';
import { storeKey } from '../kind.js';
import { podDisruptionBudget } from '../kinds/poddisruptionbudget.js';
import type { ViewEntry } from '../view.js';

export interface BudgetClaim {
  readonly compares: readonly Compare[];
  readonly changes: readonly Change[];
}

const free: BudgetClaim = { compares: [], changes: [] };

/** A budget that has so many pods on their way out is not followed any more. */
const maxDisrupted = 2000;

/** To be stored in the commit that deletes the pod. Throws StatusError: 429 for now, 403, 500 for two budgets. */
export function claimBudget(engine: Engine, pod: Pod): BudgetClaim {
  if (needsNoBudget(pod)) return free;
  const entries = [...engine.view.entries('PodDisruptionBudget', pod.metadata.namespace)].filter(({ object }) =>
    selects((object as unknown as PodDisruptionBudget).spec?.selector, pod.metadata.labels),
  );
  const [entry] = entries;
  if (!entry) return free;
  if (entries.length > 1)
    throw failure(
      500,
      'InternalError',
      'Internal error occurred: This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
    );
  const key = storeKey(podDisruptionBudget, entry.object.metadata.namespace, entry.object.metadata.name);
  const compares = [{ key, modRevision: entry.revision }];
  if (isSpare(entry.object as unknown as PodDisruptionBudget, pod)) return { compares, changes: [] };
  return { compares, changes: [{ key, object: taken(engine, entry, pod) }] };
}

/** It does not run yet, or no more, or is on its way out already. */
function needsNoBudget({ metadata, status }: Pod): boolean {
  const { phase = 'Pending' } = status ?? {};
  return metadata.deletionTimestamp !== undefined || (phase !== 'Running' && phase !== 'Unknown');
}

/** A pod that is not ready is worth nothing to the budget: it may go if the budget is content without it, or always. */
function isSpare({ spec, status }: PodDisruptionBudget, pod: Pod): boolean {
  const ready = pod.status?.conditions?.some(condition => condition.type === 'Ready' && condition.status === 'True');
  if (ready) return false;
  if (spec?.unhealthyPodEvictionPolicy === 'AlwaysAllow') return true;
  const { currentHealthy = 0, desiredHealthy = 0 } = status ?? {};
  return desiredHealthy > 0 && currentHealthy >= desiredHealthy;
}

/** The budget with one disruption less. */
function taken(engine: Engine, entry: ViewEntry, pod: Pod): ViewEntry['object'] {
  const budget = clone(entry.object) as unknown as PodDisruptionBudget;
  const { metadata, status } = budget;
  if (!status || (status.observedGeneration ?? 0) < (metadata.generation ?? 0))
    throw tooMany(`The disruption budget ${metadata.name} is still being processed by the server.`, 10);
  const refused = (why: string): StatusError => forbidden(podDisruptionBudget, metadata.name, why);
  if (status.disruptionsAllowed < 0) throw refused('pdb disruptions allowed is negative');
  if (Object.keys(status.disruptedPods ?? {}).length > maxDisrupted)
    throw refused('DisruptedPods map too big - too many evictions not confirmed by PDB controller');
  if (status.disruptionsAllowed === 0) throw tooMany(whyNot(budget), 0);
  status.disruptionsAllowed--;
  status.disruptedPods = { ...status.disruptedPods, [pod.metadata.name]: timestamp(engine.now()) };
  const condition = status.conditions?.find(({ type }) => type === 'DisruptionAllowed');
  if (status.disruptionsAllowed === 0 && condition)
    Object.assign(condition, {
      status: 'False',
      reason: 'InsufficientPods',
      lastTransitionTime: timestamp(engine.now()),
    });
  return budget as unknown as ViewEntry['object'];
}

function whyNot({ metadata, status }: PodDisruptionBudget): string {
  const failed = status?.conditions?.find(({ reason }) => reason === 'SyncFailed');
  return failed
    ? `The disruption budget ${metadata.name} does not allow evicting pods currently because it failed sync: ${failed.message}`
    : `The disruption budget ${metadata.name} needs ${status?.desiredHealthy} healthy pods and has ${status?.currentHealthy} currently`;
}

/** kubectl drain tries again after 5 s, whatever is said here. */
const tooMany = (message: string, retryAfterSeconds: number): StatusError =>
  failure(429, 'TooManyRequests', "Cannot evict pod as it would violate the pod's disruption budget.", {
    causes: [{ reason: 'DisruptionBudget', message }],
    retryAfterSeconds,
  });

const turns = new WeakMap<Engine, Promise<unknown>>();

/**
 * Runs the eviction after the others, if its namespace has budgets: `kubectl drain` asks for all pods of a node at once, and
 * they would only lose races for the budget against each other.
 */
export async function inEvictionTurn<T>(
  engine: Engine,
  namespace: string | undefined,
  work: () => Promise<T>,
): Promise<T> {
  if (engine.view.list('PodDisruptionBudget', namespace).length === 0) return work();
  const before = turns.get(engine) ?? Promise.resolve();
  const mine = before.then(work);
  turns.set(
    engine,
    mine.catch(() => undefined),
  );
  return mine;
}
