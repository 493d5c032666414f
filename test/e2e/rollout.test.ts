/** Deployments, ReplicaSets and ReplicationControllers by every command of a rollout, with real pods. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Deployment, ReplicaSet } from '../../src/kube/api/apps-v1.js';
import type { Pod } from '../../src/kube/pod.js';
import { type Cluster, eventually, startCluster } from '../helpers/cluster.js';

let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
});

const template = (app: string, version = '1') => ({
  metadata: { labels: { app } },
  spec: {
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        name: 'app',
        image: 'localhost/busybox:1',
        imagePullPolicy: 'Never',
        env: [{ name: 'VERSION', value: version }],
        command: ['sh', '-c', "trap 'exit 0' TERM; while :; do sleep 1; done"],
      },
    ],
  },
});

const deployment = (name: string, spec: object = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, annotations: { 'kubernetes.io/change-cause': 'first' } },
  spec: { replicas: 3, selector: { matchLabels: { app: name } }, template: template(name), ...spec },
});

const rollout = (command: string, name: string, ...more: string[]) =>
  cluster.kubectl('rollout', command, `deployment/${name}`, ...more);
const done = (name: string) => rollout('status', name, '--timeout=40s');
const podsOf = async (app: string) => (await cluster.get<{ items: Pod[] }>('pods', '-l', `app=${app}`)).items;
const setsOf = async (app: string) => (await cluster.get<{ items: ReplicaSet[] }>('rs', '-l', `app=${app}`)).items;
const versions = (pods: readonly Pod[]) => new Set(pods.map(pod => pod.spec.containers[0]?.env?.[0]?.value));
const setVersion = (name: string, version: string) =>
  cluster.kubectl('set', 'env', `deployment/${name}`, `VERSION=${version}`);
const living = (pods: readonly Pod[]) => pods.filter(({ metadata }) => !metadata.deletionTimestamp);

test('a deployment through its life', async () => {
  await cluster.apply(deployment('web'));
  expect(await done('web')).toContain('deployment "web" successfully rolled out');
  expect(await cluster.kubectl('get', 'deployment', 'web')).toMatch(/web +3\/3 +3 +3/);
  expect(await cluster.kubectl('describe', 'deployment', 'web')).toMatch(
    /Scaled up replica set web-[a-z0-9]+ from 0 to 3/,
  );

  await cluster.kubectl('scale', 'deployment/web', '--replicas=2');
  await done('web');
  expect(living(await podsOf('web'))).toHaveLength(2);

  await setVersion('web', '2');
  await cluster.kubectl('annotate', 'deployment/web', 'kubernetes.io/change-cause=second', '--overwrite');
  await done('web');
  expect(versions(living(await podsOf('web')))).toEqual(new Set(['2']));
  expect(await rollout('history', 'web')).toMatch(/1 +first\n2 +second/);
  expect(await rollout('history', 'web', '--revision=1')).toContain('VERSION:\t1');

  await rollout('undo', 'web');
  await done('web');
  expect(versions(living(await podsOf('web')))).toEqual(new Set(['1']));
  expect(await setsOf('web')).toHaveLength(2);
  expect(await rollout('history', 'web')).toMatch(/\n2 .*\n3 /);

  await rollout('undo', 'web', '--to-revision=2');
  await done('web');
  expect(versions(living(await podsOf('web')))).toEqual(new Set(['2']));

  await rollout('restart', 'web');
  await done('web');
  expect(await setsOf('web')).toHaveLength(3);
});

test('paused: nothing rolls, scaling goes on; resumed: it rolls', async () => {
  await cluster.apply(deployment('still', { replicas: 1 }));
  await done('still');
  await rollout('pause', 'still');
  await setVersion('still', '2');
  await cluster.kubectl('scale', 'deployment/still', '--replicas=2');
  await cluster.kubectl('wait', 'deployment/still', '--for=jsonpath={.status.readyReplicas}=2', '--timeout=30s');
  expect(versions(await podsOf('still'))).toEqual(new Set(['1']));
  await rollout('resume', 'still');
  await done('still');
  expect(versions(living(await podsOf('still')))).toEqual(new Set(['2']));
});

test('a bad image stops the rollout, keeps the old pods, and is told after the deadline', async () => {
  await cluster.apply(deployment('careful', { replicas: 2, progressDeadlineSeconds: 3 }));
  await done('careful');
  await cluster.kubectl('set', 'image', 'deployment/careful', 'app=localhost/none:1');
  const { code, stderr } = await cluster.tryKubectl(['rollout', 'status', 'deployment/careful', '--timeout=30s']);
  expect([code, stderr]).toEqual([1, expect.stringContaining('exceeded its progress deadline')]);
  const { status } = await cluster.get<Deployment>('deployment', 'careful');
  expect(status).toMatchObject({ readyReplicas: 2, availableReplicas: 2, updatedReplicas: 1, unavailableReplicas: 1 });
  await rollout('undo', 'careful');
  expect(await done('careful')).toContain('successfully rolled out');
});

test('a template that can never be admitted: the reason is told, and a quota that is raised is used', async () => {
  await cluster.kubectl('create', 'namespace', 'small');
  await cluster.kubectl('create', 'quota', 'q', '-n', 'small', '--hard=pods=1');
  await cluster.kubectl(
    'create',
    'deployment',
    'big',
    '-n',
    'small',
    '--image=localhost/busybox:1',
    '--replicas=3',
    '--',
    'sleep',
    '999',
  );
  await cluster.kubectl('wait', '-n', 'small', 'deployment/big', '--for=condition=ReplicaFailure', '--timeout=30s');
  const { status } = await cluster.get<Deployment>('deployment', 'big', '-n', 'small');
  expect(status?.conditions?.find(({ type }) => type === 'ReplicaFailure')).toMatchObject({
    reason: 'FailedCreate',
    message: expect.stringContaining('exceeded quota: q'),
  });
  expect(await cluster.kubectl('get', 'events', '-n', 'small')).toContain('FailedCreate');
  await cluster.kubectl('patch', 'quota', 'q', '-n', 'small', '-p', '{"spec":{"hard":{"pods":"9"}}}');
  await cluster.kubectl('rollout', 'status', 'deployment/big', '-n', 'small', '--timeout=40s');
});

describe('pods that go away', () => {
  test('are replaced, let go when their labels change, and taken back', async () => {
    await cluster.apply(deployment('heal', { replicas: 2 }));
    await done('heal');
    const [first, second] = await podsOf('heal');
    await cluster.kubectl('delete', 'pod', first!.metadata.name, '--now');
    await done('heal');
    expect(living(await podsOf('heal'))).toHaveLength(2);
    await cluster.kubectl('label', 'pod', second!.metadata.name, 'app=other', '--overwrite');
    await done('heal');
    await cluster.kubectl('wait', 'deployment/heal', '--for=jsonpath={.status.readyReplicas}=2', '--timeout=30s');
    const released = await cluster.get<Pod>('pod', second!.metadata.name);
    expect(released.metadata.ownerReferences).toBeUndefined();
    await cluster.kubectl('delete', 'pod', second!.metadata.name, '--now');
    await cluster.kubectl('delete', 'deployment', 'heal', '--cascade=foreground', '--timeout=30s');
    expect(await podsOf('heal')).toHaveLength(0);
  });
});

test('a controller that is killed in the middle of a rollout: it goes on, and no pod too many is made', async () => {
  await cluster.apply(deployment('tough', { replicas: 4 }));
  await done('tough');
  await setVersion('tough', '2');
  await cluster.crash('controller');
  await eventually(
    'the API answers again',
    async () => (await cluster.tryKubectl(['get', '--raw', '/readyz'])).code === 0,
  );
  await done('tough');
  expect(versions(living(await podsOf('tough')))).toEqual(new Set(['2']));
  expect(living(await podsOf('tough'))).toHaveLength(4);
  const sets = await setsOf('tough');
  expect(sets.map(({ spec }) => spec?.replicas).sort()).toEqual([0, 4]);
});

test('helm waits for it', async () => {
  const chart = await mkdtemp(join(tmpdir(), 'keelson-chart-'));
  try {
    await writeFile(join(chart, 'Chart.yaml'), 'apiVersion: v2\nname: c\nversion: 1.0.0\n');
    await mkdir(join(chart, 'templates'));
    await writeFile(join(chart, 'templates/d.yaml'), JSON.stringify(deployment('by-helm', { replicas: 2 })));
    await cluster.ok(cluster.helm(['install', 'r', chart, '--wait', '--timeout', '40s']));
    const { status } = await cluster.get<Deployment>('deployment', 'by-helm');
    expect(status).toMatchObject({ readyReplicas: 2, availableReplicas: 2 });
    await cluster.ok(cluster.helm(['uninstall', 'r', '--wait', '--timeout', '40s']));
  } finally {
    await rm(chart, { recursive: true, force: true });
  }
});

test('a ReplicationController keeps its pods', async () => {
  await cluster.apply({
    apiVersion: 'v1',
    kind: 'ReplicationController',
    metadata: { name: 'elder' },
    spec: { replicas: 2, selector: { app: 'elder' }, template: template('elder') },
  });
  await cluster.kubectl('wait', 'rc/elder', '--for=jsonpath={.status.readyReplicas}=2', '--timeout=30s');
  await cluster.kubectl('scale', 'rc/elder', '--replicas=1');
  await cluster.kubectl('wait', 'rc/elder', '--for=jsonpath={.status.replicas}=1', '--timeout=30s');
  expect(living(await podsOf('elder'))).toHaveLength(1);
  await cluster.kubectl('delete', 'rc', 'elder', '--timeout=30s');
});
