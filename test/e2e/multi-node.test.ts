/** Three nodes on one switch: pods reach each other over VXLAN and over plain routes, and what leaves, leaves nothing. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../helpers/cluster.js';
import { type Nodes, startNodes, type TestNode } from '../helpers/nodes.js';

const modes = ['vxlan', 'host-gw'] as const;
const secondsOf = (mode: string): number => 3_000_000 + process.pid + modes.indexOf(mode as never) * 100_000;

function web(node: TestNode, mode: string): object {
  const script = `mkdir -p /w/cgi-bin; printf '#!/bin/sh\\necho; echo ${node.name} "$REMOTE_ADDR" | tr -d []:f' > /w/cgi-bin/who; chmod +x /w/cgi-bin/who; head -c 1000000 /dev/zero > /w/big; httpd -p 8080 -h /w; exec sleep ${secondsOf(mode)}`;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `web-${node.name}`, labels: { app: 'web' } },
    spec: {
      nodeName: node.name,
      terminationGracePeriodSeconds: 1,
      containers: [{ name: 'c', image: 'localhost/busybox:1', command: ['sh', '-c', script] }],
    },
  };
}

const service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web' },
  spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
};

describe.each(modes)('%s', mode => {
  let cluster: Nodes;
  const ips = new Map<TestNode, string>();
  beforeAll(async () => {
    cluster = await startNodes(3, { agentFlags: ['--overlay', mode, '--rm'] });
    await cluster.apply(service, ...cluster.nodes.map(node => web(node, mode)));
    await cluster.kubectl('wait', 'pod', '-l', 'app=web', '--for=condition=Ready', '--timeout=60s');
    for (const node of cluster.nodes)
      ips.set(node, await cluster.kubectl('get', 'pod', `web-${node.name}`, '-o', 'jsonpath={.status.podIP}'));
  }, 120_000);
  afterAll(() => cluster?.[Symbol.asyncDispose](), 60_000);

  /** Runs where the pod of a node lives. */
  const inPod = (node: TestNode, ...words: string[]): string => {
    const pid = node.run('pgrep', '-f', '-x', `sleep ${secondsOf(mode)}`).trim();
    const own = pid
      .split('\n')
      .find(one => node.run('nsenter', '-t', one, '-n', 'ip', '-o', 'addr').includes(` ${ips.get(node)}/`));
    return node.run('nsenter', '-t', own ?? '', '-n', ...words);
  };
  const ask = (from: TestNode, url: string): string => inPod(from, 'curl', '-sS', '-m', '3', url).trim();
  const pairs = (): [TestNode, TestNode][] =>
    cluster.nodes.flatMap(a => cluster.nodes.filter(b => b !== a).map((b): [TestNode, TestNode] => [a, b]));

  test('each node has a range of its own, and its pods have addresses of it', async () => {
    const ranges = (await cluster.kubectl('get', 'nodes', '-o', 'jsonpath={.items[*].spec.podCIDR}')).split(' ');
    expect(ranges.sort()).toEqual(['10.244.0.0/24', '10.244.1.0/24', '10.244.2.0/24']);
    expect([...ips.values()].map(ip => ip.split('.')[2]).sort()).toEqual(['0', '1', '2']);
  });

  test('pods of all nodes reach each other, and see who asks', async () => {
    for (const [a, b] of pairs())
      expect(await eventually('an answer', async () => ask(a, `http://${ips.get(b)}:8080/cgi-bin/who`))).toBe(
        `${b.name} ${ips.get(a)}`,
      );
  });

  test('a node reaches the pods of the others', () => {
    for (const [a, b] of pairs())
      expect(a.run('curl', '-sS', '-m', '3', `http://${ips.get(b)}:8080/cgi-bin/who`)).toContain(b.name);
  });

  test('Services and names lead to pods of every node', async () => {
    const address = (await cluster.kubectl('get', 'service', 'web', '-o', 'jsonpath={.spec.clusterIP}')).trim();
    const [first] = cluster.nodes as [TestNode];
    const seen = new Set<string>();
    await eventually('all three answer', async () => {
      const [name = '', source] = ask(first, `http://${address}/cgi-bin/who`).split(' ');
      seen.add(name);
      // to itself by way of the Service it comes under its node's address
      if (name !== first.name) expect(source).toBe(ips.get(first));
      return seen.size === 3;
    });
    const pod = `web-${cluster.nodes[1]?.name}`;
    expect(await cluster.kubectl('exec', pod, '--', 'wget', '-qO-', 'http://web.default.svc/cgi-bin/who')).toContain(
      'n',
    );
  });

  test('packets are as large as they may be, and arrive', () => {
    const [a, b] = cluster.nodes as [TestNode, TestNode];
    const mtu = mode === 'vxlan' ? 1450 : 1500;
    expect(inPod(a, 'ip', '-o', 'link', 'show', 'eth0')).toContain(`mtu ${mtu} `);
    // what is larger would be dropped on the way: TCP forbids its packets to be divided
    expect(inPod(a, 'sh', '-c', `curl -sS -m 5 http://${ips.get(b)}:8080/big | wc -c`).trim()).toBe('1000000');
  });

  test('an agent that starts again takes over what is there; connections stay', async () => {
    const [a, b] = cluster.nodes as [TestNode, TestNode];
    const routes = () => a.run('ip', 'route', 'show');
    const before = routes();
    await cluster.stopAgent(a, 'SIGKILL');
    expect(ask(a, `http://${ips.get(b)}:8080/cgi-bin/who`)).toContain(b.name);
    await cluster.startAgent(a);
    expect(routes()).toBe(before);
    expect(ask(b, `http://${ips.get(a)}:8080/cgi-bin/who`)).toContain(a.name);
  });

  test('a link that was cut: the way to the others comes back with it', async () => {
    const [a, b] = cluster.nodes as [TestNode, TestNode];
    // the kernel forgets routes over a link that is down
    a.run('ip', 'link', 'set', 'eth0', 'down');
    a.run('ip', 'link', 'set', 'eth0', 'up');
    const answer = (from: TestNode, to: TestNode): string => {
      try {
        return ask(from, `http://${ips.get(to)}:8080/cgi-bin/who`);
      } catch {
        return '';
      }
    };
    await eventually('both answer', async () => answer(a, b).startsWith(b.name) && answer(b, a).startsWith(a.name));
  });

  test('a node that leaves takes its entries along, within a second', async () => {
    const [a, , gone] = cluster.nodes as [TestNode, TestNode, TestNode];
    const range = `10.244.${ips.get(gone)?.split('.')[2]}.0/24`;
    const entries = (): string =>
      a.run('ip', 'route') +
      (mode === 'vxlan'
        ? a.run('bridge', 'fdb', 'show', 'dev', 'keelson.vx') + a.run('ip', 'neigh', 'show', 'dev', 'keelson.vx')
        : '');
    expect(entries()).toContain(range);
    await cluster.stopAgent(gone);
    await cluster.kubectl('delete', 'node', gone.name);
    const at = Date.now();
    await eventually(
      'no entry',
      async () => !entries().includes(range) && (mode === 'host-gw' || !entries().includes(gone.address)),
    );
    expect(Date.now() - at).toBeLessThan(1000);
  });
});
