/** Job as tables: pods counted once, back-off, indexes, policies, ends. */
import { describe, expect, test } from 'vitest';
import type { Seen } from '../../src/controllers/contract.js';
import { delayMs } from '../../src/controllers/job/backoff.js';
import { jobController } from '../../src/controllers/job/index.js';
import { indexesText, parseIndexes } from '../../src/controllers/job/indexes.js';
import { ttlAfterFinishedController } from '../../src/controllers/ttl-after-finished.js';
import type { Job } from '../../src/kube/api/batch-v1.js';
import type { Pod } from '../../src/kube/pod.js';
import { timestamp } from '../../src/kube/time.js';
import { facts, object, start } from '../helpers/facts.js';
import { deeds, type PodState, pod, statusOf } from '../helpers/workloads.js';

const tracking = 'batch.kubernetes.io/job-tracking';
const indexKey = 'batch.kubernetes.io/job-completion-index';
const failuresKey = 'batch.kubernetes.io/job-index-failure-count';
const began = { startTime: timestamp(start) };
const job = (spec: object = {}, status: object = began, metadata: object = {}) =>
  object('Job', 'j', 'd', {
    apiVersion: 'batch/v1',
    metadata,
    spec: {
      completions: 1,
      parallelism: 1,
      backoffLimit: 6,
      selector: { matchLabels: { j: 'j' } },
      template: { metadata: { labels: { j: 'j' } }, spec: { restartPolicy: 'Never', containers: [{ name: 'c' }] } },
      ...spec,
    },
    status,
  }) as unknown as Job & Seen;
const owned = (name: string, state: PodState = {}) =>
  pod(name, { owner: job(), labels: { j: 'j' }, finalizers: [tracking], ...state });
const indexed = (index: number, state: PodState = {}, name = `p${index}`) =>
  owned(name, { ...state, annotations: { [indexKey]: `${index}`, ...state.annotations } });
const succeeded: PodState = { phase: 'Succeeded' };
const failed: PodState = { phase: 'Failed' };
const run = (given: Job, pods: readonly Pod[] = [], now = start) =>
  jobController.reconcile(facts([given, ...pods] as unknown as Seen[], now), 'd/j');
const lines = (given: Job, pods: readonly Pod[] = [], now = start) => deeds(run(given, pods, now).actions);
const condition = (given: Job, pods: readonly Pod[] = [], now = start) =>
  (
    statusOf(run(given, pods, now).actions)?.conditions as
      | { type: string; reason: string; message: string }[]
      | undefined
  )?.map(({ type, reason, message }) => `${type} ${reason}: ${message}`) ?? [];
const creates = (given: Job, pods: readonly Pod[] = [], now = start) =>
  run(given, pods, now).actions.flatMap(action => (action.do === 'create' ? [action.object as Pod] : []));

test.each<[string, object, PodState[], number]>([
  ['one', {}, [], 1],
  ['as many at once as allowed', { completions: 5, parallelism: 3 }, [], 3],
  ['no more than are missing', { completions: 5, parallelism: 3 }, [succeeded, succeeded, succeeded, succeeded], 1],
  ['around those that run', { completions: 5, parallelism: 3 }, [{}, {}], 1],
  ['nothing while it is full', { completions: 5, parallelism: 2 }, [{}, {}], 0],
  ['paused by parallelism 0', { parallelism: 0 }, [], 0],
  ['a work queue is filled', { completions: undefined, parallelism: 3 }, [{}], 2],
  ['but not after its first success', { completions: undefined, parallelism: 3 }, [{}, succeeded], 0],
  [
    'one that ends is replaced at once',
    { podReplacementPolicy: 'TerminatingOrFailed', backoffLimit: 9 },
    [{ deleted: true, made: start - 99_000 }],
    1,
  ],
  ['or only when it has ended', { podReplacementPolicy: 'Failed' }, [{ deleted: true, made: start - 99_000 }], 0],
  ['suspended: none', { suspend: true }, [], 0],
  ['managed by another', { managedBy: 'example.com/other' }, [], 0],
])('makes pods: %s', (_name, spec, states, count) => {
  expect(
    creates(
      job(spec),
      states.map((state, i) => owned(`p${i}`, state)),
    ),
  ).toHaveLength(count);
});

test('too many are removed without counting as failures', () => {
  const actions = lines(job({ parallelism: 1, completions: 5 }), [owned('a', { ready: true, node: 'n' }), owned('b')]);
  expect(actions).toEqual(['patch Job/j/status', 'patch Pod/b', 'delete Pod/b']);
});

