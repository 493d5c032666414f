import { describe, expect, test } from 'vitest';
import { readObject } from '../../src/api/codec.js';
import type { AnyObject, Kind } from '../../src/api/kind.js';
import { cronJob } from '../../src/api/kinds/cronjob.js';
import { daemonSet } from '../../src/api/kinds/daemonset.js';
import { deployment } from '../../src/api/kinds/deployment.js';
import { job } from '../../src/api/kinds/job.js';
import { replicaSet } from '../../src/api/kinds/replicaset.js';
import { replicationController } from '../../src/api/kinds/replicationcontroller.js';
import { statefulSet } from '../../src/api/kinds/statefulset.js';
import { at, clone } from '../../src/kube/json.js';
import { cells, made, problems, template, updateProblems } from '../helpers/kinds.js';

const selector = { matchLabels: { app: 'web' } };

describe('what authors leave out', () => {
  test('Deployment', () => {
    const { spec } = made(deployment, { spec: { selector, template } });
    expect(spec).toMatchObject({
      replicas: 1,
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: 600,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
    });
    expect(at(spec, 'template', 'spec')).toEqual({
      restartPolicy: 'Always',
      dnsPolicy: 'ClusterFirst',
      securityContext: {},
      terminationGracePeriodSeconds: 30,
      schedulerName: 'default-scheduler',
      containers: [
        {
          name: 'main',
          image: 'nginx:1.27',
          imagePullPolicy: 'IfNotPresent',
          terminationMessagePath: '/dev/termination-log',
          terminationMessagePolicy: 'File',
          resources: {},
        },
      ],
    });
  });
  test('a Recreate strategy gets no rolling update', () => {
    const { spec } = made(deployment, { spec: { selector, template, strategy: { type: 'Recreate' } } });
    expect(at(spec, 'strategy')).toEqual({ type: 'Recreate' });
  });
  test('StatefulSet, with whole claim templates', () => {
    const { spec } = made(statefulSet, {
      spec: {
        selector,
        template,
        volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'] } }],
      },
    });
    expect(spec).toMatchObject({
      replicas: 1,
      podManagementPolicy: 'OrderedReady',
      revisionHistoryLimit: 10,
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
      persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' },
      volumeClaimTemplates: [
        {
          apiVersion: 'v1',
          kind: 'PersistentVolumeClaim',
          metadata: { name: 'data' },
          spec: { accessModes: ['ReadWriteOnce'], volumeMode: 'Filesystem' },
          status: { phase: 'Pending' },
        },
      ],
    });
  });
  test('DaemonSet', () => {
    expect(made(daemonSet, { spec: { selector, template } }).spec).toMatchObject({
      revisionHistoryLimit: 10,
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
    });
  });
  test('ReplicationController takes selector and labels from its template', () => {
    const object = made(replicationController, { spec: { template } });
    expect(object.spec).toMatchObject({ replicas: 1, selector: { app: 'web' } });
    expect(object.metadata.labels).toEqual({ app: 'web' });
  });
  test('Job counts one, and tells its pods by its UID', () => {
    const object = made(job, { spec: { template: onceTemplate } });
    expect(object.spec).toMatchObject({
      completions: 1,
      parallelism: 1,
      backoffLimit: 6,
      completionMode: 'NonIndexed',
      suspend: false,
      manualSelector: false,
      podReplacementPolicy: 'TerminatingOrFailed',
      selector: { matchLabels: { 'batch.kubernetes.io/controller-uid': 'u-1' } },
    });
    expect(at(object, 'spec', 'template', 'metadata', 'labels')).toEqual({
      app: 'web',
      'batch.kubernetes.io/controller-uid': 'u-1',
      'batch.kubernetes.io/job-name': 'x',
      'controller-uid': 'u-1',
      'job-name': 'x',
    });
    expect(problems(job, object)).toEqual([]);
  });
  test('Job with a selector of its own is left alone', () => {
    const { spec } = made(job, { spec: { manualSelector: true, selector, template: onceTemplate } });
    expect(at(spec, 'selector')).toEqual(selector);
    expect(at(spec, 'template', 'metadata', 'labels')).toEqual({ app: 'web' });
  });
  test('CronJob', () => {
    expect(
      made(cronJob, { spec: { schedule: '* * * * *', jobTemplate: { spec: { template: onceTemplate } } } }).spec,
    ).toMatchObject({
      concurrencyPolicy: 'Allow',
      suspend: false,
      successfulJobsHistoryLimit: 3,
      failedJobsHistoryLimit: 1,
    });
  });
});

