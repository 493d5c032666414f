/** Where pods go, by real kubectl against the built controller with simulated nodes. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Pod } from '../../src/kube/pod.js';
import { eventually } from '../helpers/cluster.js';
import { HollowCluster } from '../helpers/hollow.js';

let hollow: HollowCluster;
const kubectl = (...args: string[]) => hollow.cluster.kubectl(...args);
const get = (name: string) => hollow.cluster.get<Pod>('pod', name);

beforeAll(async () => {
  hollow = await HollowCluster.start();
  await hollow.nodes(4, '--cpu', '4', '--memory', '8Gi', '--zones', '2', '--pods-per-node', '30');
}, 60_000);
afterAll(async () => hollow?.[Symbol.asyncDispose](), 60_000);

interface Wanted {
  readonly labels?: Record<string, string>;
  readonly cpu?: string;
  readonly spec?: object;
}

const pod = (name: string, { labels = { app: name }, cpu, spec = {} }: Wanted = {}): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels },
  spec: {
    terminationGracePeriodSeconds: 1,
    containers: [{ name: 'c', image: 'localhost/x:1', ...(cpu && { resources: { requests: { cpu } } }) }],
    ...spec,
  },
});

const apply = (...objects: object[]) => hollow.cluster.apply(...objects);
const remove = (...names: string[]) => kubectl('delete', 'pod', ...names, '--now');

async function running(name: string): Promise<string> {
  return eventually(`pod ${name} runs`, async () => {
    const { status, spec } = await get(name);
    return status?.phase === 'Running' && spec.nodeName;
  });
}

/** The message of PodScheduled=False. */
const refused = (name: string): Promise<string> =>
  eventually(`pod ${name} is refused`, async () => {
    const { status } = await get(name);
    return status?.conditions?.find(c => c.type === 'PodScheduled' && c.status === 'False')?.message;
  });

test('pods are spread, run, and go', async () => {
  const names = Array.from({ length: 8 }, (_, i) => `plain-${i}`);
  await apply(...names.map(name => pod(name, { cpu: '500m' })));
  const nodes = await Promise.all(names.map(running));
  expect(new Set(nodes).size).toBe(4);
  const event = await eventually(
    'Scheduled event',
    async () =>
      (await kubectl('get', 'events', '--field-selector', 'involvedObject.name=plain-0,reason=Scheduled')) || false,
  );
  expect(event).toContain(`Successfully assigned default/plain-0 to ${nodes[0]}`);
  await remove(...names);
}, 60_000);

test('what no node can do is told once, in the words of kube-scheduler', async () => {
  await apply(pod('huge', { cpu: '5' }), pod('elsewhere', { spec: { nodeSelector: { disk: 'ssd' } } }));
  const notHelpful = 'preemption: 0/4 nodes are available: 4 Preemption is not helpful for scheduling.';
  expect(await refused('huge')).toBe(`0/4 nodes are available: 4 Insufficient cpu. ${notHelpful}`);
  expect(await refused('elsewhere')).toBe(
    `0/4 nodes are available: 4 node(s) didn't match Pod's node affinity/selector. ${notHelpful}`,
  );
  await kubectl('label', 'node', 'hollow-2', 'disk=ssd');
  expect(await running('elsewhere')).toBe('hollow-2');
  const events = await hollow.cluster.get<{ items: unknown[] }>(
    'events',
    '--field-selector',
    'involvedObject.name=huge,reason=FailedScheduling',
  );
  expect(events.items).toHaveLength(1);
  await remove('huge', 'elsewhere');
  await kubectl('label', 'node', 'hollow-2', 'disk-');
}, 60_000);

test('taints keep pods away until they are tolerated or gone', async () => {
  await kubectl('taint', 'nodes', 'hollow-0', 'hollow-1', 'hollow-2', 'team=a:NoSchedule');
  await kubectl('cordon', 'hollow-3');
  await apply(
    pod('shy'),
    pod('tolerant', { spec: { tolerations: [{ key: 'team', operator: 'Equal', value: 'a', effect: 'NoSchedule' }] } }),
  );
  expect(await running('tolerant')).not.toBe('hollow-3');
  expect(await refused('shy')).toBe(
    '0/4 nodes are available: 1 node(s) were unschedulable, 3 node(s) had untolerated taint(s). preemption: 0/4 nodes are available: 4 Preemption is not helpful for scheduling.',
  );
  await kubectl('uncordon', 'hollow-3');
  expect(await running('shy')).toBe('hollow-3');
  await kubectl('taint', 'nodes', 'hollow-0', 'hollow-1', 'hollow-2', 'team-');
  await remove('shy', 'tolerant');
}, 60_000);

