/** Names as pods, and programs on the node, resolve them; and the API where its Service says that it is. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cluster, eventually, repository, startCluster } from '../helpers/cluster.js';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster();
  await cluster.apply(...objects);
  await cluster.kubectl('rollout', 'status', 'statefulset/web', '--timeout=60s');
  await cluster.kubectl('wait', '--for=condition=Ready', 'pod/client', 'pod/own', '--timeout=60s');
});
afterAll(async () => cluster[Symbol.asyncDispose]());

/** By it the client's process is found. */
const clientCommand = `sleep ${2_000_000 + process.pid}`;
const pod = (name: string, command: string[], more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [{ name: 'c', image: 'localhost/busybox:1', command }],
    ...more,
  },
});
const service = (name: string, spec: object) => ({ apiVersion: 'v1', kind: 'Service', metadata: { name }, spec });
const ports = [{ name: 'http', port: 80, targetPort: 8080 }];
const objects = [
  service('web', { clusterIP: 'None', selector: { app: 'web' }, ports }),
  service('front', { selector: { app: 'web' }, ports }),
  service('alias', { type: 'ExternalName', externalName: 'front.default.svc.cluster.local' }),
  {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'web' },
    spec: {
      serviceName: 'web',
      replicas: 2,
      podManagementPolicy: 'Parallel',
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: {
          terminationGracePeriodSeconds: 0,
          containers: [{ name: 'c', image: 'localhost/busybox:1', command: ['sleep', '100000'] }],
        },
      },
    },
  },
  pod('client', ['sh', '-c', `exec ${clientCommand}`]),
  pod('own', ['sleep', '100000'], {
    dnsPolicy: 'None',
    dnsConfig: { nameservers: ['192.0.2.1'], searches: ['example.org'], options: [{ name: 'ndots', value: '2' }] },
  }),
];

/** What Node's resolver makes of it, asked from inside the client's network. */
async function ask(type: string, ...names: string[]): Promise<unknown[]> {
  const pid = (await cluster.enter('pgrep', '-xf', clientCommand)).trim().split('\n')[0] ?? '';
  const program = join(repository, 'test/programs/dns-ask.mjs');
  const words = ['nsenter', '-t', pid, '-n', process.execPath, program, '10.96.0.10', type, ...names];
  return (await cluster.enter(...words))
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as unknown);
}
const addressOf = async (kind: string, name: string, field: string): Promise<string> =>
  cluster.kubectl('get', kind, name, '-o', `jsonpath={${field}}`);
const svc = (rest: string): string => `${rest}.default.svc.cluster.local`;

test('a pod finds Services by their short names, in its namespace and in others', async () => {
  const found = await cluster.kubectl(
    'exec',
    'client',
    '--',
    'nslookup',
    '-type=a',
    'kube-dns.kube-system.svc.cluster.local',
  );
  expect(found).toContain('Address: 10.96.0.10');
  expect(await cluster.kubectl('exec', 'client', '--', 'cat', '/etc/resolv.conf')).toMatch(
    /^search default\.svc\.cluster\.local svc\.cluster\.local cluster\.local.*\nnameserver 10\.96\.0\.10\noptions ndots:5\n$/,
  );
  expect(await cluster.kubectl('exec', 'own', '--', 'cat', '/etc/resolv.conf')).toBe(
    'search example.org\nnameserver 192.0.2.1\noptions ndots:2\n',
  );
});

test('addresses, names of pods, ports and aliases', async () => {
  const front = await addressOf('service', 'front', '.spec.clusterIP');
  const first = await addressOf('pod', 'web-0', '.status.podIP');
  const second = await addressOf('pod', 'web-1', '.status.podIP');
  const [all, ...others] = await ask('A', svc('web'), svc('front'), svc('web-0.web'), svc('web-1.web'), svc('alias'));
  expect((all as string[]).sort()).toEqual([first, second].sort());
  expect(others).toEqual([[front], [first], [second], [front]]);
  expect(await ask('A', svc('web-2.web'), svc('nothing'))).toEqual(['ENOTFOUND', 'ENOTFOUND']);
  expect(await ask('AAAA', svc('front'))).toEqual(['ENODATA']);
  expect(await ask('CNAME', svc('alias'))).toEqual([[svc('front')]]);
  expect(await ask('PTR', front, first)).toEqual([[svc('front')], [svc('web-0.web')]]);
  const [ports] = (await ask('SRV', `_http._tcp.${svc('web')}`)) as [{ name: string; port: number }[]];
  expect(ports.map(({ name, port }) => [name, port]).sort()).toEqual([
    [svc('web-0.web'), 8080],
    [svc('web-1.web'), 8080],
  ]);
});

test('new pods are found, gone ones are not', async () => {
  await cluster.kubectl('scale', 'statefulset/web', '--replicas=3');
  await cluster.kubectl('rollout', 'status', 'statefulset/web', '--timeout=60s');
  const third = await addressOf('pod', 'web-2', '.status.podIP');
  await eventually('the third has a name', async () => {
    const [found] = await ask('A', svc('web-2.web'));
    return Array.isArray(found) && found[0] === third;
  });
  await cluster.kubectl('scale', 'statefulset/web', '--replicas=1');
  await eventually('only the first is left', async () => ((await ask('A', svc('web')))[0] as string[]).length === 1);
});

test('names are answered again by the next agent', async () => {
  await cluster.crash('agent');
  await eventually('it answers', async () => Array.isArray((await ask('A', svc('front')))[0]));
});

test("the API answers a pod at its Service's address, and knows who asks", async () => {
  const read = (name: string) =>
    cluster.kubectl('exec', 'client', '--', 'cat', `/var/run/secrets/kubernetes.io/serviceaccount/${name}`);
  const token = await read('token');
  const pid = (await cluster.enter('pgrep', '-xf', clientCommand)).trim().split('\n')[0] ?? '';
  const get = (path: string) =>
    cluster.enter(
      ...['nsenter', '-t', pid, '-n', 'curl', '-sS', '-m', '5', '--cacert', join(cluster.dataDir, 'pki/ca.crt')],
      ...['--resolve', 'kubernetes.default.svc:443:10.96.0.1', '-H', `Authorization: Bearer ${token}`],
      `https://kubernetes.default.svc${path}`,
    );
  expect(JSON.parse(await get('/version'))).toMatchObject({ major: '1' });
  expect(JSON.parse(await get('/api/v1/namespaces/default/pods'))).toMatchObject({
    reason: 'Forbidden',
    message: expect.stringContaining('system:serviceaccount:default:default'),
  });
});

test('whoever takes the annotation away from kube-dns answers himself', async () => {
  await cluster.kubectl('-n', 'kube-system', 'annotate', 'service', 'kube-dns', 'keelson.dev/served-by-');
  await eventually(
    'the address is nobody',
    async () => !(await cluster.enter('ip', 'addr', 'show', 'lo')).includes('10.96.0.10'),
  );
  await cluster.kubectl('-n', 'kube-system', 'annotate', 'service', 'kube-dns', 'keelson.dev/served-by=agent');
  await eventually('it is ours again', async () => Array.isArray((await ask('A', svc('front')))[0]));
});
