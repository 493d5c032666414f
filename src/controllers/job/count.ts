/**
 * Counts a Job's ended pods, each exactly once, whatever is interrupted where. A pod goes through three states, each stored
 * before the next begins: it carries the tracking finalizer; its UID stands in uncountedTerminatedPods; its finalizer is off
 * and its UID moves into the number. Indexes are a set, so they need no such list. Pure.
 */
import type { Job } from '../../kube/api/batch-v1.js';
import type { Pod } from '../../kube/pod.js';
import { isPodActive } from '../pods/condition.js';
import { judge } from './failure-policy.js';
import { indexOf, parseIndexes } from './indexes.js';
import { failuresOf, hasFailed, hasSucceeded, isIndexed, isTracked } from './pods.js';

export interface Count {
  /** With those that are not yet in the number. */
  readonly succeeded: number;
  readonly failed: number;
  /** What the status is to say. */
  readonly counted: { readonly succeeded: number; readonly failed: number };
  readonly uncounted: { readonly succeeded: readonly string[]; readonly failed: readonly string[] };
  /** Only in an Indexed Job. */
  readonly completedIndexes: ReadonlySet<number> | undefined;
  /** Only with backoffLimitPerIndex. */
  readonly failedIndexes: ReadonlySet<number> | undefined;
  /** Pods whose finalizer may go: the stored status has them. */
  readonly release: readonly Pod[];
  /** Some ended pod is not in the numbers yet. */
  readonly pending: boolean;
  /** What podFailurePolicy says that ends the whole Job. */
  readonly failJob: string | undefined;
}

/** So many UIDs stand in the status at once; the rest follows when these are counted. */
const listLimit = 500;

/** @param ending no more pods are made: whatever failed is counted at once */
export function countPods(job: Job, pods: readonly Pod[], ending: boolean): Count {
  const { status = {} } = job;
  const known = {
    succeeded: new Set(status.uncountedTerminatedPods?.succeeded),
    failed: new Set(status.uncountedTerminatedPods?.failed),
  };
  const listed = (pod: Pod): boolean => known.succeeded.has(uidOf(pod)) || known.failed.has(uidOf(pod));
  const ended = pods.filter(pod => isTracked(pod) && (hasSucceeded(pod) || hasFailed(job, pod)));
  const tracked = new Set(pods.filter(isTracked).map(uidOf));
  // one that was counted when it was sent away may still succeed: that comes too late
  const inTime = ended.filter(pod => !known.failed.has(uidOf(pod)));
  const indexes = countIndexes(job, inTime, pods);
  const judged = ended.filter(pod => !hasSucceeded(pod)).map(pod => ({ pod, verdict: judge(job, pod) }));
  const ignored = judged
    .filter(({ pod, verdict }) => verdict.action === 'Ignore' && !listed(pod))
    .map(({ pod }) => pod);
  const failures = judged.filter(({ pod }) => !ignored.includes(pod) && !listed(pod)).map(({ pod }) => pod);
  const delayed = ending ? new Set<Pod>() : awaitingReplacement(failures, pods, indexes);
  const fresh = {
    succeeded: isIndexed(job) ? [] : ended.filter(pod => hasSucceeded(pod) && !listed(pod)).map(uidOf),
    failed: failures.filter(pod => !delayed.has(pod)).map(uidOf),
  };
  const still = (uid: string): boolean => tracked.has(uid);
  const left = { succeeded: [...known.succeeded].filter(still), failed: [...known.failed].filter(still) };
  const succeeded = indexes.completed
    ? indexes.completed.size
    : (status.succeeded ?? 0) + known.succeeded.size + fresh.succeeded.length;
  const countedSucceeded = (status.succeeded ?? 0) + known.succeeded.size - left.succeeded.length;
  return {
    succeeded,
    failed: (status.failed ?? 0) + known.failed.size + fresh.failed.length,
    counted: {
      succeeded: indexes.completed ? succeeded : countedSucceeded,
      failed: (status.failed ?? 0) + known.failed.size - left.failed.length,
    },
    uncounted: {
      succeeded: [...left.succeeded, ...fresh.succeeded].slice(0, listLimit),
      failed: [...left.failed, ...fresh.failed].slice(0, listLimit),
    },
    completedIndexes: indexes.completed,
    failedIndexes: indexes.failed,
    release: ended.filter(pod => listed(pod) || ignored.includes(pod) || isStoredIndex(job, pod)),
    pending: left.succeeded.length + left.failed.length + fresh.succeeded.length + fresh.failed.length > 0,
    failJob: judged.find(({ verdict }) => verdict.action === 'FailJob')?.verdict.message,
  };
}

const uidOf = ({ metadata }: Pod): string => metadata.uid ?? '';

/** Its index is in the stored status already, or never will be. */
function isStoredIndex(job: Job, pod: Pod): boolean {
  if (!isIndexed(job) || !hasSucceeded(pod)) return false;
  const index = indexOf(pod);
  const completions = job.spec?.completions ?? 0;
  return (
    index === undefined || index >= completions || parseIndexes(job.status?.completedIndexes, completions).has(index)
  );
}

interface Indexes {
  readonly completed: ReadonlySet<number> | undefined;
  readonly failed: ReadonlySet<number> | undefined;
}

function countIndexes(job: Job, ended: readonly Pod[], pods: readonly Pod[]): Indexes {
  if (!isIndexed(job)) return { completed: undefined, failed: undefined };
  const { completions = 0, backoffLimitPerIndex } = job.spec ?? {};
  const completed = parseIndexes(job.status?.completedIndexes, completions);
  for (const pod of ended) {
    const index = indexOf(pod);
    if (hasSucceeded(pod) && index !== undefined && index < completions) completed.add(index);
  }
  if (backoffLimitPerIndex === undefined) return { completed, failed: undefined };
  const failed = parseIndexes(job.status?.failedIndexes, completions);
  for (const [index, pod] of lastFailures(job, pods)) {
    const verdict = judge(job, pod).action;
    const exhausted = verdict !== 'Ignore' && failuresOf(pod) >= backoffLimitPerIndex;
    if (index < completions && !completed.has(index) && (exhausted || verdict === 'FailIndex')) failed.add(index);
  }
  return { completed, failed };
}

/** By index, the failed pod with the most failures before it. */
export function lastFailures(job: Job, pods: readonly Pod[]): Map<number, Pod> {
  const last = new Map<number, Pod>();
  for (const pod of pods) {
    const index = indexOf(pod);
    if (index === undefined || hasSucceeded(pod) || !hasFailed(job, pod)) continue;
    const before = last.get(index);
    if (!before || isLater(pod, before)) last.set(index, pod);
  }
  return last;
}

function isLater(a: Pod, b: Pod): boolean {
  const [countA, countB] = [failuresOf(a), failuresOf(b)];
  return countA === countB
    ? (a.metadata.creationTimestamp ?? '') > (b.metadata.creationTimestamp ?? '')
    : countA > countB;
}

/**
 * With backoffLimitPerIndex the last failed pod of an index carries its count: it is held until the next one does. Empty
 * otherwise.
 */
function awaitingReplacement(failures: readonly Pod[], pods: readonly Pod[], { completed, failed }: Indexes): Set<Pod> {
  if (!failed) return new Set();
  const isReplaced = (pod: Pod): boolean =>
    pods.some(other => other !== pod && indexOf(other) === indexOf(pod) && (isPodActive(other) || isLater(other, pod)));
  return new Set(
    failures.filter(pod => {
      const index = indexOf(pod);
      return index !== undefined && !completed?.has(index) && !failed.has(index) && !isReplaced(pod);
    }),
  );
}
