/**
 * Makes a Job at the times of each CronJob, once per time: the Job's name is made of it. What was started is read from the
 * Jobs themselves, so that nothing is lost when the status could not be written. Key: `namespace/name`.
 */
import type { CronJob, CronJobStatus, Job } from '../../kube/api/batch-v1.js';
import { type ObjectReference, referenceTo } from '../../kube/meta.js';
import { parseTime, timestamp } from '../../kube/time.js';
import {
  type Action,
  type Controller,
  type Facts,
  type Key,
  nothing,
  type Outcome,
  type Seen,
  targetOf,
} from '../contract.js';
import { conditionOf, isFinished } from '../job/verdict.js';
import { controllerRefOf, controllerRefTo, isControlledBy, keyOfObject, objectOf } from '../pods/ownership.js';
import { statusPatch } from '../status-patch.js';
import { dueOf, tooMany } from './schedule.js';

export const scheduledAnnotation = 'batch.kubernetes.io/cronjob-scheduled-timestamp';

export const cronJobController: Controller = {
  name: 'cronjob',
  wakes: [
    { kind: 'CronJob', keys: object => [keyOfObject(object)] },
    { kind: 'Job', keys: keysOfJob },
  ],
  writes: ['Jobs of CronJobs', 'CronJob status'],
  reconcile,
};

function keysOfJob(object: Seen): Key[] {
  const owner = controllerRefOf(object);
  return owner?.kind === 'CronJob' ? [`${object.metadata.namespace ?? ''}/${owner.name}`] : [];
}

function reconcile({ view, now }: Facts, key: Key): Outcome {
  const cron = objectOf<CronJob>(view, 'CronJob', key);
  if (!cron?.spec || cron.metadata.deletionTimestamp) return nothing;
  const jobs = (view.dependents(cron.metadata.uid ?? '') as unknown as Job[]).filter(
    job => job.kind === 'Job' && isControlledBy(job, cron),
  );
  const active = activeOf(cron, jobs);
  const last = lastScheduled(cron, jobs);
  const start = cron.spec.suspend ? idle : startDue({ cron, active, last, now });
  return {
    actions: [
      ...completions(cron, jobs),
      ...start.actions,
      ...statusPatch(cron, statusOf(cron, jobs, { active, last })),
      ...forgetOld(cron, jobs),
    ],
    ...(start.next !== undefined && { requeueAfterMs: Math.max(1, start.next - now) }),
  };
}

/** Started by this CronJob's times, and not at its end. One that somebody made by hand from it does not count. */
function activeOf({ status }: CronJob, jobs: readonly Job[]): Job[] {
  const known = new Set(status?.active?.map(({ uid }) => uid));
  return jobs.filter(job => !isFinished(job) && (known.has(job.metadata.uid) || scheduledOf(job) !== undefined));
}

const scheduledOf = ({ metadata }: Job): number | undefined =>
  parseTime(metadata.annotations?.[scheduledAnnotation] ?? '');

function lastScheduled({ status }: CronJob, jobs: readonly Job[]): number | undefined {
  const times = [parseTime(status?.lastScheduleTime ?? ''), ...jobs.map(scheduledOf)].filter(
    time => time !== undefined,
  );
  return times.length > 0 ? Math.max(...times) : undefined;
}

interface Start {
  readonly actions: readonly Action[];
  /** When the next time comes. */
  readonly next: number | undefined;
}

const idle: Start = { actions: [], next: undefined };

interface Situation {
  readonly cron: CronJob & Seen;
  readonly active: readonly Job[];
  readonly last: number | undefined;
  readonly now: number;
}

function startDue({ cron, active, last, now }: Situation): Start {
  const { schedule, timeZone, startingDeadlineSeconds, concurrencyPolicy } = cron.spec!;
  const deadlineMs = startingDeadlineSeconds === undefined ? undefined : startingDeadlineSeconds * 1000;
  const made = parseTime(cron.metadata.creationTimestamp ?? '') ?? now;
  const after = Math.max(last ?? made, deadlineMs === undefined ? 0 : now - deadlineMs);
  const due = dueOf(schedule, timeZone, after, now);
  if (due.at === undefined) return { actions: missed(cron, last ?? made, now), next: due.next };
  const warnings = due.missed > tooMany ? [tooManyMissed(cron, due.missed)] : [];
  if (concurrencyPolicy === 'Forbid' && active.length > 0)
    return { actions: [...warnings, alreadyActive(cron)], next: due.next };
  const replaced = concurrencyPolicy === 'Replace' ? active.flatMap(job => removeJob(cron, job)) : [];
  return { actions: [...warnings, ...replaced, createJob(cron, due.at)], next: due.next };
}

/** With startingDeadlineSeconds a time can pass without a start. */
function missed(cron: CronJob & Seen, after: number, now: number): Action[] {
  const { schedule, timeZone } = cron.spec!;
  const late = dueOf(schedule, timeZone, after, now).at;
  if (late === undefined) return [];
  return [warn(cron, 'MissSchedule', `Missed scheduled time to start a job: ${timestamp(late)}`)];
}