describe('counts each pod once', () => {
  const many = { completions: 5, parallelism: 1 };
  test('first its UID is written down', () => {
    const { actions } = run(job(many), [owned('a', succeeded)]);
    expect(statusOf(actions)).toMatchObject({ uncountedTerminatedPods: { succeeded: ['Pod-a'] } });
    expect(statusOf(actions)).not.toHaveProperty('succeeded');
    expect(deeds(actions)).not.toContain('patch Pod/a');
  });
  const listed = { ...began, ready: 0, terminating: 0, uncountedTerminatedPods: { succeeded: ['Pod-a'] } };
  test('then its finalizer goes', () => {
    const actions = run(job(many, listed), [owned('a', succeeded)]).actions;
    expect(actions).toContainEqual(expect.objectContaining({ patch: { metadata: { finalizers: null } } }));
    expect(statusOf(actions)).toBeUndefined();
  });
  test.each([
    ['without finalizer', [owned('a', { ...succeeded, finalizers: [] })]],
    ['gone', []],
  ])('then it is in the number: %s', (_name, pods) => {
    expect(statusOf(run(job(many, listed), pods).actions)).toMatchObject({
      succeeded: 1,
      uncountedTerminatedPods: { succeeded: null },
    });
  });
  test('and never again', () => {
    const counted = { ...began, succeeded: 1, ready: 0, terminating: 0, uncountedTerminatedPods: {} };
    expect(statusOf(run(job(many, counted), [owned('a', { ...succeeded, finalizers: [] })]).actions)).toBeUndefined();
  });
  test('others keep their finalizers', () => {
    const pods = [owned('a', { ...succeeded, finalizers: ['mine', tracking] })];
    expect(run(job(many, listed), pods).actions).toContainEqual(
      expect.objectContaining({ patch: { metadata: { finalizers: ['mine'] } } }),
    );
  });
  test('a Job that is gone lets go of its pods', () => {
    const pods = [owned('a'), owned('b', { finalizers: [] })] as unknown as Seen[];
    expect(deeds(jobController.reconcile(facts(pods), 'uid:Job-j').actions)).toEqual(['patch Pod/a']);
  });
});

describe('ends', () => {
  const quiet = { ...began, ready: 0, terminating: 0, uncountedTerminatedPods: {} };
  test.each<[string, object, object, PodState[], string[]]>([
    ['not before', {}, began, [{}], []],
    [
      'on success, first the criteria',
      {},
      began,
      [succeeded],
      ['SuccessCriteriaMet CompletionsReached: Reached expected number of succeeded pods'],
    ],
    [
      'then complete',
      {},
      { ...quiet, succeeded: 1 },
      [{ ...succeeded, finalizers: [] }],
      [
        'SuccessCriteriaMet CompletionsReached: Reached expected number of succeeded pods',
        'Complete CompletionsReached: Reached expected number of succeeded pods',
      ],
    ],
    [
      'nothing to do is done',
      { completions: 0 },
      quiet,
      [],
      [
        'SuccessCriteriaMet CompletionsReached: Reached expected number of succeeded pods',
        'Complete CompletionsReached: Reached expected number of succeeded pods',
      ],
    ],
    ['a work queue waits for all', { completions: undefined, parallelism: 2 }, began, [succeeded, {}], []],
    [
      'too many failures',
      { backoffLimit: 1 },
      { ...began, failed: 1 },
      [failed],
      ['FailureTarget BackoffLimitExceeded: Job has reached the specified backoff limit'],
    ],
    ['as many as allowed', { backoffLimit: 1 }, began, [failed], []],
    [
      'waits for what still runs',
      { backoffLimit: 0 },
      { ...quiet, failed: 1 },
      [{}],
      ['FailureTarget BackoffLimitExceeded: Job has reached the specified backoff limit'],
    ],
    [
      'restarts on the node count',
      { backoffLimit: 2, template: { spec: { restartPolicy: 'OnFailure', containers: [] } } },
      quiet,
      [{ restarts: 2 }],
      ['FailureTarget BackoffLimitExceeded: Job has reached the specified backoff limit'],
    ],
  ])('%s', (_name, spec, status, states, expected) => {
    expect(
      condition(
        job(spec, status),
        states.map((state, i) => owned(`p${i}`, state)),
      ),
    ).toEqual(expected);
  });
  test('after its deadline', () => {
    const given = job({ activeDeadlineSeconds: 10 });
    expect(run(given, [owned('a')], start + 9000).requeueAfterMs).toBe(1000);
    expect(condition(given, [owned('a')], start + 10_000)).toEqual([
      'FailureTarget DeadlineExceeded: Job was active longer than specified deadline',
    ]);
    expect(lines(given, [owned('a')], start + 10_000)).toContain('delete Pod/a');
  });
  test('what was decided stays, whatever comes later', () => {
    const status = { ...began, conditions: [{ type: 'FailureTarget', status: 'True', reason: 'R', message: 'm' }] };
    expect(condition(job({}, { ...status }), [owned('a', succeeded)])).toEqual([]);
    expect(condition(job({}, { ...status, ...quiet }))).toEqual(['FailureTarget R: m', 'Failed R: m']);
  });
  test('with the event, and once', () => {
    expect(lines(job({}, { ...quiet, succeeded: 1 }))).toContain('event Normal Completed');
    const done = { ...quiet, succeeded: 1, conditions: [{ type: 'Complete', status: 'True' }] };
    expect(lines(job({}, done))).toEqual([]);
  });
  test('and is removed when its time is over', () => {
    const done = { conditions: [{ type: 'Complete', status: 'True', lastTransitionTime: timestamp(start) }] };
    const given = job({ ttlSecondsAfterFinished: 5 }, done);
    const at = (now: number) => ttlAfterFinishedController.reconcile(facts([given], now), 'd/j');
    expect(at(start + 4000)).toEqual({ actions: [], requeueAfterMs: 1000 });
    expect(at(start + 5000).actions).toMatchObject([{ do: 'delete', propagation: 'Foreground' }]);
  });
});

