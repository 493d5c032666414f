/** Ports of a node that lead to pods, from every side; and limits of a pod's bandwidth. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cluster, eventually, groupsOf, startCluster } from '../helpers/cluster.js';

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

test('a machine outside reaches the pod behind a port, by TCP and UDP, also the next pod that has it', async () => {
  const both = (name: string) =>
    pod(name, [
      { containerPort: 9000, hostPort: 19000, protocol: 'UDP' },
      { containerPort: 8080, hostPort: 19001 },
    ]);
  // in the pod's network: its busybox speaks no UDP
  const server = `const s = require('dgram').createSocket('udp4');
    s.on('message', (_, from) => s.send(process.argv[1], from.port, from.address)); s.bind(9000)`;
  const serve = async (name: string): Promise<ChildProcess> => {
    await ready(name);
    const uid = (await cluster.kubectl('get', 'pod', name, '-o', 'jsonpath={.metadata.uid}')).trim();
    const pid = [...groupsOf(cluster)].find(([group, pids]) => group.includes(uid) && pids.length > 0)?.[1][0];
    return spawn('nsenter', ['-t', String(pid), '-n', process.execPath, '-e', server, name]);
  };
  const machine = spawn('unshare', ['-n', 'sleep', '300']);
  const pid = String(machine.pid);
  const outside = (...words: string[]) =>
    cluster.enter('nsenter', '-t', pid, '-n', ...words).then(text => text.trim(), String);
  await eventually('unshared', async () => (await readFile(`/proc/${pid}/comm`, 'utf8')) === 'sleep\n');
  await cluster.enter('ip', 'link', 'add', 'up0', 'type', 'veth', 'peer', 'name', 'out', 'netns', pid);
  await cluster.enter('sh', '-c', 'ip addr add 192.0.2.1/24 dev up0; ip link set up0 up');
  await outside('sh', '-c', 'ip addr add 192.0.2.2/24 dev out; ip link set out up');
  // always from one port: the kernel takes it for one connection
  const client = `const s = require('dgram').createSocket('udp4'); s.bind(7000, () => s.send('x', 19000, '192.0.2.1'));
    s.on('message', m => { console.log(String(m)); process.exit() }); setTimeout(() => process.exit(), 700)`;
  const ask = () => outside(process.execPath, '-e', client);

  await cluster.apply(both('before'));
  const first = await serve('before');
  await eventually('TCP', async () => (await outside('curl', '-sS', '-m', '2', '192.0.2.1:19001')) === 'before');
  await eventually('UDP', async () => (await ask()).startsWith('before'));
  first.kill();
  await cluster.kubectl('delete', 'pod', 'before');
  await ask();
  await cluster.apply(both('after'));
  const second = await serve('after');
  await eventually('UDP', async () => (await ask()).startsWith('after'), 10_000);
  second.kill();
  machine.kill();
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
