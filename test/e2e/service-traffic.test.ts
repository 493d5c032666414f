/** Packets to Services of a real cluster: from pods and from the node, while endpoints come and go and agents die. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cluster, eventually, startCluster } from '../helpers/cluster.js';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(async () => cluster[Symbol.asyncDispose]());

const k = (...args: string[]) => cluster.kubectl(...args);

const container = (command: string) => ({ name: 'c', image: 'localhost/busybox:1', command: ['sh', '-c', command] });
const web = (replicas: number) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: {
    replicas,
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: {
        terminationGracePeriodSeconds: 1,
        containers: [container('mkdir /w; hostname > /w/index.html; exec httpd -f -p 8080 -h /w')],
      },
    },
  },
});
const service = (spec: object) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web' },
  spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }], ...spec },
});

/** By it the client's process is found: its own programs are too few to tell why a connection failed. */
const clientCommand = `sleep ${1_000_000 + process.pid}`;
const clientPid = async () => (await cluster.enter('pgrep', '-xf', clientCommand)).trim().split('\n')[0] ?? '';
/** The name of the pod that answers, or what the client complains of. */
const fromPod = async (url: string): Promise<string> =>
  cluster
    .enter('nsenter', '-t', await clientPid(), '-n', 'curl', '-sS', '-m', '2', url)
    .then(text => text.trim(), String);
const fromNode = (url: string): Promise<string> =>
  cluster.enter('curl', '-sS', '-m', '2', url).then(text => text.trim(), String);
const several = async (ask: () => Promise<string>) => {
  const answers = new Set<string>();
  for (let i = 0; i < 12; i++) answers.add(await ask());
  return answers;
};
const podNames = async () =>
  new Set(
    (await cluster.get<{ items: { metadata: { name: string } }[] }>('pods', '-l', 'app=web')).items.map(
      p => p.metadata.name,
    ),
  );

const same = (a: Set<string>, b: Set<string>) => a.size === b.size && [...a].every(one => b.has(one));

let address = '';
let nodePort = 0;

test('a pod and the node reach all pods of a Service', async () => {
  await cluster.apply(web(2), service({ type: 'NodePort' }), {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'client' },
    spec: { terminationGracePeriodSeconds: 0, containers: [container(`exec ${clientCommand}`)] },
  });
  await k('rollout', 'status', 'deployment/web', '--timeout=60s');
  await k('wait', '--for=condition=Ready', 'pod/client', '--timeout=60s');
  const { spec } = await cluster.get<{ spec: { clusterIP: string; ports: { nodePort: number }[] } }>('service', 'web');
  address = `http://${spec.clusterIP}/`;
  nodePort = spec.ports[0]?.nodePort ?? 0;
  const names = await podNames();
  expect(names.size).toBe(2);
  await eventually('all answer a pod', async () => same(await several(() => fromPod(address)), names));
  expect(await several(() => fromNode(address))).toEqual(names);
});

test('a node port answers pods and the node', async () => {
  const { items } = await cluster.get<{ items: { status: { addresses: { address: string }[] } }[] }>('nodes');
  const url = `http://${items[0]?.status.addresses[0]?.address}:${nodePort}/`;
  const names = await podNames();
  expect(names).toContain(await fromPod(url));
  expect(names).toContain(await fromNode(url));
});

test('scaling is followed, down to nobody: then the client is told', async () => {
  await k('scale', 'deployment/web', '--replicas=0');
  await eventually('nobody serves', async () => /refused|Couldn't connect/.test(await fromPod(address)));
  await k('scale', 'deployment/web', '--replicas=3');
  await k('rollout', 'status', 'deployment/web', '--timeout=60s');
  const names = await podNames();
  await eventually('all answer', async () => same(await several(() => fromPod(address)), names));
});

test('a Service that goes takes its address along', async () => {
  await k('delete', 'service', 'web');
  await eventually('nothing answers', async () =>
    /timed out|refused|unreachable|No route|connect/i.test(await fromPod(address)),
  );
});
