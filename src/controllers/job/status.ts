/** The status of a Job: its numbers, its times and its conditions. Pure. */
import type { Job, JobCondition, JobStatus } from '../../kube/api/batch-v1.js';
import type { Pod } from '../../kube/pod.js';
import { timestamp } from '../../kube/time.js';
import { isPodActive, isPodReady, isPodTerminating } from '../pods/condition.js';
import type { Count } from './count.js';
import { indexesText } from './indexes.js';
import { conditionOf, isFinished, type Verdict } from './verdict.js';

type Next = { [field in keyof JobStatus]: JobStatus[field] | undefined };

export interface Said {
  readonly status: Next;
  /** What is new and worth an event. */
  readonly news: readonly { readonly type: 'Normal' | 'Warning'; readonly reason: string; readonly message: string }[];
}

export function statusOf(
  job: Job,
  pods: readonly Pod[],
  { count, verdict, now }: { count: Count; verdict: Verdict | undefined; now: number },
): Said {
  const active = pods.filter(isPodActive);
  const terminating = pods.filter(isPodTerminating).length;
  const { succeeded, failed } = count.uncounted;
  const numbers: Next = {
    ...job.status,
    active: active.length || undefined,
    ready: active.filter(isPodReady).length,
    terminating,
    succeeded: count.counted.succeeded || undefined,
    failed: count.counted.failed || undefined,
    completedIndexes: count.completedIndexes && indexesText(count.completedIndexes),
    failedIndexes: count.failedIndexes && indexesText(count.failedIndexes),
    uncountedTerminatedPods: {
      ...(succeeded.length > 0 && { succeeded: [...succeeded] }),
      ...(failed.length > 0 && { failed: [...failed] }),
    },
  };
  if (isFinished(job)) return { status: numbers, news: [] };
  const idle = active.length + terminating === 0 && !count.pending;
  const resumed = suspendOrResume(job, numbers, now);
  return verdict ? conclude(resumed, verdict, { idle, now }) : resumed;
}

function suspendOrResume(job: Job, status: Next, now: number): Said {
  const suspended = conditionOf(job, 'Suspended') !== undefined;
  const time = timestamp(now);
  if (job.spec?.suspend) {
    if (suspended) return { status, news: [] };
    const condition = { type: 'Suspended', status: 'True', reason: 'JobSuspended', message: 'Job suspended' };
    return {
      status: { ...status, startTime: undefined, conditions: withCondition(status.conditions, condition, now) },
      news: [{ type: 'Normal', reason: 'Suspended', message: 'Job suspended' }],
    };
  }
  if (!suspended) return { status: { ...status, startTime: status.startTime ?? time }, news: [] };
  const condition = { type: 'Suspended', status: 'False', reason: 'JobResumed', message: 'Job resumed' };
  return {
    status: { ...status, startTime: time, conditions: withCondition(status.conditions, condition, now) },
    news: [{ type: 'Normal', reason: 'Resumed', message: 'Job resumed' }],
  };
}

/** First that it is going to end, and when nothing of it is left that it has ended. */
function conclude({ status, news }: Said, verdict: Verdict, { idle, now }: { idle: boolean; now: number }): Said {
  const { type, reason, message } = verdict;
  const target = withCondition(status.conditions, { type, status: 'True', reason, message }, now);
  if (!idle) return { status: { ...status, conditions: target }, news };
  const success = type === 'SuccessCriteriaMet';
  const last = { type: success ? 'Complete' : 'Failed', status: 'True', reason, message };
  return {
    status: {
      ...status,
      conditions: withCondition(target, last, now),
      ...(success && { completionTime: timestamp(now) }),
    },
    news: [
      ...news,
      success
        ? { type: 'Normal', reason: 'Completed', message: 'Job completed' }
        : { type: 'Warning', reason, message },
    ],
  };
}

/** The one of that type is replaced if it says something else. */
function withCondition(
  conditions: readonly JobCondition[] | undefined,
  next: JobCondition,
  now: number,
): JobCondition[] {
  const before = conditions?.find(({ type }) => type === next.type);
  if (before?.status === next.status) return [...(conditions ?? [])];
  const time = timestamp(now);
  const { type, status, ...why } = next;
  const others = (conditions ?? []).filter(condition => condition !== before);
  return [...others, { type, status, lastProbeTime: time, lastTransitionTime: time, ...why }];
}
