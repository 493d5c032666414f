/** A node that runs short, and one that goes down: conditions, taints, who goes and in which order; seen with kubectl. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { KubeEvent, Node } from '../../src/kube/node.js';
import type { Pod } from '../../src/kube/pod.js';
import { type Cluster, eventually, sleeper, startCluster } from '../helpers/cluster.js';

const slow = { timeout: 120_000 };
const sleep = "trap 'exit 0' TERM; while :; do sleep 1; done";
const pod = (name: string, command: string, more: object = {}, container: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: {
    terminationGracePeriodSeconds: 2,
    containers: [{ name: 'app', image: 'localhost/busybox:1', command: ['sh', '-c', command], ...container }],
    ...more,
  },
});
const condition = async (cluster: Cluster, type: string) =>
  (await cluster.get<Node>('node', cluster.name)).status?.conditions?.find(c => c.type === type);
const taints = async (cluster: Cluster) =>
  ((await cluster.get<Node>('node', cluster.name)).spec?.taints ?? []).map(({ key, effect }) => `${key}:${effect}`);
const events = async (cluster: Cluster) => (await cluster.get<{ items: KubeEvent[] }>('events', '-A')).items;
const failed = (cluster: Cluster, name: string, namespace = 'default') =>
  eventually(`${name} has failed`, async () => {
    const found = await cluster.get<Pod>('pod', name, '-n', namespace);
    return found.status?.phase === 'Failed' && found;
  });
const running = (cluster: Cluster, name: string, namespace = 'default') =>
  eventually(`${name} runs`, async () => {
    const found = await cluster.get<Pod>('pod', name, '-n', namespace);
    return found.status?.phase === 'Running' && found;
  });
const target = ({ status }: Pod) => status?.conditions?.find(c => c.type === 'DisruptionTarget');

describe('a disk that fills', () => {
  let cluster: Cluster;
  const directory = mkdtempSync('/tmp/kt-disk-');

  beforeAll(async () => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=160M', 'small-disk', directory]);
    cluster = await startCluster({
      parent: directory,
      images: ['busybox', 'http-echo'],
      flags: [
        ...['--eviction-hard', 'nodefs.available<60Mi', '--eviction-minimum-reclaim', 'nodefs.available=10Mi'],
        ...['--eviction-pressure-transition-period', '3s', '--image-gc-high-threshold', '100'],
      ],
    });
  }, 120_000);
  afterAll(async () => {
    await cluster?.[Symbol.asyncDispose]();
    execFileSync('umount', ['-l', directory]);
    rmSync(directory, { recursive: true, force: true });
  }, 60_000);

  test('images that nobody uses go first, then the pod that took most; then all is well', slow, async () => {
    expect(await condition(cluster, 'DiskPressure')).toMatchObject({
      status: 'False',
      reason: 'KubeletHasNoDiskPressure',
    });
    const volumes = [{ name: 'data', emptyDir: {} }];
    const mounts = { volumeMounts: [{ name: 'data', mountPath: '/data' }] };
    await cluster.apply(
      pod('writer', `dd if=/dev/zero of=/data/x bs=1M count=100; ${sleep}`, { volumes }, mounts),
      pod('modest', sleep),
    );
    const evicted = await failed(cluster, 'writer');
    expect(evicted.status).toMatchObject({ reason: 'Evicted' });
    expect(evicted.status?.message).toMatch(
      /^The node was low on resource: ephemeral-storage\. Threshold quantity: 60Mi, available: \d+(Ki|Mi)?\. /,
    );
    expect(target(evicted)).toMatchObject({ status: 'True', reason: 'TerminationByKubelet' });
    const pressure = await condition(cluster, 'DiskPressure');
    expect(pressure).toMatchObject({ status: 'True', reason: 'KubeletHasDiskPressure' });
    await eventually('it is tainted', async () =>
      (await taints(cluster)).includes('node.kubernetes.io/disk-pressure:NoSchedule'),
    );
    expect((await cluster.get<Pod>('pod', 'modest')).status?.phase).toBe('Running');
    const images = (await cluster.keelson('image', 'ls', '--data-dir', cluster.dataDir)).stdout;
    expect(images).toContain('localhost/busybox:1');
    expect(images).not.toContain('http-echo');

    await cluster.apply(pod('late', sleep, { nodeName: cluster.name }));
    const late = await failed(cluster, 'late');
    expect(late.status).toMatchObject({
      reason: 'Evicted',
      message: 'Pod was rejected: The node had condition: [DiskPressure]. ',
    });

    // what its volumes held is free, though its object is still there
    await eventually(
      'the pressure is over',
      async () => (await condition(cluster, 'DiskPressure'))?.status === 'False',
    );
    await eventually('the taint is gone', async () => (await taints(cluster)).length === 0);
    await cluster.apply(pod('after', sleep));
    await running(cluster, 'after');
    const reasons = (await events(cluster)).map(({ reason }) => reason);
    expect(reasons).toEqual(
      expect.arrayContaining(['EvictionThresholdMet', 'Evicted', 'NodeHasDiskPressure', 'NodeHasNoDiskPressure']),
    );
  });
});

test(
  'short of memory: those beyond their request go one by one, by priority; who asked stays longest',
  slow,
  async () => {
    // more than any machine has: what is there is always too little
    await using cluster = await startCluster({
      flags: [
        '--eviction-hard',
        '',
        '--eviction-soft',
        'memory.available<1Pi',
        '--eviction-soft-grace-period',
        'memory.available=8s',
      ],
    });
    expect(await condition(cluster, 'MemoryPressure')).toMatchObject({
      status: 'True',
      reason: 'KubeletHasInsufficientMemory',
      message: 'kubelet has insufficient memory available',
    });
    const here = { nodeName: cluster.name };
    const small = { resources: { requests: { memory: '1Mi' } } };
    const large = { resources: { requests: { memory: '100Mi' } } };
    const priority = (name: string, value: number) => ({
      apiVersion: 'scheduling.k8s.io/v1',
      kind: 'PriorityClass',
      metadata: { name },
      value,
    });
    await cluster.apply(priority('high', 1000));
    const grow = `x=$(head -c 20000000 /dev/zero | tr '\\0' x); ${sleep}`;
    await cluster.apply(
      pod('refused', sleep, here),
      pod('greedy', grow, here, small),
      pod('important', grow, { ...here, priorityClassName: 'high' }, small),
      pod('content', sleep, here, large),
      {
        ...pod('critical', sleep, { ...here, priorityClassName: 'system-node-critical' }),
        metadata: { name: 'critical', namespace: 'kube-system' },
      },
    );
    expect((await failed(cluster, 'refused')).status).toMatchObject({
      reason: 'Evicted',
      message: 'Pod was rejected: The node had condition: [MemoryPressure]. ',
    });
    const gone = [
      await failed(cluster, 'greedy'),
      await failed(cluster, 'important'),
      await failed(cluster, 'content'),
    ];
    const times = gone.map(p => Date.parse(target(p)?.lastTransitionTime ?? ''));
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(gone[0]?.status?.message).toMatch(
      /^The node was low on resource: memory\. Threshold quantity: 1Pi, available: .*\. Container app was using \S+, request is 1Mi, has larger consumption of memory\. $/,
    );
    expect((await cluster.get<Pod>('pod', 'critical', '-n', 'kube-system')).status?.phase).toBe('Running');
    const said = (await events(cluster)).find(({ reason }) => reason === 'EvictionThresholdMet');
    expect(said).toMatchObject({
      type: 'Warning',
      message: 'Attempting to reclaim memory',
      involvedObject: { kind: 'Node', name: cluster.name },
    });
  },
);

test('a node that goes down ends its pods in order, says so, and takes on no more', slow, async () => {
  await using cluster = await startCluster({
    flags: ['--shutdown-grace-period', '20s', '--shutdown-grace-period-critical-pods', '8s'],
  });
  const dns = sleeper('dns', { priorityClassName: 'system-cluster-critical' }) as { metadata: object };
  await cluster.apply(
    pod('web', "trap 'sleep 1; exit 0' TERM; while :; do sleep 0.1; done", { terminationGracePeriodSeconds: 10 }),
    { ...dns, metadata: { name: 'dns', namespace: 'kube-system' } },
  );
  await running(cluster, 'web');
  await running(cluster, 'dns', 'kube-system');
  process.kill(cluster.pidOf('agent'), 'SIGPWR');
  const web = await failed(cluster, 'web');
  expect(web.status).toMatchObject({
    reason: 'Terminated',
    message: 'Pod was terminated in response to imminent node shutdown.',
  });
  expect(target(web)).toMatchObject({ status: 'True', reason: 'TerminationByKubelet' });
  const critical = await failed(cluster, 'dns', 'kube-system');
  const endOf = ({ status }: Pod) => status?.containerStatuses?.[0]?.state?.terminated?.finishedAt ?? '';
  expect(Date.parse(endOf(critical))).toBeGreaterThanOrEqual(Date.parse(endOf(web)));
  expect(await condition(cluster, 'Ready')).toMatchObject({
    status: 'False',
    reason: 'KubeletNotReady',
    message: 'node is shutting down',
  });
  await cluster.apply(pod('late', sleep, { nodeName: cluster.name }));
  expect((await failed(cluster, 'late')).status).toMatchObject({
    reason: 'NodeShutdown',
    message: 'Pod was rejected: Pod was rejected as the node is shutting down.',
  });
});
