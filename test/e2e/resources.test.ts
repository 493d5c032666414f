/** What a node gives and refuses, as kubectl shows it: devices from a file, admission, local storage. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Node } from '../../src/kube/node.js';
import type { Pod } from '../../src/kube/pod.js';
import { type Cluster, eventually, startCluster } from '../helpers/cluster.js';

const gpu = 'vendor.com/gpu';
let cluster: Cluster;
const nodeFile = (name: string) => join(cluster.directory, 'dev', name);
const pluginFile = () => join(cluster.dataDir, 'devices.d', 'gpu.yaml');

const pod = (name: string, command: string, resources: object, spec: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: {
    terminationGracePeriodSeconds: 1,
    containers: [{ name: 'c', image: 'localhost/busybox:1', command: ['sh', '-c', command], resources }],
    ...spec,
  },
});
const get = (name: string) => cluster.get<Pod>('pod', name);
const allocatable = async () => (await cluster.get<Node>('node', cluster.name)).status?.allocatable?.[gpu];
const isRunning = (name: string) =>
  eventually(`${name} runs`, async () => (await get(name)).status?.phase === 'Running', 30_000);
const failure = async (name: string) => {
  await eventually(`${name} has failed`, async () => (await get(name)).status?.phase === 'Failed', 40_000);
  const { reason, message } = (await get(name)).status ?? {};
  return [reason, message];
};

/**
 * /dev/zero and /dev/null under other names: what they do tells them apart. Behind the third there is no driver: whoever may
 * open it hears that, and nobody else does.
 */
const plugin = () => `
resource: ${gpu}
devices:
  - id: zero
    nodes:
      - { hostPath: ${nodeFile('zero')}, containerPath: /dev/gpu/zero }
      - { hostPath: ${nodeFile('read')}, containerPath: /dev/gpu/read, permissions: r }
    env: { GPU_ZERO: "yes" }
  - id: "null"
    nodes: [{ hostPath: ${nodeFile('null')}, containerPath: /dev/gpu/null }]
    mounts: [{ hostPath: ${join(cluster.directory, 'lib')}, containerPath: /usr/lib/gpu, readOnly: true }]
`;

beforeAll(async () => {
  cluster = await startCluster();
  for (const directory of ['dev', 'lib']) mkdirSync(join(cluster.directory, directory));
  writeFileSync(join(cluster.directory, 'lib', 'driver'), 'driver 1\n');
  execFileSync('mknod', [nodeFile('zero'), 'c', '1', '5']);
  execFileSync('mknod', [nodeFile('null'), 'c', '1', '3']);
  execFileSync('mknod', [nodeFile('read'), 'c', '240', '7']);
  writeFileSync(pluginFile(), plugin());
}, 60_000);
afterAll(async () => cluster?.[Symbol.asyncDispose]());

describe('devices', () => {
  test('a file makes them the node’s; a container gets its nodes, mounts and variables, and no other device', async () => {
    await eventually('the node has them', async () => (await allocatable()) === '2');
    await cluster.apply(pod('both', 'sleep 1000', { limits: { [gpu]: '2' } }));
    await isRunning('both');
    const inside = async (command: string) =>
      (await cluster.tryKubectl(['exec', 'both', '--', 'sh', '-c', `(${command}) 2>&1`])).stdout.trim();
    expect(await inside('head -c 2 /dev/gpu/zero | od -An -tx1')).toBe('00 00');
    expect(await inside('echo x > /dev/gpu/null && echo written')).toBe('written');
    expect(await inside('cat /dev/gpu/read')).toMatch(/No such device or address/);
    expect(await inside('echo x > /dev/gpu/read')).toMatch(/Operation not permitted/);
    expect(await inside('cat /usr/lib/gpu/driver; echo $GPU_ZERO')).toBe('driver 1\nyes');
    expect(await inside('mknod /dev/kmsg c 1 11 && head -c 1 /dev/kmsg')).toMatch(/Operation not permitted/);
    expect(await inside('touch /usr/lib/gpu/x')).toMatch(/Read-only file system/);
  });

  test('a pod that was bound by hand is refused in kubelet’s words, also by an agent that came later', async () => {
    await cluster.crash('agent');
    await cluster.apply(pod('bound', 'sleep 1000', { limits: { [gpu]: '1' } }, { nodeName: cluster.name }));
    const why = `requested number of devices unavailable for ${gpu}. Requested: 1, Available: 0`;
    expect(await failure('bound')).toEqual([
      'UnexpectedAdmissionError',
      `Pod was rejected: Allocate failed due to ${why}, which is unexpected`,
    ]);
    expect((await get('both')).status?.containerStatuses?.[0]?.restartCount).toBe(0);
  });

  test('who waits for a device gets it when it is free', async () => {
    await cluster.apply(pod('next', 'sleep 1000', { limits: { [gpu]: '1' } }));
    await eventually('it waits', async () =>
      /1 Insufficient vendor.com\/gpu/.test((await get('next')).status?.conditions?.[0]?.message ?? ''),
    );
    await cluster.kubectl('delete', 'pod', 'both');
    await isRunning('next');
  });

  test('a device whose node is gone is not counted; a file that makes no sense changes nothing', async () => {
    rmSync(nodeFile('null'));
    utimesSync(pluginFile(), new Date(), new Date());
    await eventually('one is left', async () => (await allocatable()) === '1');
    writeFileSync(pluginFile(), 'resource: gpu');
    await eventually('it is told', async () => /gpu.yaml: resource .*gpu.*must be a name/.test(cluster.log));
    expect(await allocatable()).toBe('1');
    rmSync(pluginFile());
    await eventually('none is left', async () => (await allocatable()) === undefined);
    expect((await get('next')).status?.phase).toBe('Running');
  });
});

