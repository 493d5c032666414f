/**
 * What to do next with the pods of a StatefulSet. OrderedReady waits after every deed, Parallel does everything at once;
 * neither makes a pod while another of its name is there, even one that only ends. Pure.
 */
import type { StatefulSet } from '../../kube/api/apps-v1.js';
import type { Pod } from '../../kube/pod.js';
import { isPodAvailable, isPodReady } from '../pods/condition.js';
import { resolveIntOrPercent } from '../pods/int-or-percent.js';
import { ordinalOf, revisionOf } from './identity.js';

export type Deed =
  | { readonly do: 'create'; readonly ordinal: number; readonly revision: 'current' | 'update' }
  | { readonly do: 'delete' | 'recreate'; readonly pod: Pod };

export interface Situation {
  readonly set: StatefulSet;
  /** All pods of the set, ended and ending ones too. */
  readonly pods: readonly Pod[];
  /** Name of the revision that is rolled out. */
  readonly update: string;
  /** Milliseconds since 1970. */
  readonly now: number;
}

const isEnding = (pod: Pod): boolean => pod.metadata.deletionTimestamp !== undefined;
const hasEnded = (pod: Pod): boolean => pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded';
export const isRunningAndReady = (pod: Pod): boolean => pod.status?.phase === 'Running' && isPodReady(pod);

export function isHealthy(set: StatefulSet, pod: Pod, now: number): boolean {
  return isRunningAndReady(pod) && !isEnding(pod) && isPodAvailable(pod, set.spec?.minReadySeconds ?? 0, now);
}

const startOf = (set: StatefulSet): number => set.spec?.ordinals?.start ?? 0;
const replicasOf = (set: StatefulSet): number => set.spec?.replicas ?? 1;

/** The numbers that are to run. */
export function isInRange(set: StatefulSet, ordinal: number): boolean {
  return ordinal >= startOf(set) && ordinal < startOf(set) + replicasOf(set);
}

export function plan(situation: Situation): Deed[] {
  const { set } = situation;
  if (set.metadata.deletionTimestamp) return [];
  const ordered = set.spec?.podManagementPolicy !== 'Parallel';
  const filled = fill(situation, ordered);
  if (filled.wait) return filled.deeds;
  const removed = condemn(situation, ordered);
  const deeds = [...filled.deeds, ...removed.deeds];
  return removed.wait || deeds.length > 0 ? deeds : roll(situation);
}

interface Step {
  readonly deeds: Deed[];
  /** Nothing further until what is under way has come to its end. */
  readonly wait: boolean;
}

/** From the first number up: what is missing is made, what has ended is removed to be made anew. */
function fill({ set, pods, now }: Situation, ordered: boolean): Step {
  const byOrdinal = new Map(pods.map(pod => [ordinalOf(pod), pod]));
  const deeds: Deed[] = [];
  for (let ordinal = startOf(set); isInRange(set, ordinal); ordinal++) {
    const pod = byOrdinal.get(ordinal);
    if (!pod) deeds.push({ do: 'create', ordinal, revision: revisionFor(set, ordinal) });
    else if (hasEnded(pod) && !isEnding(pod)) deeds.push({ do: 'recreate', pod });
    else if (!ordered || isHealthy(set, pod, now)) continue;
    if (ordered) return { deeds, wait: true };
  }
  return { deeds, wait: false };
}

/** Below the partition pods stay as they were, also when they are made anew. */
function revisionFor(set: StatefulSet, ordinal: number): 'current' | 'update' {
  if (set.spec?.updateStrategy?.type !== 'RollingUpdate') return 'update';
  const partition = set.spec.updateStrategy.rollingUpdate?.partition ?? 0;
  return ordinal < startOf(set) + partition ? 'current' : 'update';
}

/** From the highest number down: what is beyond the range goes. */
function condemn({ set, pods, now }: Situation, ordered: boolean): Step {
  const condemned = pods.filter(pod => !isInRange(set, ordinalOf(pod))).sort((a, b) => ordinalOf(b) - ordinalOf(a));
  if (!ordered) return { deeds: condemned.filter(pod => !isEnding(pod)).map(remove), wait: false };
  // one that is not well itself may go although the set is not well, the lowest of these only
  const firstUnwell = condemned.findLast(pod => !isHealthy(set, pod, now));
  const [highest] = condemned;
  if (!highest) return { deeds: [], wait: false };
  const mayGo = !isEnding(highest) && (isHealthy(set, highest, now) || highest === firstUnwell);
  return { deeds: mayGo ? [remove(highest)] : [], wait: true };
}

const remove = (pod: Pod): Deed => ({ do: 'delete', pod });

/**
 * From the highest number down to the partition: pods of another revision go, as many at once as may be unavailable.
 * Whoever is unavailable already counts, so that a revision that does not come up stops the update at its first pod.
 */
function roll({ set, pods, update, now }: Situation): Deed[] {
  if (set.spec?.updateStrategy?.type !== 'RollingUpdate') return [];
  const { partition = 0, maxUnavailable } = set.spec.updateStrategy.rollingUpdate ?? {};
  const deeds: Deed[] = [];
  let budget = Math.max(1, resolveIntOrPercent(maxUnavailable ?? 1, replicasOf(set), 'down'));
  const descending = pods
    .filter(pod => isInRange(set, ordinalOf(pod)) && ordinalOf(pod) >= startOf(set) + partition)
    .sort((a, b) => ordinalOf(b) - ordinalOf(a));
  for (const pod of descending) {
    if (budget === 0) break;
    const old = revisionOf(pod) !== update && !isEnding(pod);
    if (old) deeds.push(remove(pod));
    if (old || !isHealthy(set, pod, now)) budget--;
  }
  return deeds;
}
