/** Pods with addresses of both families on two nodes of one switch, by tunnels and by plain routes; and with IPv6 alone. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../helpers/cluster.js';
import { type Nodes, startNodes, type TestNode } from '../helpers/nodes.js';
import { openSpace, type Space } from '../helpers/spaces.js';

const outside = 'fd00:99::2';
const port = 8080;

/** The families of the pods, how nodes reach each other's, and by what their tunnels go. */
const variants = [
  { name: 'both, vxlan over IPv4', cidrs: '10.244.0.0/16,fd00:10:244::/56', overlay: 'vxlan', tunnel: '172.30.0' },
  { name: 'both, plain routes', cidrs: 'fd00:10:244::/56,10.244.0.0/16', overlay: 'host-gw', tunnel: '' },
  { name: 'IPv6 only, vxlan over IPv6', cidrs: 'fd00:10:244::/56', overlay: 'vxlan', tunnel: 'fd00:30:' },
] as const;

describe.each(variants)('$name', ({ cidrs, overlay, tunnel }) => {
  const services = cidrs.split(',').map(cidr => (cidr.includes(':') ? 'fd00:10:96::/112' : '10.96.0.0/12'));
  const flags = ['--cluster-cidr', cidrs, '--service-cidr', services.join(','), '--overlay', overlay];
  const seconds = 4_000_000 + process.pid + 100_000 * variants.findIndex(one => one.cidrs === cidrs);
  let cluster: Nodes;
  let world: Space;
  let witness: ChildProcess | undefined;
  let a: TestNode;
  let b: TestNode;

  const web = (node: TestNode, more: object = {}): object => {
    const says = `#!/bin/sh\\necho; echo ${node.name} $REMOTE_ADDR`;
    const script = `mkdir -p /w/cgi-bin; printf '${says}' > /w/cgi-bin/who; chmod +x /w/cgi-bin/who; httpd -p ${port} -h /w; exec sleep ${seconds}`;
    const env = ['podIP', 'podIPs', 'hostIPs'].map(name => ({
      name,
      valueFrom: { fieldRef: { fieldPath: `status.${name}` } },
    }));
    return {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: `web-${node.name}`, labels: { app: 'web' } },
      spec: {
        nodeName: node.name,
        terminationGracePeriodSeconds: 1,
        containers: [
          {
            name: 'c',
            image: 'localhost/busybox:1',
            command: ['sh', '-c', script],
            env,
            ports: [{ containerPort: port, hostPort: 18_080 }],
            readinessProbe: { tcpSocket: { port }, periodSeconds: 1 },
          },
        ],
        ...more,
      },
    };
  };
  const podOf = async (node: TestNode) =>
    JSON.parse(await cluster.kubectl('get', 'pod', `web-${node.name}`, '-o', 'json')) as {
      status: { podIP: string; podIPs: { ip: string }[]; hostIP: string; hostIPs: { ip: string }[] };
    };
  const addressesOf = async (node: TestNode) => (await podOf(node)).status.podIPs.map(({ ip }) => ip);
  const sixOf = async (node: TestNode) => (await addressesOf(node)).find(ip => ip.includes(':')) as string;
  const inPod = (node: TestNode, ...words: string[]) => cluster.kubectl('exec', `web-${node.name}`, '--', ...words);
  const who = (address: string, at = port) => `http://[${address}]:${at}/cgi-bin/who`;
  const plain = (text: string) => text.trim().replace(/[[\]]|::ffff:/g, '');

  beforeAll(async () => {
    cluster = await startNodes(2, { ipv6: true, agentFlags: [...flags, '--rm'], controllerFlags: flags.slice(0, 4) });
    [a, b] = cluster.nodes as [TestNode, TestNode];
    await cluster.apply(web(a), web(b));
    await cluster.kubectl('wait', 'pod', '-l', 'app=web', '--for=condition=Ready', '--timeout=60s');
    witness = spawn('nsenter', ['-t', String(a.holder), '-n', 'sleep', '600'], { stdio: 'ignore' });
    // a machine on a wire of the first node
    world = await openSpace();
    a.run('ip', 'link', 'add', 'wire', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(world.pid));
    a.run('ip', 'address', 'add', 'fd00:99::1/64', 'dev', 'wire', 'nodad');
    a.run('ip', 'link', 'set', 'wire', 'up');
    await world.run('ip', 'address', 'add', `${outside}/64`, 'dev', 'eth0', 'nodad');
    await world.run('ip', 'link', 'set', 'eth0', 'up');
    await world.serve('world', 9000);
  }, 120_000);
  afterAll(async () => {
    await cluster?.[Symbol.asyncDispose]();
    world?.close();
    const left = ['ip -o link', 'nft list tables', 'ip -6 route show table all'].map(words => inNodeNetwork(words));
    witness?.kill();
    for (const text of left) expect(text).not.toMatch(/cni0|veth|keelson|fd00:10/);
  }, 60_000);
  /** The first node's network, which outlives it. */
  const inNodeNetwork = (words: string): string =>
    execFileSync('nsenter', ['-t', String(witness?.pid), '-n', ...words.split(' ')], { encoding: 'utf8' });

  test('nodes have ranges and addresses of these families, and pods have theirs, the primary one first', async () => {
    const families = cidrs.split(',').map(cidr => cidr.includes(':'));
    const node = JSON.parse(await cluster.kubectl('get', 'node', a.name, '-o', 'json')) as {
      spec: { podCIDR: string; podCIDRs: string[] };
      status: { addresses: { type: string; address: string }[] };
    };
    expect(node.spec.podCIDRs.map(cidr => cidr.includes(':'))).toEqual(families);
    expect(node.spec.podCIDR).toBe(node.spec.podCIDRs[0]);
    const own = families.map(six => (six ? a.address6 : a.address));
    expect(node.status.addresses.filter(({ type }) => type === 'InternalIP').map(one => one.address)).toEqual(own);
    const { status } = await podOf(a);
    expect(status.podIPs.map(({ ip }) => ip.includes(':'))).toEqual(families);
    expect(status.hostIPs.map(({ ip }) => ip)).toEqual(own);
    expect([status.podIP, status.hostIP]).toEqual([status.podIPs[0]?.ip, own[0]]);
    expect(await inPod(a, 'sh', '-c', 'echo $podIP $podIPs $hostIPs')).toBe(
      `${status.podIP} ${status.podIPs.map(({ ip }) => ip).join()} ${own.join()}\n`,
    );
    for (const { ip } of status.podIPs) expect(await inPod(a, 'cat', '/etc/hosts')).toContain(`${ip}\tweb-${a.name}\n`);
    expect(await cluster.kubectl('get', 'pod', '-o', 'wide')).toContain(status.podIP);
  });

  test('pods and nodes reach each other by every address, and see who asks', async () => {
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const)
      for (const [i, address] of (await addressesOf(to)).entries()) {
        const url = address.includes(':') ? who(address) : `http://${address}:${port}/cgi-bin/who`;
        const answer = await eventually('an answer', async () =>
          inPod(from, 'wget', '-qO-', url).catch(() => undefined),
        );
        expect(plain(answer)).toBe(`${to.name} ${(await addressesOf(from))[i]}`);
        expect(from.run('curl', '-sS', '-m', '3', url)).toContain(to.name);
        expect(await inPod(from, 'ping', '-c', '1', '-W', '2', address)).toContain(' 0% packet loss');
      }
  });

  test('a pod, a node and the world outside reach what they may, by IPv6', async () => {
    const [own] =
      a.run('ip', '-6', '-o', 'addr', 'show', 'dev', 'cni0', 'scope', 'global').match(/fd00:10:244[^/]*/) ?? [];
    expect(await inPod(a, 'ping', '-c', '1', '-W', '2', own ?? '')).toContain(' 0% packet loss');
    // the world does not know the way to pods: they come as their node
    expect(await inPod(a, 'sh', '-c', `nc ${outside} 9000 < /dev/null`)).toBe('world fd00:99::1\n');
    expect(await world.run('curl', '-sS', '-m', '3', who('fd00:99::1', 18_080))).toContain(a.name);
    expect(b.run('curl', '-sS', '-m', '3', who(a.address6, 18_080))).toContain(a.name);
    expect(await inPod(b, 'wget', '-qO-', who(a.address6, 18_080))).toContain(a.name);
    expect(await inPod(a, 'wget', '-qO-', who(a.address6, 18_080))).toContain(a.name);
  });

  test('a Service and its name lead to pods of both nodes, by every family', async () => {
    await cluster.apply({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web' },
      spec: { selector: { app: 'web' }, ipFamilyPolicy: 'PreferDualStack', ports: [{ port: 80, targetPort: port }] },
    });
    const addresses = JSON.parse(
      await cluster.kubectl('get', 'service', 'web', '-o', 'jsonpath={.spec.clusterIPs}'),
    ) as string[];
    expect(addresses.map(ip => ip.includes(':'))).toEqual(cidrs.split(',').map(cidr => cidr.includes(':')));
    for (const host of ['web', ...addresses.map(ip => (ip.includes(':') ? `[${ip}]` : ip))]) {
      const seen = new Set<string>();
      await eventually(`both pods answer by ${host}`, async () => {
        const answer = await inPod(a, 'wget', '-qO-', `http://${host}/cgi-bin/who`).catch(() => '');
        seen.add(answer.trim().split(' ')[0] ?? '');
        return seen.has(a.name) && seen.has(b.name);
      });
    }
  });

  test('rules that somebody flushed come back', async () => {
    a.run('nft', 'delete', 'table', 'ip6', 'keelson_hostports');
    await eventually('the port leads to the pod again', async () => {
      const { stdout } = await world.run('curl', '-sS', '-m', '1', who('fd00:99::1', 18_080)).then(
        text => ({ stdout: text }),
        () => ({ stdout: '' }),
      );
      return stdout.includes(a.name);
    });
  });

  test('nobody but the node tells pods the way', async () => {
    expect(await inPod(a, 'ip', '-6', 'route')).toMatch(/^default via fd00:10:244[^ ]* dev eth0/m);
    expect(a.run('nft', 'list', 'chain', 'bridge', 'keelson', 'forward')).toContain('nd-router-advert');
    expect(a.run('ip', '-6', 'addr')).not.toMatch(/dadfailed/);
    expect(a.run('cat', '/proc/sys/net/ipv6/conf/cni0/accept_ra').trim()).toBe('0');
  });

  test('an agent that starts again keeps addresses, routes and connections', async () => {
    const before = [await addressesOf(a), a.run('ip', '-6', 'route'), a.run('ip', 'route')];
    await cluster.stopAgent(a, 'SIGKILL');
    expect(await inPodOfB(await sixOf(a))).toContain(a.name);
    await cluster.startAgent(a);
    expect([await addressesOf(a), a.run('ip', '-6', 'route'), a.run('ip', 'route')]).toEqual(before);
    expect(await inPodOfB(await sixOf(a))).toContain(a.name);
  });
  const inPodOfB = async (address: string) => inPod(b, 'wget', '-qO-', who(address));

  test('a node that leaves takes its entries along', async () => {
    const range = ((await sixOf(b)).match(/^.*::/) ?? [''])[0];
    const entries = () =>
      a.run('ip', '-6', 'route') + (tunnel ? a.run('bridge', 'fdb', 'show', 'dev', 'keelson.vx') : '');
    expect(entries()).toContain(range);
    if (tunnel) expect(entries()).toContain(`dst ${tunnel}`);
    await cluster.stopAgent(b);
    await cluster.kubectl('delete', 'node', b.name);
    await eventually(
      'no entry',
      async () => !entries().includes(range) && (!tunnel || !entries().includes(`dst ${tunnel}`)),
    );
  });
});