test('waits longer after each failure', () => {
  expect([1, 2, 3, 6, 7, 30].map(delayMs)).toEqual([10_000, 20_000, 40_000, 320_000, 360_000, 360_000]);
  const pods = [owned('a', failed), owned('b', { ...failed, made: start + 1000 })];
  expect(creates(job(), pods, start + 20_999)).toHaveLength(0);
  expect(run(job(), pods, start + 20_999).requeueAfterMs).toBe(1);
  expect(creates(job(), pods, start + 21_000)).toHaveLength(1);
  const after = [...pods, owned('c', { ...succeeded, made: start + 2000 })];
  expect(creates(job({ completions: 2 }), after, start + 3000)).toHaveLength(1);
});
test('a node whose clock is ahead holds nothing up', () => {
  expect(creates(job(), [owned('a', { ...failed, ended: start + 9_000_000 })], start + 10_000)).toHaveLength(1);
});

describe('suspends', () => {
  test('stops its pods and its clock', () => {
    const { actions } = run(job({ suspend: true }), [owned('a')]);
    expect(deeds(actions)).toEqual(['patch Job/j/status', 'event Normal Suspended', 'patch Pod/a', 'delete Pod/a']);
    expect(statusOf(actions)).toMatchObject({ startTime: null, conditions: [{ type: 'Suspended', status: 'True' }] });
  });
  test('and goes on', () => {
    const held = { conditions: [{ type: 'Suspended', status: 'True' }] };
    const { actions } = run(job({}, held), [], start + 1000);
    expect(deeds(actions)).toEqual([
      'patch Job/j/status',
      'event Normal Resumed',
      expect.stringMatching(/^create Pod\/j-/),
    ]);
    expect(statusOf(actions)).toMatchObject({
      startTime: timestamp(start + 1000),
      conditions: [{ type: 'Suspended', status: 'False', reason: 'JobResumed' }],
    });
  });
});