test('anti-affinity takes a node for each; affinity follows', async () => {
  const affinity = (kind: 'podAffinity' | 'podAntiAffinity', app: string) => ({
    affinity: {
      [kind]: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          { labelSelector: { matchLabels: { app } }, topologyKey: 'kubernetes.io/hostname' },
        ],
      },
    },
  });
  const lonely = Array.from({ length: 5 }, (_, i) =>
    pod(`lonely-${i}`, { labels: { app: 'lonely' }, spec: affinity('podAntiAffinity', 'lonely') }),
  );
  await apply(...lonely.slice(0, 4));
  const nodes = await Promise.all([0, 1, 2, 3].map(i => running(`lonely-${i}`)));
  expect(new Set(nodes).size).toBe(4);
  await apply(lonely[4]!, pod('friend', { spec: affinity('podAffinity', 'lonely') }));
  expect(await refused('lonely-4')).toBe(
    "0/4 nodes are available: 4 node(s) didn't match pod anti-affinity rules. preemption: 0/4 nodes are available: 4 No preemption victims found for incoming pod.",
  );
  await running('friend');
  await remove('lonely-2');
  expect(await running('lonely-4')).toBe(nodes[2]);
  await remove('lonely-0', 'lonely-1', 'lonely-3', 'lonely-4', 'friend');
}, 60_000);

test('topology spread keeps zones level', async () => {
  const constraint = {
    maxSkew: 1,
    topologyKey: 'topology.kubernetes.io/zone',
    whenUnsatisfiable: 'DoNotSchedule',
    labelSelector: { matchLabels: { app: 'level' } },
  };
  const names = Array.from({ length: 6 }, (_, i) => `level-${i}`);
  await apply(
    ...names.map(name => pod(name, { labels: { app: 'level' }, spec: { topologySpreadConstraints: [constraint] } })),
  );
  const nodes = await Promise.all(names.map(running));
  // even numbers are in one zone, odd ones in the other
  expect(nodes.filter(node => Number(node.slice(-1)) % 2 === 0)).toHaveLength(3);
  await remove(...names);
}, 60_000);

test('a more important pod takes the place of a less important one', async () => {
  const priority = (name: string, value: number, more: object = {}) => ({
    apiVersion: 'scheduling.k8s.io/v1',
    kind: 'PriorityClass',
    metadata: { name },
    value,
    ...more,
  });
  await apply(priority('low', 10), priority('high', 1000), priority('polite', 900, { preemptionPolicy: 'Never' }));
  const low = [0, 1, 2, 3].map(i => `low-${i}`);
  await apply(...low.map(name => pod(name, { cpu: '3', spec: { priorityClassName: 'low' } })));
  await Promise.all(low.map(running));
  await apply(pod('polite', { cpu: '2', spec: { priorityClassName: 'polite' } }));
  expect(await refused('polite')).toBe(
    '0/4 nodes are available: 4 Insufficient cpu. preemption: not eligible due to preemptionPolicy=Never.',
  );
  await kubectl('delete', 'pod', 'polite', '--now');
  await apply(pod('high', { cpu: '3', spec: { priorityClassName: 'high' } }));
  const node = await running('high');
  const left = (await hollow.cluster.get<{ items: Pod[] }>('pods', '-l', 'app in (low-0,low-1,low-2,low-3)')).items;
  expect(left).toHaveLength(3);
  expect(left.some(({ spec }) => spec.nodeName === node)).toBe(false);
  const { uid } = (await get('high')).metadata;
  await eventually('Preempted event', async () =>
    (await kubectl('get', 'events', '--field-selector', 'reason=Preempted')).includes(
      `Preempted by pod ${uid} on node ${node}`,
    ),
  );
  await kubectl('delete', 'pods', '--all', '--now');
}, 60_000);

