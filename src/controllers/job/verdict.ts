/** Whether a Job is to end, how and why, in Kubernetes' words. Pure. */
import type { Job, JobCondition } from '../../kube/api/batch-v1.js';
import type { Pod } from '../../kube/pod.js';
import { parseTime } from '../../kube/time.js';
import type { Count } from './count.js';
import { parseIndexes } from './indexes.js';

export interface Verdict {
  readonly type: 'FailureTarget' | 'SuccessCriteriaMet';
  readonly reason: string;
  readonly message: string;
}

export function conditionOf({ status }: Job, type: string): JobCondition | undefined {
  return status?.conditions?.find(condition => condition.type === type && condition.status === 'True');
}

export const isFinished = (job: Job): boolean =>
  conditionOf(job, 'Complete') !== undefined || conditionOf(job, 'Failed') !== undefined;

/** What was decided before stays decided. */
export function storedVerdict(job: Job): Verdict | undefined {
  for (const type of ['FailureTarget', 'SuccessCriteriaMet'] as const) {
    const condition = conditionOf(job, type);
    if (condition) return { type, reason: condition.reason ?? '', message: condition.message ?? '' };
  }
  return undefined;
}

export interface Evidence {
  readonly count: Count;
  readonly active: readonly Pod[];
  /** Milliseconds since 1970. */
  readonly now: number;
}

export function verdictOf(job: Job, evidence: Evidence): Verdict | undefined {
  return failureOf(job, evidence) ?? successOf(job, evidence);
}

const failing = (reason: string, message: string): Verdict => ({ type: 'FailureTarget', reason, message });

function failureOf(job: Job, { count, active, now }: Evidence): Verdict | undefined {
  const { backoffLimit = 6, maxFailedIndexes, completions = 0 } = job.spec ?? {};
  if (count.failJob !== undefined) return failing('PodFailurePolicy', count.failJob);
  if (count.failed > backoffLimit || restartedTooOften(job, active, backoffLimit))
    return failing('BackoffLimitExceeded', 'Job has reached the specified backoff limit');
  if ((deadlineLeftMs(job, now) ?? 1) <= 0)
    return failing('DeadlineExceeded', 'Job was active longer than specified deadline');
  const { failedIndexes, completedIndexes } = count;
  if (!failedIndexes || failedIndexes.size === 0) return undefined;
  if (maxFailedIndexes !== undefined && failedIndexes.size > maxFailedIndexes)
    return failing('MaxFailedIndexesExceeded', 'Job has exceeded the specified maximal number of failed indexes');
  return failedIndexes.size + (completedIndexes?.size ?? 0) >= completions
    ? failing('FailedIndexes', 'Job has failed indexes')
    : undefined;
}

/** With restartPolicy OnFailure the node starts containers again by itself: these count, too. */
function restartedTooOften({ spec }: Job, active: readonly Pod[], limit: number): boolean {
  if (spec?.template.spec?.restartPolicy !== 'OnFailure') return false;
  const restarts = active
    .flatMap(({ status }) => [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])])
    .reduce((sum, { restartCount }) => sum + restartCount, 0);
  return limit === 0 ? restarts > 0 : restarts >= limit;
}

/** Milliseconds until activeDeadlineSeconds are over; undefined if there is no such end. */
export function deadlineLeftMs({ spec, status }: Job, now: number): number | undefined {
  const start = parseTime(status?.startTime ?? '');
  if (spec?.activeDeadlineSeconds === undefined || spec.suspend || start === undefined) return undefined;
  return start + spec.activeDeadlineSeconds * 1000 - now;
}

function successOf(job: Job, { count, active }: Evidence): Verdict | undefined {
  const rule = matchedRule(job, count.completedIndexes);
  if (rule >= 0)
    return { type: 'SuccessCriteriaMet', reason: 'SuccessPolicy', message: `Matched rules at index ${rule}` };
  const { completions, suspend } = job.spec ?? {};
  if (active.length > 0 || suspend) return undefined;
  const reached = completions === undefined ? count.succeeded > 0 : count.succeeded >= completions;
  return reached
    ? {
        type: 'SuccessCriteriaMet',
        reason: 'CompletionsReached',
        message: 'Reached expected number of succeeded pods',
      }
    : undefined;
}

/** The first rule of the successPolicy that holds; -1 for none. */
function matchedRule({ spec }: Job, completed: ReadonlySet<number> | undefined): number {
  if (!spec?.successPolicy || !completed) return -1;
  return (spec.successPolicy.rules ?? []).findIndex(({ succeededIndexes, succeededCount }) => {
    const wanted = succeededIndexes === undefined ? undefined : parseIndexes(succeededIndexes, spec.completions);
    const found = [...completed].filter(index => wanted?.has(index) ?? true).length;
    return found >= (succeededCount ?? wanted?.size ?? spec.completions ?? 0);
  });
}