describe('indexes', () => {
  const spec = { completionMode: 'Indexed', completions: 3, parallelism: 2 };
  test.each([
    ['', []],
    ['0', [0]],
    ['0,1', [0, 1]],
    ['0-2', [0, 1, 2]],
    ['1,3-5,7', [1, 3, 4, 5, 7]],
  ])('text %j', (text, numbers) => {
    expect(indexesText(numbers)).toBe(text);
    expect([...parseIndexes(text)]).toEqual(numbers);
  });
  test('pods know theirs', () => {
    const [first, second] = creates(job(spec));
    expect(first).toMatchObject({
      metadata: {
        generateName: 'j-0-',
        labels: { [indexKey]: '0' },
        annotations: { [indexKey]: '0' },
        finalizers: [tracking],
      },
      spec: { hostname: 'j-0', containers: [{ env: [{ name: 'JOB_COMPLETION_INDEX' }] }] },
    });
    expect(second?.metadata.labels?.[indexKey]).toBe('1');
  });
  const made = (given: Job, pods: Pod[], now = start) =>
    creates(given, pods, now).map(({ metadata }) => metadata.labels?.[indexKey]);
  test('the lowest free ones', () => {
    expect(made(job(spec), [indexed(0, succeeded), indexed(1)])).toEqual(['2']);
    expect(made(job(spec, { ...began, completedIndexes: '0,2' }), [])).toEqual(['1']);
  });
  test('counted as a set', () => {
    const pods = [indexed(0, succeeded), indexed(0, succeeded, 'again'), indexed(7, succeeded)];
    const { actions } = run(job(spec, { ...began, completedIndexes: '2' }), pods);
    expect(statusOf(actions)).toMatchObject({ completedIndexes: '0,2', succeeded: 2 });
    // beyond the end: nothing to write down, its finalizer may go
    expect(deeds(actions)).toContain('patch Pod/p7');
    expect(deeds(actions)).not.toContain('patch Pod/p0');
  });
  test('a second pod of an index goes', () => {
    expect(lines(job(spec), [indexed(0), indexed(0, {}, 'again')])).toContain('delete Pod/again');
  });
  describe('with a limit each', () => {
    const each = { ...spec, parallelism: 3, backoffLimit: 2 ** 31 - 1, backoffLimitPerIndex: 1 };
    test('the next one knows how often it failed, after its own wait', () => {
      expect(made(job(each), [indexed(1, failed)])).toEqual(['0', '2']);
      const later = creates(job(each), [indexed(1, failed)], start + 10_000);
      expect(later.map(({ metadata }) => metadata.annotations?.[failuresKey])).toEqual(['0', '1', '0']);
    });
    test('the last failed pod is held until the next carries its count', () => {
      expect(statusOf(run(job(each), [indexed(1, failed)]).actions)?.uncountedTerminatedPods).toEqual({});
      const next = indexed(1, { annotations: { [failuresKey]: '1' } }, 'next');
      expect(statusOf(run(job(each), [indexed(1, failed), next]).actions)).toMatchObject({
        uncountedTerminatedPods: { failed: ['Pod-p1'] },
      });
    });
    test('an index that fails too often is failed, and the Job at its end', () => {
      const again = indexed(1, { ...failed, annotations: { [failuresKey]: '1' } });
      const status = { ...began, completedIndexes: '0,2' };
      expect(statusOf(run(job(each, began), [again]).actions)).toMatchObject({ failedIndexes: '1' });
      expect(condition(job(each, began), [again])).toEqual([]);
      expect(condition(job(each, status), [again])).toEqual(['FailureTarget FailedIndexes: Job has failed indexes']);
      expect(condition(job({ ...each, maxFailedIndexes: 0 }, began), [again])).toEqual([
        'FailureTarget MaxFailedIndexesExceeded: Job has exceeded the specified maximal number of failed indexes',
      ]);
    });
  });
  test.each([
    ['some indexes', { succeededIndexes: '0,2' }, '0,2', 0],
    ['not all of them', { succeededIndexes: '0,2' }, '0', -1],
    ['so many of them', { succeededIndexes: '0-2', succeededCount: 1 }, '1', 0],
    ['so many of all', { succeededCount: 2 }, '0,1', 0],
  ])('success by policy: %s', (_name, rule, completedIndexes, matched) => {
    const given = job({ ...spec, successPolicy: { rules: [rule] } }, { ...began, completedIndexes });
    const expected = matched < 0 ? [] : [`SuccessCriteriaMet SuccessPolicy: Matched rules at index ${matched}`];
    expect(condition(given, [indexed(1)])).toEqual(expected);
  });
});

describe('failure policy', () => {
  const rules = [
    { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
    { action: 'FailJob', onExitCodes: { operator: 'In', values: [42] } },
    { action: 'Count', onExitCodes: { containerName: 'other', operator: 'NotIn', values: [1] } },
  ];
  const given = (status: object = began) =>
    job({ podFailurePolicy: { rules }, podReplacementPolicy: 'Failed' }, status);
  test('an exit code ends the Job', () => {
    expect(condition(given(), [owned('a', { ...failed, exitCode: 42 })])).toEqual([
      'FailureTarget PodFailurePolicy: Container c for pod d/a failed with exit code 42 matching FailJob rule at index 1',
    ]);
  });
  test('a disruption is not counted, and its pod let go', () => {
    const gone = owned('a', { ...failed, exitCode: 42, conditions: [{ type: 'DisruptionTarget', status: 'True' }] });
    const { actions } = run(given(), [gone]);
    expect(statusOf(actions)?.uncountedTerminatedPods).toEqual({});
    expect(deeds(actions)).toContain('patch Pod/a');
  });
  test('others count', () => {
    expect(statusOf(run(given(), [owned('a', failed)]).actions)).toMatchObject({
      uncountedTerminatedPods: { failed: ['Pod-a'] },
    });
  });
});
