/**
 * What only a kernel with cgroup v2 controllers and ip_vs can show: limits that bind, an OOM that is told as one, a clean
 * bill of health from doctor. One VM and one cluster for all; every pod is made at once, because all is slow here.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { cgroupApply, cgroupFreeze, cgroupKill, cgroupPids, cgroupRemove, cgroupStats } from '../../native/index.js';
import type { ContainerStatus, Pod } from '../../src/kube/pod.js';
import { type Cluster, cgroupMount, eventually, startCluster } from '../helpers/cluster.js';

const slow = { timeout: 120_000 };
const mount = cgroupMount();
const controllers = ['cpu', 'memory', 'pids'];

test('doctor finds nothing missing on this kernel', slow, async () => {
  execFileSync('modprobe', ['ip_vs']);
  assert.ok(existsSync('/proc/net/ip_vs'));
  const text = execFileSync('bin/keelson', ['doctor', '-o', 'json'], { encoding: 'utf8' });
  const { findings } = JSON.parse(text) as { findings: { what: string; level: string }[] };
  assert.deepEqual(
    findings.filter(f => f.level !== 'ok'),
    [],
  );
});

describe('the addon on real controllers', slow, () => {
  const group = join(mount, 'keelson-lab-addon');
  const leaf = join(group, 'leaf');
  after(async () => {
    await cgroupKill(group);
    await cgroupRemove(group);
  });

  test('limits are written, usage is read, frozen is frozen, killed is killed', async () => {
    await cgroupApply({
      root: mount,
      path: leaf,
      controllers,
      files: [
        ['memory.max', '67108864'],
        ['cpu.max', '50000 100000'],
        ['pids.max', '20'],
      ],
    });
    assert.equal(value(leaf, 'memory.max'), '67108864');
    const busy = spawn('sh', ['-c', `echo $$ > ${leaf}/cgroup.procs; exec sh -c 'while :; do :; done'`], {
      stdio: 'ignore',
    });
    const ended = new Promise<string | null>(resolve => busy.once('exit', (_, signal) => resolve(signal)));
    const stats = async () => (await cgroupStats([leaf, join(group, 'none')]))[0]!;
    await eventually('it is throttled', async () => (await stats()).cpuThrottledUsec > 0);
    const { memoryCurrentBytes, memoryWorkingSetBytes, pids, populated } = await stats();
    assert.ok(memoryCurrentBytes > 0 && memoryWorkingSetBytes <= memoryCurrentBytes);
    assert.deepEqual([pids, populated], [1, true]);
    assert.equal((await cgroupStats([join(group, 'none')]))[0], null);

    await cgroupFreeze(leaf, true);
    const { cpuUsageUsec } = await stats();
    await new Promise(resolve => setTimeout(resolve, 300));
    assert.equal((await stats()).cpuUsageUsec, cpuUsageUsec);
    await cgroupFreeze(leaf, false);
    await eventually('it runs again', async () => (await stats()).cpuUsageUsec > cpuUsageUsec);

    await cgroupKill(leaf);
    assert.deepEqual(await cgroupPids(leaf), []);
    assert.equal(await ended, 'SIGKILL');
  });

  test('a frozen group can be killed', async () => {
    const cold = join(group, 'cold');
    mkdirSync(cold);
    const sleeper = spawn('sh', ['-c', `echo $$ > ${cold}/cgroup.procs; exec sleep 1000`], { stdio: 'ignore' });
    const ended = new Promise<string | null>(resolve => sleeper.once('exit', (_, signal) => resolve(signal)));
    await eventually('it is in', async () => (await cgroupPids(cold)).length === 1);
    await cgroupFreeze(cold, true);
    await cgroupKill(cold);
    assert.equal(await ended, 'SIGKILL');
  });
});

describe('pods with limits', () => {
  let cluster: Cluster;
  const pods = new Map<string, Pod>();
  const pod = (name: string, command: string, resources: object, more: object = {}) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      terminationGracePeriodSeconds: 1,
      containers: [{ name: 'app', image: 'localhost/busybox:1', command: ['sh', '-c', command], resources }],
      ...more,
    },
  });
  const sleep = "trap 'exit 0' TERM; while :; do sleep 1; done";
  // 64 MiB of a tmpfs belong to whoever writes them, as anonymous memory does
  const eatMemory = 'dd if=/dev/zero of=/dev/shm/x bs=1M count=64; echo not reached';

  before(
    async () => {
      cluster = await startCluster();
      await cluster.apply(
        pod('guaranteed', 'while :; do :; done', { limits: { cpu: '200m', memory: '32Mi' } }),
        pod('burstable', sleep, { requests: { cpu: '500m', memory: '16Mi' }, limits: { memory: '64Mi' } }),
        pod('besteffort', sleep, {}),
        pod('hog-never', eatMemory, { limits: { memory: '16Mi' } }, { restartPolicy: 'Never' }),
        pod('hog-always', eatMemory, { limits: { memory: '16Mi' } }),
      );
      await eventually(
        'all have come as far as they come',
        async () => {
          for (const found of (await cluster.get<{ items: Pod[] }>('pods')).items) pods.set(found.metadata.name, found);
          return (
            ['guaranteed', 'burstable', 'besteffort'].every(name => status(name).ready) &&
            status('hog-never').state?.terminated &&
            status('hog-always').state?.waiting?.reason === 'CrashLoopBackOff'
          );
        },
        240_000,
      );
    },
    { timeout: 300_000 },
  );
  after(async () => cluster[Symbol.asyncDispose](), slow);

  const status = (name: string) => pods.get(name)?.status?.containerStatuses?.[0] ?? ({} as ContainerStatus);
  const groupOf = (name: string, ...below: string[]) =>
    join(mount, `keelson-${cluster.name}`, name, `pod${pods.get(name)?.metadata.uid}`, ...below);

  test('each pod is in the group of its class, with the files that its limits say', () => {
    for (const [name, qos] of [
      ['guaranteed', 'Guaranteed'],
      ['burstable', 'Burstable'],
      ['besteffort', 'BestEffort'],
    ] as const) {
      assert.equal(pods.get(name)?.status?.qosClass, qos);
      assert.ok(existsSync(groupOf(name, 'app.0')), groupOf(name, 'app.0'));
      assert.ok(existsSync(groupOf(name, 'sandbox.0')));
    }
    const files = (...path: [string, ...string[]]) =>
      Object.fromEntries(
        ['cpu.max', 'cpu.weight', 'memory.max', 'memory.oom.group', 'pids.max'].map(f => [
          f,
          value(groupOf(...path), f),
        ]),
      );
    assert.deepEqual(files('guaranteed', 'app.0'), {
      'cpu.max': '20000 100000',
      'cpu.weight': '8',
      'memory.max': String(32 << 20),
      'memory.oom.group': '1',
      'pids.max': '4096',
    });
    assert.equal(value(groupOf('guaranteed'), 'cpu.max'), '20000 100000');
    assert.equal(value(groupOf('guaranteed'), 'memory.max'), String(36 << 20));
    assert.deepEqual(files('burstable', 'app.0'), {
      'cpu.max': 'max 100000',
      'cpu.weight': '20',
      'memory.max': String(64 << 20),
      'memory.oom.group': '1',
      'pids.max': '4096',
    });
    assert.deepEqual(files('besteffort', 'app.0'), {
      'cpu.max': 'max 100000',
      'cpu.weight': '1',
      'memory.max': 'max',
      'memory.oom.group': '1',
      'pids.max': '4096',
    });
  });

  test('cpu.max throttles', slow, async () => {
    const stat = () =>
      Object.fromEntries(
        value(groupOf('guaranteed', 'app.0'), 'cpu.stat')
          .split('\n')
          .map(l => l.split(' ')),
      );
    const [first, from] = [stat(), performance.now()];
    await eventually(
      'it is throttled some more',
      async () => Number(stat()['nr_throttled']) > Number(first['nr_throttled']) + 5,
    );
    const cores = (Number(stat()['usage_usec']) - Number(first['usage_usec'])) / 1000 / (performance.now() - from);
    // a period may be cut in two by the measurement
    assert.ok(cores < 0.4, `${cores} cores`);
  });

  test('memory.max kills, and it is told as an OOM: under Never', () => {
    assert.equal(pods.get('hog-never')?.status?.phase, 'Failed');
    const { terminated } = status('hog-never').state ?? {};
    assert.deepEqual([terminated?.reason, terminated?.exitCode], ['OOMKilled', 137]);
    assert.equal(status('hog-never').restartCount, 0);
  });

  test('… and under Always, as the last state of a container that is started again', () => {
    const { terminated } = status('hog-always').lastState ?? {};
    assert.deepEqual([terminated?.reason, terminated?.exitCode], ['OOMKilled', 137]);
    assert.ok(status('hog-always').restartCount >= 1);
  });

  test('pids.max stops a fork bomb, and its neighbours live', slow, async () => {
    writeFileSync(join(groupOf('besteffort', 'app.0'), 'pids.max'), '30');
    const { stderr } = await cluster.tryKubectl([
      'exec',
      'besteffort',
      '--',
      'sh',
      '-c',
      'i=0; while [ $i -lt 100 ]; do sleep 1 & i=$((i+1)); done',
    ]);
    assert.match(stderr, /fork: Resource temporarily unavailable/);
    assert.ok(Number(/max (\d+)/.exec(value(groupOf('besteffort', 'app.0'), 'pids.events'))?.[1]) > 0);
    const { items } = await cluster.get<{ items: Pod[] }>('pods');
    const restarts = items
      .filter(p => p.metadata.name !== 'hog-always')
      .map(p => p.status?.containerStatuses?.[0]?.restartCount);
    assert.deepEqual(restarts, [0, 0, 0, 0]);
  });

  test('an agent that is killed finds its pods again here too', slow, async () => {
    const pids = await cgroupPids(groupOf('burstable', 'app.0'));
    await cluster.crash('agent');
    await eventually(
      'it serves again',
      async () => (await cluster.tryKubectl(['exec', 'burstable', '--', 'true'])).code === 0,
    );
    const now = await cgroupPids(groupOf('burstable', 'app.0'));
    assert.equal(now[0], pids[0]);
  });
});

function value(group: string, file: string): string {
  return readFileSync(join(group, file), 'utf8').trim();
}
