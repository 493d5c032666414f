/** Controllers of pods with lasting names, per node, for work that ends, and what may be evicted: through real kubectl. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ControllerRevision, DaemonSet, StatefulSet } from '../../src/kube/api/apps-v1.js';
import type { Job } from '../../src/kube/api/batch-v1.js';
import type { Pod } from '../../src/kube/pod.js';
import { type Cluster, eventually, startCluster } from '../helpers/cluster.js';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(async () => cluster[Symbol.asyncDispose]());

const template = (app: string, script: string, spec: object = {}) => ({
  metadata: { labels: { app } },
  spec: {
    terminationGracePeriodSeconds: 1,
    containers: [{ name: 'c', image: 'localhost/busybox:1', command: ['sh', '-c', script], env: [] as object[] }],
    ...spec,
  },
});
const stay = "trap 'exit 0' TERM; while :; do sleep 0.1; done";
const k = (...args: string[]) => cluster.kubectl(...args);
const items = async <T>(...args: string[]): Promise<T[]> => (await cluster.get<{ items: T[] }>(...args)).items;
const podsOf = async (app: string) => items<Pod>('pods', '-l', `app=${app}`);
const eventsOf = (kind: string, name: string) =>
  k(
    'get',
    'events',
    `--field-selector=involvedObject.kind=${kind},involvedObject.name=${name}`,
    '-o',
    'custom-columns=R:.reason,M:.message',
  );

describe('StatefulSet', () => {
  const set = (more: object = {}) => ({
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'web' },
    spec: {
      serviceName: 'web',
      replicas: 2,
      selector: { matchLabels: { app: 'web' } },
      template: template('web', stay),
      ...more,
    },
  });
  test('starts in order, scales up and down, keeps names', async () => {
    await cluster.apply(set());
    await k('rollout', 'status', 'statefulset/web', '--timeout=60s');
    const pods = await podsOf('web');
    expect(pods.map(({ metadata }) => metadata.name)).toEqual(['web-0', 'web-1']);
    expect(pods[1]!.metadata.labels).toMatchObject({
      'statefulset.kubernetes.io/pod-name': 'web-1',
      'apps.kubernetes.io/pod-index': '1',
    });
    const ready = (pod: Pod) => pod.status?.conditions?.find(({ type }) => type === 'Ready')?.lastTransitionTime ?? '';
    expect(pods[1]!.metadata.creationTimestamp! >= ready(pods[0]!)).toBe(true);
    expect(await k('exec', 'web-1', '--', 'hostname')).toBe('web-1\n');
    await k('scale', 'statefulset/web', '--replicas=3');
    await k('wait', '--for=condition=Ready', 'pod/web-2', '--timeout=30s');
    await k('scale', 'statefulset/web', '--replicas=1');
    await eventually('two are gone', async () => (await podsOf('web')).length === 1);
    expect(await eventsOf('StatefulSet', 'web')).toMatch(
      /SuccessfulCreate +create Pod web-2 in StatefulSet web successful/,
    );
  });
  test('a deleted pod comes back under its name, rolls to a new revision, and back', async () => {
    const before = (await cluster.get<Pod>('pod', 'web-0')).metadata.uid;
    await k('delete', 'pod', 'web-0');
    await eventually('another web-0', async () => {
      const [pod] = await podsOf('web');
      return pod?.metadata.name === 'web-0' && pod.metadata.uid !== before;
    });
    await k('rollout', 'status', 'statefulset/web', '--timeout=30s');
    await k('set', 'env', 'statefulset/web', 'A=1');
    await k('rollout', 'status', 'statefulset/web', '--timeout=30s');
    const revisions = await items<ControllerRevision>('controllerrevisions', '-l', 'app=web');
    expect(revisions.map(({ revision }) => revision).sort()).toEqual([1, 2]);
    expect(await k('rollout', 'history', 'statefulset/web')).toMatch(/REVISION/);
    await k('rollout', 'undo', 'statefulset/web');
    await k('rollout', 'status', 'statefulset/web', '--timeout=30s');
    const { status } = await cluster.get<StatefulSet>('statefulset', 'web');
    expect(status).toMatchObject({ replicas: 1, readyReplicas: 1, updatedReplicas: 1 });
    expect(status?.currentRevision).toBe(status?.updateRevision);
    const [pod] = await podsOf('web');
    expect(pod?.spec.containers[0]?.env ?? []).toEqual([]);
    await k('delete', 'statefulset', 'web');
    await eventually('all are gone', async () => (await podsOf('web')).length === 0);
  });
});

test('a DaemonSet has its pod on the node, also while that is cordoned, and rolls', async () => {
  const set = {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'each' },
    spec: { selector: { matchLabels: { app: 'each' } }, template: template('each', stay) },
  };
  await k('cordon', cluster.name);
  await cluster.apply(set);
  await k('rollout', 'status', 'daemonset/each', '--timeout=60s');
  await k('uncordon', cluster.name);
  await k('set', 'env', 'daemonset/each', 'A=1');
  await k('rollout', 'status', 'daemonset/each', '--timeout=60s');
  expect((await cluster.get<DaemonSet>('daemonset', 'each')).status).toMatchObject({
    desiredNumberScheduled: 1,
    numberReady: 1,
    updatedNumberScheduled: 1,
    numberMisscheduled: 0,
  });
  await k('patch', 'daemonset', 'each', '-p', '{"spec":{"template":{"spec":{"nodeSelector":{"no":"such"}}}}}');
  await eventually('no node fits', async () => (await podsOf('each')).length === 0);
  await k('delete', 'daemonset', 'each');
});

describe('Job', () => {
  const job = (name: string, script: string, spec: object = {}) => ({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name },
    spec: { template: template(name, script, { restartPolicy: 'Never' }), ...spec },
  });
  test('indexes each succeed once', async () => {
    const spec = { completions: 3, parallelism: 2, completionMode: 'Indexed' };
    await cluster.apply(job('count', 'echo index $JOB_COMPLETION_INDEX on $(hostname)', spec));
    await k('wait', '--for=condition=complete', 'job/count', '--timeout=60s');
    const { status } = await cluster.get<Job>('job', 'count');
    expect(status).toMatchObject({ succeeded: 3, completedIndexes: '0-2', uncountedTerminatedPods: {} });
    expect(status?.conditions?.map(({ type }) => type)).toEqual(['SuccessCriteriaMet', 'Complete']);
    const pods = await items<Pod>('pods', '-l', 'job-name=count');
    expect(pods.every(({ metadata }) => metadata.finalizers === undefined)).toBe(true);
    const logs = await Promise.all(pods.map(({ metadata }) => k('logs', metadata.name)));
    expect(logs.sort()).toEqual([0, 1, 2].map(i => `index ${i} on count-${i}\n`));
    expect(await eventsOf('Job', 'count')).toMatch(/Completed +Job completed/);
  });
  test('gives up at its limit, and says why', async () => {
    await cluster.apply(job('bad', 'exit 3', { backoffLimit: 0 }));
    await k('wait', '--for=condition=failed', 'job/bad', '--timeout=60s');
    const { status } = await cluster.get<Job>('job', 'bad');
    expect(status).toMatchObject({ failed: 1 });
    expect(status?.conditions?.at(-1)).toMatchObject({
      type: 'Failed',
      reason: 'BackoffLimitExceeded',
      message: 'Job has reached the specified backoff limit',
    });
    await k('delete', 'job', 'bad', 'count');
    await eventually('their pods go, finalizers and all', async () => {
      const pods = await items<Pod>('pods', '-l', 'job-name in (bad,count)');
      return pods.length === 0;
    });
  });
  test('is made from a CronJob by hand, and removed when its time is over', async () => {
    const { spec } = job('x', 'true', { ttlSecondsAfterFinished: 3 });
    await cluster.apply({
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: { name: 'often' },
      spec: { schedule: '0 0 1 1 *', jobTemplate: { spec } },
    });
    await k('create', 'job', 'now', '--from=cronjob/often');
    await k('wait', '--for=condition=complete', 'job/now', '--timeout=60s');
    await k('wait', '--for=delete', 'job/now', '--timeout=30s');
    await k('delete', 'cronjob', 'often');
  });
});

test('a budget holds back evictions and drain until there are enough pods', async () => {
  await cluster.apply(
    {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: { name: 'db' },
      spec: { replicas: 1, selector: { matchLabels: { app: 'db' } }, template: template('db', stay) },
    },
    {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: 'db' },
      spec: { minAvailable: 1, selector: { matchLabels: { app: 'db' } } },
    },
  );
  await k('rollout', 'status', 'statefulset/db', '--timeout=30s');
  const eviction = JSON.stringify({ apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'db-0' } });
  const evict = () =>
    cluster.tryKubectl(['create', '--raw', '/api/v1/namespaces/default/pods/db-0/eviction', '-f', '-'], eviction);
  await k('wait', '--for=jsonpath={.status.currentHealthy}=1', 'pdb/db', '--timeout=10s');
  const refused = await evict();
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toContain("Cannot evict pod as it would violate the pod's disruption budget.");
  const drain = ['drain', cluster.name, '--ignore-daemonsets', '--force', '--delete-emptydir-data'];
  const held = await cluster.tryKubectl([...drain, '--timeout=2s']);
  expect(held.code).not.toBe(0);
  expect(held.stderr).toContain("Cannot evict pod as it would violate the pod's disruption budget.");
  await k('patch', 'pdb', 'db', '--type=merge', '-p', '{"spec":{"minAvailable":0}}');
  await k(...drain, '--timeout=30s');
  expect((await podsOf('db')).filter(({ spec }) => spec.nodeName)).toEqual([]);
  await k('uncordon', cluster.name);
  await k('rollout', 'status', 'statefulset/db', '--timeout=30s');
  await k('delete', 'statefulset/db', 'pdb/db');
});