const onceTemplate = { ...template, spec: { ...template.spec, restartPolicy: 'Never' } };

/** What Kubernetes says to it. */
const refused: [string, Kind, object, string][] = [
  ['no selector', deployment, { template }, 'spec.selector: Required value'],
  [
    'empty selector',
    deployment,
    { selector: {}, template },
    'spec.selector: Invalid value: {}: empty selector is invalid for deployment',
  ],
  [
    'selector that misses its own pods',
    deployment,
    { selector: { matchLabels: { app: 'db' } }, template },
    'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
  ],
  [
    'negative replicas',
    deployment,
    { selector, template, replicas: -1 },
    'spec.replicas: Invalid value: -1: must be greater than or equal to 0',
  ],
  [
    'nothing may go and nothing come',
    deployment,
    { selector, template, strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } } },
    'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0',
  ],
  [
    'more than all',
    deployment,
    { selector, template, strategy: { rollingUpdate: { maxUnavailable: '150%' } } },
    'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "150%": must not be greater than 100%',
  ],
  [
    'a half',
    deployment,
    { selector, template, strategy: { rollingUpdate: { maxSurge: 'half' } } },
    "spec.strategy.rollingUpdate.maxSurge: Invalid value: \"half\": a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
  ],
  [
    'unknown strategy',
    deployment,
    { selector, template, strategy: { type: 'BlueGreen' } },
    'spec.strategy.type: Unsupported value: "BlueGreen": supported values: "Recreate", "RollingUpdate"',
  ],
  [
    'pods that end',
    replicaSet,
    { selector, template: onceTemplate },
    'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
  ],
  [
    'deadline not later than readiness',
    deployment,
    { selector, template, minReadySeconds: 600 },
    'spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds',
  ],
  [
    'unknown operator',
    replicaSet,
    { selector: { matchExpressions: [{ key: 'app', operator: 'Near' }] }, template },
    'spec.selector.matchExpressions[0].operator: Invalid value: "Near": not a valid selector operator',
  ],
  [
    'both at once',
    daemonSet,
    { selector, template, updateStrategy: { rollingUpdate: { maxUnavailable: 1, maxSurge: 1 } } },
    'spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero',
  ],
  ['no schedule', cronJob, { jobTemplate: { spec: { template: onceTemplate } } }, 'spec.schedule: Required value'],
  [
    'four fields',
    cronJob,
    { schedule: '* * * *', jobTemplate: { spec: { template: onceTemplate } } },
    'spec.schedule: Invalid value: "* * * *": expected exactly 5 fields, found 4: [* * * *]',
  ],
  [
    'minute 61',
    cronJob,
    { schedule: '61 * * * *', jobTemplate: { spec: { template: onceTemplate } } },
    'spec.schedule: Invalid value: "61 * * * *": end of range (61) above maximum (59): 61',
  ],
  [
    'time zone in the schedule',
    cronJob,
    { schedule: 'TZ=UTC 0 0 * * *', jobTemplate: { spec: { template: onceTemplate } } },
    'spec.schedule: Invalid value: "TZ=UTC 0 0 * * *": cannot use TZ or CRON_TZ in schedule, use timeZone field instead',
  ],
  [
    'unknown time zone',
    cronJob,
    { schedule: '0 0 * * *', timeZone: 'Mars/Olympus', jobTemplate: { spec: { template: onceTemplate } } },
    'spec.timeZone: Invalid value: "Mars/Olympus": unknown time zone Mars/Olympus',
  ],
  [
    'a job that restarts always',
    job,
    { template },
    'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
  ],
  [
    'a selector without saying so',
    job,
    { template: onceTemplate, selector },
    'spec.selector: Invalid value: {"matchLabels":{"batch.kubernetes.io/controller-uid":"u-1","app":"web"}}: `selector` not auto-generated',
  ],
  [
    'indexes without a number',
    job,
    { template: onceTemplate, completionMode: 'Indexed', parallelism: 1 },
    'spec.completions: Required value: when completion mode is Indexed',
  ],
];

