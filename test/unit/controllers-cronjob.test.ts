/** CronJob as tables: which time is due, and what is made of it. */
import { describe, expect, test } from 'vitest';
import type { Action, Seen } from '../../src/controllers/contract.js';
import { cronJobController, scheduledAnnotation } from '../../src/controllers/cronjob/index.js';
import { dueOf } from '../../src/controllers/cronjob/schedule.js';
import type { CronJob, Job } from '../../src/kube/api/batch-v1.js';
import { timestamp } from '../../src/kube/time.js';
import { facts, object } from '../helpers/facts.js';
import { deeds, ownerOf, statusOf } from '../helpers/workloads.js';

const at = (text: string) => Date.parse(`2026-03-01T${text}Z`);
const noon = at('12:00:00');

describe('due', () => {
  test.each<[string, string, string, string, string | undefined, number, string]>([
    ['nothing yet', '*/10 * * * *', '12:00:00', '12:09:59', undefined, 0, '12:10:00'],
    ['now', '*/10 * * * *', '12:00:00', '12:10:00', '12:10:00', 1, '12:20:00'],
    ['the last of several', '*/10 * * * *', '12:00:00', '12:35:00', '12:30:00', 3, '12:40:00'],
    ['every so often', '@every 90s', '12:00:00', '12:03:10', '12:03:00', 2, '12:04:30'],
  ])('%s', (_name, schedule, after, now, due, missed, next) => {
    expect(dueOf(schedule, undefined, at(after), at(now))).toEqual({ at: due && at(due), missed, next: at(next) });
  });
  test('years of minutes are not walked through', () => {
    const began = performance.now();
    expect(dueOf('* * * * *', undefined, noon - 5 * 365 * 86_400_000, noon)).toEqual({
      at: noon,
      missed: 101,
      next: noon + 60_000,
    });
    expect(dueOf('@every 1m', undefined, noon - 365 * 86_400_000, noon)).toMatchObject({ at: noon });
    expect(performance.now() - began).toBeLessThan(500);
  });
  test('in a zone', () => {
    expect(dueOf('0 13 * * *', 'Europe/Berlin', at('11:00:00'), noon).at).toBe(noon);
  });
});

const cron = (spec: object = {}, status: object = {}) =>
  object('CronJob', 'c', 'd', {
    apiVersion: 'batch/v1',
    metadata: { creationTimestamp: timestamp(noon - 30_000) },
    spec: {
      schedule: '*/10 * * * *',
      concurrencyPolicy: 'Allow',
      jobTemplate: { metadata: { labels: { a: 'b' } }, spec: { template: {} } },
      ...spec,
    },
    status,
  }) as unknown as CronJob & Seen;
const job = (name: string, time: number | undefined, end?: 'Complete' | 'Failed', startTime = time ?? noon) =>
  object('Job', name, 'd', {
    apiVersion: 'batch/v1',
    metadata: {
      ownerReferences: [ownerOf(cron())],
      ...(time !== undefined && { annotations: { [scheduledAnnotation]: timestamp(time) } }),
    },
    status: {
      startTime: timestamp(startTime),
      ...(end && { conditions: [{ type: end, status: 'True' }] }),
      ...(end === 'Complete' && { completionTime: timestamp(startTime + 1000) }),
    },
  }) as unknown as Job & Seen;
const run = (given: CronJob & Seen, jobs: readonly Seen[] = [], now = noon) =>
  cronJobController.reconcile(facts([given, ...jobs], now), 'd/c');
const made = (actions: readonly Action[]) => actions.flatMap(action => (action.do === 'create' ? [action.object] : []));

test('a Job per time, its name made of it, and woken for the next', () => {
  const { actions, requeueAfterMs } = run(cron());
  expect(made(actions)).toMatchObject([
    {
      metadata: {
        name: `c-${noon / 60_000}`,
        labels: { a: 'b' },
        annotations: { [scheduledAnnotation]: timestamp(noon) },
        ownerReferences: [{ kind: 'CronJob', controller: true }],
      },
    },
  ]);
  expect(requeueAfterMs).toBe(600_000);
});

