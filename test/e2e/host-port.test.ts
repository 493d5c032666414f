/** Ports of a node that lead to pods, from every side; and limits of a pod's bandwidth. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cluster, eventually, startCluster } from '../helpers/cluster.js';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(async () => cluster[Symbol.asyncDispose]());

const seconds = 4_000_000 + process.pid;

const pod = (name: string, ports: object[], more: { spec?: object; metadata?: object } = {}): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, ...more.metadata },
  spec: {
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        name: 'c',
        image: 'localhost/busybox:1',
        command: [
          'sh',
          '-c',
          `mkdir /w; hostname > /w/index.html; head -c 2000000 /dev/zero > /w/big; httpd -p 8080 -h /w; exec sleep ${seconds}`,
        ],
        ports,
      },
    ],
    ...more.spec,
  },
});

const ready = (name: string) => cluster.kubectl('wait', 'pod', name, '--for=condition=Ready', '--timeout=30s');
const nodeAddress = async () =>
  (await cluster.kubectl('get', 'nodes', '-o', 'jsonpath={.items[0].status.addresses[0].address}')).trim();
const fetchFromNode = (url: string) => cluster.enter('curl', '-sS', '-m', '2', url).then(text => text.trim(), String);
const inPod = (name: string, ...words: string[]) => cluster.kubectl('exec', name, '--', ...words);

test('a port of the node leads to its pod: from the node, its loopback, another pod, and the pod itself', async () => {
  await cluster.apply(
    pod('web', [{ containerPort: 8080, hostPort: 18080 }]),
    pod('local', [{ containerPort: 8080, hostPort: 18081, hostIP: '127.0.0.1' }]),
    pod('other', []),
  );
  await Promise.all(['web', 'local', 'other'].map(ready));
  const node = await nodeAddress();
  await eventually('it listens', async () => (await fetchFromNode(`http://${node}:18080/`)) === 'web');
  expect(await fetchFromNode('http://127.0.0.1:18080/')).toBe('web');
  expect(await inPod('other', 'wget', '-qO-', `http://${node}:18080/`)).toBe('web\n');
  expect(await inPod('web', 'wget', '-qO-', `http://${node}:18080/`)).toBe('web\n');
  await eventually('it listens', async () => (await fetchFromNode('http://127.0.0.1:18081/')) === 'local');
  expect(await fetchFromNode(`http://${node}:18081/`)).toContain('curl');
});

test('rules that somebody flushed come back, and an agent that starts again keeps them', async () => {
  await cluster.enter('nft', 'flush', 'table', 'ip', 'keelson_hostports');
  await eventually('the rules are back', async () => (await fetchFromNode('http://127.0.0.1:18080/')) === 'web');
  await cluster.crash('agent');
  expect(await fetchFromNode('http://127.0.0.1:18080/')).toBe('web');
});

test('a port that is taken refuses the next pod; when it is free, it leads to the next', async () => {
  const { nodeName } = { nodeName: cluster.name };
  await cluster.apply(pod('second', [{ containerPort: 8080, hostPort: 18080 }], { spec: { nodeName } }));
  const status = await eventually('refused', async () => {
    const found = await cluster.kubectl('get', 'pod', 'second', '-o', 'jsonpath={.status.reason}|{.status.message}');
    return found.startsWith('|') ? undefined : found;
  });
  expect(status).toContain('NodePorts');
  expect(status).toContain("didn't have free ports");
  await cluster.kubectl('delete', 'pod', 'web', 'second');
  expect(await fetchFromNode('http://127.0.0.1:18080/')).toContain('curl');
  await cluster.apply(pod('third', [{ containerPort: 8080, hostPort: 18080 }]));
  await ready('third');
  await eventually('it listens', async () => (await fetchFromNode('http://127.0.0.1:18080/')) === 'third');
});

test('bandwidth annotations hold; a senseless one is told of', async () => {
  const slow = (name: string, rate: string, way: string) =>
    pod(name, [], { metadata: { annotations: { [`kubernetes.io/${way}-bandwidth`]: rate } } });
  await cluster.apply(slow('sends', '8M', 'egress'), slow('gets', '8M', 'ingress'), slow('odd', '5', 'ingress'));
  await Promise.all(['sends', 'gets'].map(ready));
  const ip = (await cluster.kubectl('get', 'pod', 'sends', '-o', 'jsonpath={.status.podIP}')).trim();
  // 2 MB at 1 MB/s, less what the bucket holds
  const took = Number(
    await cluster.enter('curl', '-sS', '-o', '/dev/null', '-w', '%{time_total}', `http://${ip}:8080/big`),
  );
  expect(took).toBeGreaterThan(1.5);
  expect(took).toBeLessThan(6);
  expect(await cluster.enter('tc', 'qdisc')).toMatch(/tbf .* rate 8Mbit/);
  const events = await eventually('an event', async () => {
    const text = await cluster.kubectl('get', 'events', '--field-selector', 'involvedObject.name=odd');
    return text.includes('FailedCreatePodSandBox') && text;
  });
  expect(events).toContain('resource is unreasonably small (< 1kbit)');
});