test.each(refused)('refused: %s', (_name, kind, spec, problem) => {
  expect(problems(kind, made(kind, { spec }))).toContain(problem);
});

type Spec = { template: { spec: object } } & Record<string, unknown>;

describe('what may not change', () => {
  const changed = (object: AnyObject, change: (spec: Spec) => void): AnyObject => {
    const next = clone(object);
    change(next.spec as Spec);
    return next;
  };
  test('selectors', () => {
    for (const kind of [deployment, replicaSet, daemonSet]) {
      const old = made(kind, { spec: { selector, template } });
      const next = changed(old, spec => Object.assign(spec, { selector: { matchLabels: { app: 'db' } } }));
      expect(updateProblems(kind, next, old)).toEqual([
        'spec.selector: Invalid value: {"matchLabels":{"app":"db"}}: field is immutable',
      ]);
      expect(
        updateProblems(
          kind,
          changed(old, spec => Object.assign(spec, { minReadySeconds: 5 })),
          old,
        ),
      ).toEqual([]);
    }
  });
  test('most of a StatefulSet', () => {
    const old = made(statefulSet, { spec: { selector, template } });
    expect(
      updateProblems(
        statefulSet,
        changed(old, spec => Object.assign(spec, { replicas: 5 })),
        old,
      ),
    ).toEqual([]);
    expect(
      updateProblems(
        statefulSet,
        changed(old, spec => Object.assign(spec, { serviceName: 'y' })),
        old,
      )[0],
    ).toMatch(/^spec: Forbidden: updates to statefulset spec for fields other than 'replicas'/);
  });
  test("a Job's template, unless it waits", () => {
    const old = made(job, { spec: { template: onceTemplate } });
    const select = (object: AnyObject) =>
      changed(object, spec => Object.assign(spec.template.spec, { nodeSelector: { disk: 'ssd' } }));
    expect(updateProblems(job, select(old), old)[0]).toMatch(/^spec.template: Invalid value: .*: field is immutable$/);
    const waiting = made(job, { spec: { template: onceTemplate, suspend: true } });
    expect(updateProblems(job, select(waiting), waiting)).toEqual([]);
  });
});

describe('columns', () => {
  test('Deployment', () => {
    const object = made(deployment, { spec: { selector, template, replicas: 3 } });
    object.status = { readyReplicas: 1, updatedReplicas: 2, availableReplicas: 1 };
    expect(cells(deployment, object)).toEqual({
      Name: 'x',
      Ready: '1/3',
      'Up-to-date': 2,
      Available: 1,
      Age: '5m',
      Containers: 'main',
      Images: 'nginx:1.27',
      Selector: 'app=web',
    });
  });
  test('Job', () => {
    const object = made(job, { spec: { template: onceTemplate, completions: 2 } });
    object.status = {
      succeeded: 2,
      startTime: '2026-01-01T00:00:00Z',
      completionTime: '2026-01-01T00:00:42Z',
      conditions: [{ type: 'Complete', status: 'True' }],
    };
    expect(cells(job, object)).toMatchObject({ Status: 'Complete', Completions: '2/2', Duration: '42s' });
  });
  test('CronJob', () => {
    const object = made(cronJob, {
      spec: { schedule: '*/5 * * * *', jobTemplate: { spec: { template: onceTemplate } } },
    });
    expect(cells(cronJob, object)).toMatchObject({
      Schedule: '*/5 * * * *',
      Timezone: '<none>',
      Suspend: 'False',
      Active: 0,
      'Last Schedule': '<none>',
      Selector: '<none>',
    });
  });
});

test('a StatefulSet in JSON decodes strictly, claims and all', () => {
  const object = {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'x' },
    spec: {
      selector,
      template,
      serviceName: 'x',
      volumeClaimTemplates: [
        {
          apiVersion: 'v1',
          kind: 'PersistentVolumeClaim',
          metadata: { name: 'd' },
          spec: { accessModes: ['ReadWriteOnce'] },
        },
      ],
    },
  };
  const read = readObject(statefulSet, Buffer.from(JSON.stringify(object)), 'application/json', 'Strict');
  expect(at(read.object, 'spec', 'volumeClaimTemplates', 0, 'metadata', 'name')).toBe('d');
});
