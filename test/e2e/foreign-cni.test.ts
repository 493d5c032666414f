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