test('gates hold a pod back; a scheduler of another name is left alone', async () => {
  await apply(
    pod('gated', { spec: { schedulingGates: [{ name: 'example.com/wait' }] } }),
    pod('foreign', { spec: { schedulerName: 'other' } }),
    pod('packed', { spec: { schedulerName: 'bin-packing-scheduler' } }),
  );
  expect(await refused('gated')).toBe('Scheduling is blocked due to non-empty scheduling gates');
  expect(await kubectl('get', 'pod', 'gated')).toContain('SchedulingGated');
  await kubectl('patch', 'pod', 'gated', '--type=json', '-p', '[{"op":"remove","path":"/spec/schedulingGates"}]');
  await running('gated');
  await running('packed');
  expect((await get('foreign')).status?.conditions ?? []).toEqual([]);
  await kubectl('delete', 'pods', '--all', '--now');
}, 60_000);

test('claims: not there, not bound, bound to a volume of one node', async () => {
  const withClaim = (name: string) => ({
    volumes: [{ name: 'v', persistentVolumeClaim: { claimName: name } }],
  });
  const claim = (name: string, more: object) => ({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...more },
  });
  const volume = {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: 'on-1' },
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      hostPath: { path: '/tmp/none' },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [
            { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: ['hollow-1'] }] },
          ],
        },
      },
    },
  };
  await apply(
    volume,
    claim('bound', { volumeName: 'on-1', storageClassName: '' }),
    claim('loose', { storageClassName: 'none' }),
  );
  await apply(
    pod('on-volume', { spec: withClaim('bound') }),
    pod('unbound', { spec: withClaim('loose') }),
    pod('lost', { spec: withClaim('nowhere') }),
  );
  const notHelpful = 'preemption: 0/4 nodes are available: 4 Preemption is not helpful for scheduling.';
  expect(await refused('unbound')).toBe(
    `0/4 nodes are available: pod has unbound immediate PersistentVolumeClaims. ${notHelpful}`,
  );
  expect(await refused('lost')).toBe(
    `0/4 nodes are available: persistentvolumeclaim "nowhere" not found. ${notHelpful}`,
  );
  expect(await running('on-volume')).toBe('hollow-1');
  await kubectl('delete', 'pods', '--all', '--now');
}, 60_000);

test('drain moves pods away, and new nodes take what waited', async () => {
  await apply(pod('goes'));
  const node = await running('goes');
  await kubectl('drain', node, '--force', '--ignore-daemonsets');
  expect(await kubectl('get', 'pods')).toBe('');
  await apply(pod('waits', { spec: { nodeSelector: { 'kubernetes.io/hostname': 'late-0' } } }));
  await refused('waits');
  const late = await hollow.nodes(1, '--prefix', 'late-');
  expect(await running('waits')).toBe('late-0');
  await hollow.end(late);
}, 60_000);

test('simulated pods end when they are told to, and outlive the process of their nodes', async () => {
  const flags = ['--prefix', 'again-'];
  const first = await hollow.nodes(1, ...flags);
  const spec = { nodeSelector: { 'kubernetes.io/hostname': 'again-0' }, restartPolicy: 'Never' };
  const ending = (name: string, annotations: object): object => {
    const made = pod(name, { spec }) as { metadata: object };
    return { ...made, metadata: { ...made.metadata, annotations } };
  };
  await apply(
    pod('stays', { spec }),
    ending('done', { 'hollow.keelson.dev/run-seconds': '0' }),
    ending('fails', { 'hollow.keelson.dev/run-seconds': '0', 'hollow.keelson.dev/exit-code': '3' }),
  );
  await running('stays');
  const phase = (name: string, wanted: string) =>
    eventually(`${name} is ${wanted}`, async () => (await get(name)).status?.phase === wanted);
  await phase('done', 'Succeeded');
  await phase('fails', 'Failed');
  expect((await get('fails')).status?.containerStatuses?.[0]?.state?.terminated?.exitCode).toBe(3);
  await hollow.end(first);
  await hollow.nodes(1, ...flags);
  expect((await get('stays')).status?.phase).toBe('Running');
  await remove('stays', 'done', 'fails');
}, 60_000);