test('what has been started is read from the Jobs, and written down', () => {
  const { actions } = run(cron(), [job('c-1', noon)]);
  expect(made(actions)).toEqual([]);
  expect(statusOf(actions)).toMatchObject({
    lastScheduleTime: timestamp(noon),
    active: [{ name: 'c-1', kind: 'Job' }],
  });
});

const before = { lastScheduleTime: timestamp(noon - 600_000) };
const running = job('c-0', noon - 600_000);
test.each<[string, object, object, Seen[], string[]]>([
  ['suspended', { suspend: true }, {}, [], []],
  ['allowed beside a running one', {}, before, [running], ['create']],
  [
    'forbidden beside a running one',
    { concurrencyPolicy: 'Forbid' },
    before,
    [running],
    ['event Normal JobAlreadyActive'],
  ],
  [
    'forbidden, but that one has ended',
    { concurrencyPolicy: 'Forbid' },
    before,
    [job('c-0', noon - 600_000, 'Complete')],
    ['create'],
  ],
  [
    'forbidden, but that one was made by hand',
    { concurrencyPolicy: 'Forbid' },
    before,
    [job('hand', undefined)],
    ['create'],
  ],
  ['in the place of a running one', { concurrencyPolicy: 'Replace' }, before, [running], ['delete Job/c-0', 'create']],
  ['not again', {}, { lastScheduleTime: timestamp(noon) }, [], []],
])('%s', (_name, spec, status, jobs, expected) => {
  const lines = deeds(run(cron(spec, status), jobs).actions).filter(line => !line.startsWith('patch'));
  expect(lines.map(line => (line.startsWith('create') ? 'create' : line))).toEqual(expected);
});

describe('late', () => {
  const late = noon + 60_000;
  test('started late without a deadline, and within it', () => {
    expect(made(run(cron(), [], late).actions)).toHaveLength(1);
    expect(made(run(cron({ startingDeadlineSeconds: 61 }), [], late).actions)).toHaveLength(1);
  });
  test('passed over after it, and said', () => {
    const { actions, requeueAfterMs } = run(cron({ startingDeadlineSeconds: 59 }), [], late);
    expect(deeds(actions)).toEqual(['event Warning MissSchedule']);
    expect(requeueAfterMs).toBe(540_000);
  });
  test('more than a hundred missed: only the last, and a warning', () => {
    const { actions } = run(cron({ schedule: '* * * * *' }, { lastScheduleTime: timestamp(noon - 86_400_000) }));
    expect(deeds(actions)).toContain('event Warning TooManyMissedTimes');
    expect(made(actions)[0]?.metadata.name).toBe(`c-${noon / 60_000}`);
  });
});

test('histories are kept as long as is said', () => {
  const ended = (name: string, end: 'Complete' | 'Failed', minute: number) =>
    job(name, noon, end, noon + minute * 60_000);
  const jobs = [
    ended('s2', 'Complete', 2),
    ended('s1', 'Complete', 1),
    ended('f1', 'Failed', 3),
    ended('f2', 'Failed', 4),
  ];
  const lines = deeds(run(cron({ successfulJobsHistoryLimit: 1, failedJobsHistoryLimit: 0 }), jobs).actions);
  expect(lines.filter(line => line.startsWith('delete'))).toEqual(['delete Job/s1', 'delete Job/f1', 'delete Job/f2']);
  expect(statusOf(run(cron(), jobs).actions)).toMatchObject({ lastSuccessfulTime: timestamp(noon + 121_000) });
});

test('the end of one is said', () => {
  const known = {
    ...before,
    active: [
      { name: 'c-0', uid: 'Job-c-0' },
      { name: 'lost', uid: 'gone' },
    ],
  };
  const lines = deeds(run(cron({ suspend: true }, known), [job('c-0', noon - 600_000, 'Complete')]).actions);
  expect(lines).toEqual(['event Normal SawCompletedJob', 'event Normal MissingJob', 'patch CronJob/c/status']);
});
