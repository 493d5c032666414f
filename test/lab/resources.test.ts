/**
 * What a node gives its pods, in the kernel's own files: resize in place, OOM kills told of the right container, huge
 * pages, memory that is kept, pid limits, CPUs of one's own (of which a VM with one processor has none to give).
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { ContainerStatus, Pod } from '../../src/kube/pod.js';
import { type Cluster, cgroupMount, eventually, startCluster } from '../helpers/cluster.js';

/** A VM without KVM on a busy machine: several times slower than it need be. */
const slow = { timeout: 400_000 };
const whole = { timeout: 1_300_000 };
const mount = cgroupMount();
const mebi = 1 << 20;
const sleep = "trap 'exit 0' TERM; while :; do sleep 1; done";
const eat = (mebibytes: number) => `dd if=/dev/zero of=/dev/shm/x bs=1M count=${mebibytes}`;

const container = (name: string, command: string, limits: object, more: object = {}) => ({
  name,
  image: 'localhost/busybox:1',
  command: ['sh', '-c', command],
  resources: { limits, requests: limits },
  ...more,
});
const pod = (name: string, containers: object[], more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: { terminationGracePeriodSeconds: 1, containers, ...more },
});
const small = { cpu: '100m', memory: '48Mi' };

describe('resources of pods', whole, () => {
  let cluster: Cluster;

  before(async () => {
    writeFileSync('/proc/sys/vm/nr_hugepages', '8');
    cluster = await startCluster({
      flags: ['--pod-pids-limit', '100', '--memory-qos', 'on', '--system-reserved', 'memory=200Mi'],
    });
    const burst = {
      resources: { requests: { cpu: '50m', memory: '16Mi' }, limits: { cpu: '200m', memory: '48Mi' } },
    };
    await cluster.apply(
      pod('resize', [
        container('a', sleep, {}, burst),
        container(
          'b',
          sleep,
          {},
          { ...burst, resizePolicy: [{ resourceName: 'memory', restartPolicy: 'RestartContainer' }] },
        ),
      ]),
      pod('two', [container('good', sleep, small), container('bad', eat(80), { ...small, memory: '24Mi' })], {
        restartPolicy: 'Never',
      }),
      pod('child', [container('app', `sh -c '${eat(80)}'; echo survived; ${sleep}`, { ...small, memory: '24Mi' })], {
        restartPolicy: 'Never',
      }),
      pod('init', [container('app', sleep, small)], {
        restartPolicy: 'Never',
        initContainers: [container('hungry', eat(80), { ...small, memory: '24Mi' })],
      }),
      pod('whole', [container('hungry', eat(80), {}), container('idle', sleep, {})], {
        restartPolicy: 'Never',
        resources: { limits: { memory: '40Mi', cpu: '200m' } },
      }),
      pod('exec', [container('app', sleep, small)]),
      pod('huge', [
        container('app', sleep, { cpu: '50m', memory: '32Mi', 'hugepages-2Mi': '4Mi' }),
        container('none', sleep, { cpu: '50m', memory: '32Mi' }),
      ]),
    );
  }, slow);
  after(async () => cluster[Symbol.asyncDispose](), slow);

  const get = (name: string) => cluster.get<Pod>('pod', name);
  const statusOf = (found: Pod, name: string) =>
    [...(found.status?.containerStatuses ?? []), ...(found.status?.initContainerStatuses ?? [])].find(
      s => s.name === name,
    ) ?? ({} as ContainerStatus);
  const running = async (name: string): Promise<Pod> => {
    let found = await get(name);
    await eventually(
      `${name} runs`,
      async () => {
        found = await get(name);
        return found.status?.containerStatuses?.every(s => s.ready) ?? false;
      },
      300_000,
    );
    return found;
  };
  const group = (found: Pod, ...below: string[]) =>
    join(
      mount,
      `keelson-${cluster.name}`,
      (found.status?.qosClass ?? '').toLowerCase(),
      `pod${found.metadata.uid}`,
      ...below,
    );
  const file = (found: Pod, ...path: string[]) => readFileSync(group(found, ...path), 'utf8').trim();
  const patch = (name: string, containers: object[]) =>
    cluster.kubectl('patch', 'pod', name, '--subresource=resize', '-p', JSON.stringify({ spec: { containers } }));

  test('a resize in place is in the files of the container and of the pod, without a restart', slow, async () => {
    const first = await running('resize');
    assert.equal(file(first, 'a.0', 'memory.max'), String(48 * mebi));
    const [pid] = file(first, 'a.0', 'cgroup.procs').split('\n');
    const resources = { requests: { cpu: '100m', memory: '32Mi' }, limits: { cpu: '300m', memory: '64Mi' } };
    await patch('resize', [{ name: 'a', resources }]);
    await eventually('it is told', async () => {
      const { resources: now, allocatedResources } = statusOf(await get('resize'), 'a');
      return now?.limits?.['memory'] === '64Mi' && allocatedResources?.['cpu'] === '100m';
    });
    assert.equal(file(first, 'a.0', 'memory.max'), String(64 * mebi));
    assert.equal(file(first, 'a.0', 'cpu.max'), '30000 100000');
    assert.equal(file(first, 'a.0', 'cpu.weight'), '4');
    assert.equal(file(first, 'cpu.max'), '50000 100000');
    assert.equal(file(first, 'memory.max'), String((64 + 48 + 4) * mebi));
    assert.equal(file(first, 'a.0', 'cgroup.procs').split('\n')[0], pid);
    const after = await get('resize');
    assert.equal(statusOf(after, 'a').restartCount, 0);
    assert.deepEqual(
      after.status?.conditions?.filter(c => c.type.startsWith('PodResize')),
      [],
    );
  });

  test('a limit below what is used is refused with its numbers, and given when less is used', slow, async () => {
    const found = await running('resize');
    await cluster.kubectl('exec', 'resize', '-c', 'a', '--', 'sh', '-c', eat(40));
    const limits = (memory: string) => ({ requests: { cpu: '100m', memory: '16Mi' }, limits: { cpu: '300m', memory } });
    await patch('resize', [{ name: 'a', resources: limits('24Mi') }]);
    const condition = async () => (await get('resize')).status?.conditions?.find(c => c.type === 'PodResizeInProgress');
    await eventually('it is refused', async () => (await condition())?.reason === 'Error');
    const { message = '' } = (await condition()) ?? {};
    assert.match(
      message,
      /cannot decrease memory limits: attempting to set container "a" memory limit \(25165824\) below/,
    );
    assert.equal(file(found, 'a.0', 'memory.max'), String(64 * mebi));
    await cluster.kubectl('exec', 'resize', '-c', 'a', '--', 'rm', '/dev/shm/x');
    await eventually('it is given', async () => file(found, 'a.0', 'memory.max') === String(24 * mebi));
    await eventually('it is told', async () => (await condition()) === undefined);
  });

  test('more than the node has is infeasible; a policy of restart restarts', slow, async () => {
    const found = await running('resize');
    const resources = (cpu: string, memory: string) => ({ requests: { cpu, memory: '16Mi' }, limits: { cpu, memory } });
    await patch('resize', [{ name: 'a', resources: resources('100', '24Mi') }]);
    const pending = async () => (await get('resize')).status?.conditions?.find(c => c.type === 'PodResizePending');
    await eventually('it is refused', async () => (await pending())?.reason === 'Infeasible');
    assert.match(
      (await pending())?.message ?? '',
      /^Node didn't have enough capacity: cpu, requested: 10\d+, capacity: 1000$/,
    );
    await patch('resize', [
      { name: 'a', resources: resources('100m', '24Mi') },
      { name: 'b', resources: { requests: { cpu: '50m', memory: '16Mi' }, limits: { cpu: '200m', memory: '40Mi' } } },
    ]);
    await eventually('b runs again', async () => {
      const b = statusOf(await get('resize'), 'b');
      return b.restartCount === 1 && b.resources?.limits?.['memory'] === '40Mi';
    });
    assert.equal(file(found, 'b.1', 'memory.max'), String(40 * mebi));
    assert.equal(statusOf(await get('resize'), 'a').restartCount, 0);
  });

  test('an OOM is told of the container that had it, and of no other', slow, async () => {
    await eventually(
      'it was killed',
      async () => statusOf(await get('two'), 'bad').state?.terminated !== undefined,
      300_000,
    );
    const found = await get('two');
    const { terminated } = statusOf(found, 'bad').state ?? {};
    assert.deepEqual([terminated?.reason, terminated?.exitCode], ['OOMKilled', 137]);
    assert.ok(statusOf(found, 'good').state?.running);
    assert.equal(statusOf(found, 'good').restartCount, 0);
  });

  test('a child that runs out of memory takes its container along', slow, async () => {
    await eventually(
      'it ended',
      async () => statusOf(await get('child'), 'app').state?.terminated !== undefined,
      300_000,
    );
    const { terminated } = statusOf(await get('child'), 'app').state ?? {};
    assert.deepEqual([terminated?.reason, terminated?.exitCode], ['OOMKilled', 137]);
    assert.doesNotMatch(await cluster.kubectl('logs', 'child'), /survived/);
  });

  test('an init container that runs out of memory fails its pod', slow, async () => {
    await eventually('it failed', async () => (await get('init')).status?.phase === 'Failed', 300_000);
    const { terminated } = statusOf(await get('init'), 'hungry').state ?? {};
    assert.deepEqual([terminated?.reason, terminated?.exitCode], ['OOMKilled', 137]);
    assert.match(await cluster.kubectl('get', 'pod', 'init'), /Init:OOMKilled/);
  });

  test('a limit of the pod as a whole: the container that took most goes', slow, async () => {
    await eventually(
      'it was killed',
      async () => statusOf(await get('whole'), 'hungry').state?.terminated !== undefined,
      300_000,
    );
    const found = await get('whole');
    assert.equal(file(found, 'memory.max'), String(44 * mebi));
    const { terminated } = statusOf(found, 'hungry').state ?? {};
    assert.deepEqual([terminated?.reason, terminated?.exitCode], ['OOMKilled', 137]);
    assert.ok(statusOf(found, 'idle').state?.running);
  });

  test('a command that runs out of memory is an OOM of its container, which starts again', slow, async () => {
    await running('exec');
    const { code } = await cluster.tryKubectl(['exec', 'exec', '--', 'sh', '-c', eat(80)]);
    assert.notEqual(code, 0);
    await eventually('it runs again', async () => statusOf(await get('exec'), 'app').restartCount === 1);
    const { terminated } = statusOf(await get('exec'), 'app').lastState ?? {};
    assert.deepEqual([terminated?.reason, terminated?.exitCode], ['OOMKilled', 137]);
  });

  test('huge pages are capacity, counted, and limited to those who asked', slow, async () => {
    const { status } = await cluster.get<{ status: { capacity: object; allocatable: Record<string, string> } }>(
      'node',
      cluster.name,
    );
    assert.equal((status.capacity as Record<string, string>)['hugepages-2Mi'], '16Mi');
    const found = await running('huge');
    assert.equal(file(found, 'app.0', 'hugetlb.2MB.max'), String(4 * mebi));
    assert.equal(file(found, 'none.0', 'hugetlb.2MB.max'), '0');
  });

  test('memory that was asked for is kept, processes are limited', slow, async () => {
    const found = await running('resize');
    assert.equal(file(found, 'a.0', 'memory.min'), String(16 * mebi));
    assert.equal(file(found, 'memory.min'), String(32 * mebi));
    const above = Number(file(found, '..', 'memory.min'));
    assert.ok(above >= 32 * mebi, `${above}`);
    assert.ok(Number(file(found, '..', '..', 'memory.min')) >= above);
    assert.equal(file(found, 'pids.max'), '100');
    const high = Number(file(found, 'b.1', 'memory.high'));
    assert.equal(high, Math.floor((16 + 0.9 * 24) * 256) * 4096);
  });
});

test('a CPU of its own, where the only one is reserved, is refused in words; the others share it', slow, async () => {
  await using cluster = await startCluster({ flags: ['--cpu-manager-policy', 'static', '--reserved-cpus', '0'] });
  await cluster.apply(
    pod('whole', [container('app', sleep, { cpu: '1', memory: '32Mi' })], { nodeName: cluster.name }),
    pod('shared', [container('app', sleep, {})]),
  );
  const get = (name: string) => cluster.get<Pod>('pod', name);
  await eventually('it is refused', async () => (await get('whole')).status?.phase === 'Failed', 300_000);
  const { reason, message } = (await get('whole')).status ?? {};
  assert.equal(reason, 'UnexpectedAdmissionError');
  const why = 'not enough cpus available to satisfy request: requested=1, available=0';
  assert.equal(message, `Pod was rejected: Allocate failed due to ${why}, which is unexpected`);
  await eventually('the other runs', async () => (await get('shared')).status?.phase === 'Running', 300_000);
  const { uid } = (await get('shared')).metadata;
  const group = join(mount, `keelson-${cluster.name}`, 'besteffort', `pod${uid}`, 'app.0');
  assert.equal(readFileSync(join(group, 'cpuset.cpus'), 'utf8').trim(), '0');
});
