/** A node that changes the way it serves Services: the next mode works, and nothing of the last one is left. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cluster, eventually, startCluster } from '../helpers/cluster.js';

let cluster: Cluster;
const flags: string[] = ['--proxy-mode', 'iptables'];
beforeAll(async () => {
  cluster = await startCluster({ flags, keep: true });
});
afterAll(async () => cluster[Symbol.asyncDispose]());

const serve = 'mkdir /w; echo hello > /w/index.html; exec httpd -f -p 8080 -h /w';
const traces = {
  nftables: /table ip keelson_services$/m,
  userspace: /table ip keelson_userspace$/m,
  iptables: /^:KUBE-SVC-/m,
} as const;
type Mode = keyof typeof traces;

/** Which modes have left anything in the kernel. */
async function present(): Promise<string[]> {
  const kernel = `${await cluster.enter('nft', 'list', 'tables')}\n${await cluster.enter('iptables-save')}`;
  return Object.entries(traces)
    .filter(([, pattern]) => pattern.test(kernel))
    .map(([mode]) => mode);
}

async function answers(): Promise<void> {
  const { spec } = await cluster.get<{ spec: { clusterIP: string } }>('service', 'web');
  await eventually('the Service answers', async () => {
    const text = await cluster.enter('curl', '-sS', '-m', '2', `http://${spec.clusterIP}/`).catch(String);
    return text.trim() === 'hello';
  });
}

test('iptables serves', async () => {
  await cluster.apply(
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web', labels: { app: 'web' } },
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [{ name: 'c', image: 'localhost/busybox:1', command: ['sh', '-c', serve] }],
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web' },
      spec: { type: 'NodePort', selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
    },
  );
  await cluster.kubectl('wait', '--for=condition=Ready', 'pod/web', '--timeout=60s');
  await answers();
  expect(await present()).toEqual(['iptables']);
});

test.each<Mode>(['userspace', 'nftables', 'iptables', 'nftables', 'userspace', 'iptables'])(
  'after a change to %s that one serves, and nothing of the last is left',
  async mode => {
    await cluster.down();
    flags[1] = mode;
    await cluster.up();
    await answers();
    expect(await present()).toEqual([mode]);
  },
);