const tooManyMissed = (cron: CronJob, count: number): Action =>
  warn(
    cron,
    'TooManyMissedTimes',
    `too many missed start times: ${count}. Set or decrease .spec.startingDeadlineSeconds or check clock skew`,
  );

const alreadyActive = (cron: CronJob): Action => ({
  do: 'event',
  about: referenceTo(cron),
  type: 'Normal',
  reason: 'JobAlreadyActive',
  message: 'Not starting job because prior execution is running and concurrency policy is Forbid',
});

const warn = (about: CronJob, reason: string, message: string): Action => ({
  do: 'event',
  about: referenceTo(about),
  type: 'Warning',
  reason,
  message,
});

/** One name per minute: whoever tries twice, makes one. */
export const jobName = (cron: CronJob, at: number): string => `${cron.metadata.name}-${Math.floor(at / 60_000)}`;

function createJob(cron: CronJob & Seen, at: number): Action {
  const { metadata, spec } = cron.spec!.jobTemplate;
  const { namespace } = cron.metadata;
  const name = jobName(cron, at);
  const object = {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name,
      ...(namespace && { namespace }),
      ...(metadata?.labels && { labels: metadata.labels }),
      annotations: { ...metadata?.annotations, [scheduledAnnotation]: timestamp(at) },
      ownerReferences: [controllerRefTo(cron)],
    },
    spec,
  };
  return {
    do: 'create',
    object,
    tell: {
      about: referenceTo(cron),
      done: { reason: 'SuccessfulCreate', message: `Created job ${name}` },
      failed: { reason: 'FailedCreate', message: 'Error creating job' },
    },
  };
}

function removeJob(cron: CronJob, job: Job): Action[] {
  if (job.metadata.deletionTimestamp) return [];
  const done = { reason: 'SuccessfulDelete', message: `Deleted job ${job.metadata.name}` };
  return [{ do: 'delete', target: targetOf(job), propagation: 'Background', tell: { about: referenceTo(cron), done } }];
}

type Next = { [field in keyof CronJobStatus]: CronJobStatus[field] | undefined };

function statusOf(
  { status }: CronJob,
  jobs: readonly Job[],
  { active, last }: { active: readonly Job[]; last: number | undefined },
): Next {
  const ends = jobs
    .filter(job => conditionOf(job, 'Complete'))
    .map(job => parseTime(job.status?.completionTime ?? ''))
    .filter(time => time !== undefined);
  const lastSuccess = Math.max(parseTime(status?.lastSuccessfulTime ?? '') ?? 0, ...ends);
  return {
    active: active.length > 0 ? active.map(job => knownReference(status, job)) : undefined,
    lastScheduleTime: last === undefined ? undefined : timestamp(last),
    lastSuccessfulTime: lastSuccess > 0 ? timestamp(lastSuccess) : undefined,
  };
}

/** As it was first written: its resourceVersion does not follow the Job. */
const knownReference = (status: CronJobStatus | undefined, job: Job): ObjectReference =>
  (status?.active?.find(({ uid }) => uid === job.metadata.uid) as ObjectReference | undefined) ?? referenceTo(job);

/** Jobs of the stored list that have ended since. */
function completions(cron: CronJob, jobs: readonly Job[]): Action[] {
  return (cron.status?.active ?? []).flatMap(({ uid, name }): Action[] => {
    const job = jobs.find(({ metadata }) => metadata.uid === uid);
    const event = (reason: string, message: string): Action => ({
      do: 'event',
      about: referenceTo(cron),
      type: 'Normal',
      reason,
      message,
    });
    if (!job) return [event('MissingJob', `Active job went missing: ${name}`)];
    if (!isFinished(job)) return [];
    const how = conditionOf(job, 'Complete') ? 'Complete' : 'Failed';
    return [event('SawCompletedJob', `Saw completed job: ${name}, condition: ${how}`)];
  });
}

function forgetOld(cron: CronJob, jobs: readonly Job[]): Action[] {
  const { successfulJobsHistoryLimit = 3, failedJobsHistoryLimit = 1 } = cron.spec ?? {};
  const oldestFirst = jobs
    .filter(isFinished)
    .sort((a, b) => ((a.status?.startTime ?? '') < (b.status?.startTime ?? '') ? -1 : 1));
  const failed = oldestFirst.filter(job => conditionOf(job, 'Failed'));
  const successful = oldestFirst.filter(job => !conditionOf(job, 'Failed'));
  const excess = [
    ...successful.slice(0, Math.max(0, successful.length - successfulJobsHistoryLimit)),
    ...failed.slice(0, Math.max(0, failed.length - failedJobsHistoryLimit)),
  ];
  return excess.flatMap(job => removeJob(cron, job));
}
