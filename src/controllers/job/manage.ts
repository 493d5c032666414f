/** Which pods a running Job makes and removes. Pure. */
import type { Job } from '../../kube/api/batch-v1.js';
import type { Pod } from '../../kube/pod.js';
import { isPodActive, isPodTerminating } from '../pods/condition.js';
import { rankForDeletion } from '../pods/rank.js';
import { backoffLeftMs, indexBackoffLeftMs } from './backoff.js';
import { type Count, lastFailures } from './count.js';
import { judge } from './failure-policy.js';
import { indexOf } from './indexes.js';
import { failuresOf, hasFailed, hasSucceeded, isIndexed } from './pods.js';

export interface Management {
  readonly remove: readonly Pod[];
  /** One entry for each pod to be made; its index in an Indexed Job. */
  readonly create: readonly ({ readonly number: number; readonly failures: number } | undefined)[];
  /** Milliseconds until more may be made. */
  readonly waitMs: number | undefined;
}

/** So many pods are made or removed in one run. */
export const burst = 500;

export function manage(job: Job, pods: readonly Pod[], count: Count, now: number): Management {
  const active = pods.filter(isPodActive);
  if (job.spec?.suspend) return { remove: active.slice(0, burst), create: [], waitMs: undefined };
  const surplus = isIndexed(job) ? withoutPlace(job, active, count) : [];
  const useful = active.filter(pod => !surplus.includes(pod));
  const wanted = wantedActive(job, useful.length, count);
  const excess = useful.length > wanted ? rankForDeletion(useful, useful, now).slice(0, useful.length - wanted) : [];
  const remove = [...surplus, ...excess].slice(0, burst);
  const onlyAfter = job.spec?.podReplacementPolicy === 'Failed';
  const occupied = [...useful, ...(onlyAfter ? pods.filter(isPodTerminating) : [])];
  const missing = Math.min(wanted - occupied.length, burst);
  if (missing <= 0) return { remove, create: [], waitMs: undefined };
  return { remove, ...(isIndexed(job) ? byIndex : byNumber)({ job, pods, occupied, count, now, missing }) };
}

function wantedActive({ spec }: Job, active: number, { succeeded, failedIndexes }: Count): number {
  const { completions, parallelism = 1 } = spec ?? {};
  // work shared by pods that know themselves when it is done: after the first success no more are made
  if (completions === undefined) return succeeded > 0 ? Math.min(active, parallelism) : parallelism;
  return Math.max(0, Math.min(completions - succeeded - (failedIndexes?.size ?? 0), parallelism));
}

/** Pods of an index that is beyond the end, done, failed, or has another pod already. */
function withoutPlace({ spec }: Job, active: readonly Pod[], { completedIndexes, failedIndexes }: Count): Pod[] {
  const taken = new Set<number>();
  return active.filter(pod => {
    const index = indexOf(pod);
    const isUseless =
      index === undefined ||
      index >= (spec?.completions ?? 0) ||
      taken.has(index) ||
      completedIndexes?.has(index) ||
      failedIndexes?.has(index);
    if (index !== undefined) taken.add(index);
    return isUseless;
  });
}

interface Missing {
  readonly job: Job;
  readonly pods: readonly Pod[];
  readonly occupied: readonly Pod[];
  readonly count: Count;
  readonly now: number;
  readonly missing: number;
}

type Creation = Pick<Management, 'create' | 'waitMs'>;

function byNumber({ job, pods, now, missing }: Missing): Creation {
  const waitMs = backoffLeftMs(endedOf(job, pods), now);
  return waitMs > 0 ? { create: [], waitMs } : { create: Array(missing).fill(undefined), waitMs: undefined };
}

const endedOf = (job: Job, pods: readonly Pod[]): Pod[] => pods.filter(pod => hasSucceeded(pod) || hasFailed(job, pod));

/** The lowest free indexes. */
function byIndex(given: Missing): Creation {
  const { job, pods, occupied, count, now, missing } = given;
  const perIndex = job.spec?.backoffLimitPerIndex !== undefined;
  const allWait = perIndex ? 0 : backoffLeftMs(endedOf(job, pods), now);
  if (allWait > 0) return { create: [], waitMs: allWait };
  const taken = new Set(occupied.map(indexOf));
  const last = perIndex ? lastFailures(job, pods) : new Map<number, Pod>();
  const create: { number: number; failures: number }[] = [];
  const waits: number[] = [];
  for (let index = 0; index < (job.spec?.completions ?? 0) && create.length < missing; index++) {
    if (taken.has(index) || count.completedIndexes?.has(index) || count.failedIndexes?.has(index)) continue;
    const pod = last.get(index);
    const failures = pod ? failuresOf(pod) + (judge(job, pod).action === 'Ignore' ? 0 : 1) : 0;
    const waitMs = pod ? indexBackoffLeftMs(pod, failures, now) : 0;
    if (waitMs > 0) waits.push(waitMs);
    else create.push({ number: index, failures });
  }
  return { create, waitMs: waits.length > 0 ? Math.min(...waits) : undefined };
}
