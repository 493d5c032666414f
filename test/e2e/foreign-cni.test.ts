/** The agent on a network of Debian's plugins (scripts/fetch-cni.mjs), told of by a conflist. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, eventually, repository, sleeper, startCluster } from '../helpers/cluster.js';

const plugins = join(repository, '.cache/cni/usr/lib/cni');

describe.skipIf(!existsSync(plugins))('plugins of Debian', () => {
  const folder = mkdtempSync('/tmp/kt-foreign-');
  const leases = () => readdirSync(join(folder, 'leases/foreign')).filter(name => name.startsWith('10.'));
  let cluster: Cluster;

  beforeAll(async () => {
    const ipam = {
      type: 'host-local',
      dataDir: join(folder, 'leases'),
      ranges: [[{ subnet: '10.99.0.0/24' }]],
      routes: [{ dst: '0.0.0.0/0' }],
    };
    const list = [
      { type: 'bridge', bridge: 'foreign0', isGateway: true, hairpinMode: true, ipam },
      { type: 'portmap', capabilities: { portMappings: true }, snat: true },
      { type: 'bandwidth', capabilities: { bandwidth: true } },
    ];
    mkdirSync(join(folder, 'net.d'));
    writeFileSync(
      join(folder, 'net.d/10-foreign.conflist'),
      JSON.stringify({ cniVersion: '1.0.0', name: 'foreign', plugins: list }),
    );
    cluster = await startCluster({ flags: ['--cni-conf-dir', join(folder, 'net.d'), '--cni-bin-dir', plugins] });
  });
  afterAll(async () => {
    await cluster?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  const pod = (name: string, ports: object[] = [], annotations: object = {}) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, annotations },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [
        {
          name: 'c',
          image: 'localhost/busybox:1',
          command: ['sh', '-c', 'mkdir /w; hostname > /w/index.html; exec httpd -f -p 8080 -h /w'],
          ports,
        },
      ],
    },
  });
  const ready = (name: string) => cluster.kubectl('wait', 'pod', name, '--for=condition=Ready', '--timeout=30s');
  const addressOf = async (name: string) =>
    (await cluster.kubectl('get', 'pod', name, '-o', 'jsonpath={.status.podIP}')).trim();
  const fetch = (url: string) => cluster.enter('curl', '-sS', '-m', '2', url).then(text => text.trim(), String);
  /** On the bridge's own address, which is the node's. */
  const url = 'http://10.99.0.1:18090/';

  const internal = () =>
    cluster.kubectl('get', 'nodes', '-o', 'jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}');
  test('the node claims no address that no link has', async () => {
    expect(await internal()).toBe('');
    expect(await cluster.kubectl('get', 'nodes', '-o', 'wide')).toMatch(/INTERNAL-IP(.*\n)+.*\s<none>\s/);
  });

  test('pods have their addresses, and reach each other', async () => {
    const limited = { 'kubernetes.io/ingress-bandwidth': '8M' };
    await cluster.apply(pod('web', [{ containerPort: 8080, hostPort: 18090 }], limited), pod('other'));
    await Promise.all(['web', 'other'].map(ready));
    const address = await addressOf('web');
    expect(address).toMatch(/^10\.99\.0\.\d+$/);
    expect(leases().sort()).toEqual([address, await addressOf('other')].sort());
    await eventually('it listens', async () => (await fetch(`http://${address}:8080/`)) === 'web');
    expect(await cluster.kubectl('exec', 'other', '--', 'wget', '-qO-', `http://${address}:8080/`)).toBe('web\n');
    expect(await cluster.kubectl('exec', 'web', '--', 'ip', 'route')).toContain('default via 10.99.0.1');
  });

  test("the bridge's address is the node's, as soon as there is one", async () => {
    await eventually('the Node has it', async () => (await internal()) === '10.99.0.1');
    const addresses = await cluster.kubectl('get', 'pod', 'web', '-o', 'jsonpath={.status.hostIP}');
    expect(addresses).toBe('10.99.0.1');
  });

  test('another configuration is told of: it is used from the next start on', async () => {
    const plugins = [{ type: 'bridge' }];
    writeFileSync(
      join(folder, 'net.d/05-other.conflist'),
      JSON.stringify({ cniVersion: '1.0.0', name: 'other', plugins }),
    );
    const words = () => cluster.kubectl('get', 'events', '-A', '-o', 'jsonpath={.items[*].message}');
    await eventually('an event', async () =>
      (await words()).includes('05-other.conflist (network "other") is taken only'),
    );
    rmSync(join(folder, 'net.d/05-other.conflist'));
  });

  test('what pods ask of portmap and bandwidth is passed on', async () => {
    await eventually('the port leads to the pod', async () => (await fetch(url)) === 'web');
    expect(await cluster.enter('tc', 'qdisc')).toMatch(/tbf .* rate 8Mbit/);
  });

  test('a pod that goes gives all of it back, also one that went while the agent was away', async () => {
    const other = await addressOf('other');
    await cluster.kubectl('delete', 'pod', 'web');
    await eventually('its address is free', async () => leases().join() === other);
    expect(await fetch(url)).toContain('curl');
    await cluster.kubectl('delete', 'pod', 'other', '--wait=false');
    await cluster.crash('agent');
    await eventually('its address is free', async () => leases().length === 0);
  });

  test('an agent that is killed keeps the addresses of its pods', async () => {
    await cluster.apply(sleeper('stays'));
    await ready('stays');
    const address = await addressOf('stays');
    await cluster.crash('agent');
    await cluster.apply(sleeper('next'));
    await ready('next');
    expect(await addressOf('stays')).toBe(address);
    expect(leases().sort()).toEqual([address, await addressOf('next')].sort());
  });
});