describe('admission of pods that were bound by hand', () => {
  test.each([
    [
      'cpu',
      { requests: { cpu: '1000' } },
      /^Pod was rejected: Node didn't have enough resource: cpu, requested: 1000000,/,
    ],
    ['memory', { requests: { memory: '9Ti' } }, /enough resource: memory, requested: 9895604649984, used: \d+, capac/],
    [
      'ephemeral-storage',
      { requests: { 'ephemeral-storage': '1Pi' } },
      /enough resource: ephemeral-storage, requested/,
    ],
  ])('OutOf%s', async (resource, resources, text) => {
    await cluster.apply(pod(`out-of-${resource}`, 'sleep 1000', resources, { nodeName: cluster.name }));
    const [reason, message] = await failure(`out-of-${resource}`);
    expect(reason).toBe(`OutOf${resource}`);
    expect(message).toMatch(text);
  });

  test('NodeAffinity', async () => {
    await cluster.apply(pod('elsewhere', 'sleep 1000', {}, { nodeName: cluster.name, nodeSelector: { disk: 'ssd' } }));
    expect((await failure('elsewhere'))[0]).toBe('NodeAffinity');
    expect(await cluster.kubectl('get', 'pod', 'elsewhere')).toMatch(/0\/1 +NodeAffinity/);
  });
});

test('more local storage than allowed: evicted, with what was too much', async () => {
  const fill = (path: string) => `dd if=/dev/zero of=${path}/x bs=1M count=12 && sleep 1000`;
  const limit = { limits: { 'ephemeral-storage': '10Mi' } };
  const volume = (emptyDir: object) => ({ volumes: [{ name: 'v', emptyDir }] });
  const mounted = (object: ReturnType<typeof pod>) => {
    const containers = object.spec.containers.map(c => ({ ...c, volumeMounts: [{ name: 'v', mountPath: '/v' }] }));
    return { ...object, spec: { ...object.spec, containers } };
  };
  const two = pod('two', fill(''), limit);
  const more = { ...two.spec.containers[0], name: 'd', command: ['sleep', '1000'] };
  await cluster.apply(
    mounted(pod('volume', fill('/v'), {}, volume({ sizeLimit: '5Mi' }))),
    mounted(pod('whole', fill('/v'), limit, volume({}))),
    { ...two, spec: { ...two.spec, containers: [...two.spec.containers, more] } },
    pod('within', 'dd if=/dev/zero of=/x bs=1M count=5 && sleep 1000', limit),
  );
  expect(await failure('volume')).toEqual(['Evicted', 'Usage of EmptyDir volume "v" exceeds the limit "5Mi". ']);
  const total = 'Pod ephemeral local storage usage exceeds the total limit of containers 10Mi. ';
  expect(await failure('whole')).toEqual(['Evicted', total]);
  expect(await failure('two')).toEqual(['Evicted', 'Container c exceeded its local ephemeral storage limit "10Mi". ']);
  expect((await get('within')).status?.phase).toBe('Running');
  expect(await cluster.kubectl('get', 'events', '--field-selector', 'reason=Evicted')).toMatch(
    /pod\/whole +Pod ephemeral/,
  );
}, 90_000);
