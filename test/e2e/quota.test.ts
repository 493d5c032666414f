/** ResourceQuota and LimitRange, by kubectl. No node is needed. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startApiServer, type TestServer } from '../helpers/api-server.js';
import { type Kubectl, kubectl } from '../helpers/kubectl.js';

let server: TestServer;
let k: Kubectl;

beforeAll(async () => {
  server = await startApiServer();
  k = kubectl(server.kubeconfig);
});
afterAll(async () => {
  k?.close();
  await server?.close();
});

const pod = (name: string, namespace: string, resources: object = {}) => ({
  metadata: { name, namespace },
  spec: { containers: [{ name: 'c', image: 'i', resources }] },
});
const used = (namespace: string, name: string) =>
  (server.engine.view.get('ResourceQuota', namespace, 'q')?.status as { used?: Record<string, string> } | undefined)
    ?.used?.[name];

/** Resolves when the quota's usage is that. */
function untilUsed(namespace: string, name: string, value: string): Promise<void> {
  return new Promise(resolve => {
    if (used(namespace, name) === value) return resolve();
    const subscription = server.engine.view.subscribe(() => {
      if (used(namespace, name) !== value) return;
      subscription.close();
      resolve();
    });
  });
}

test('a quota counts, refuses in words, and gives back', async () => {
  await k.ok('create', 'namespace', 'n');
  await k.ok('create', 'quota', 'q', '-n', 'n', '--hard=pods=2,requests.cpu=1,configmaps=5');
  const half = { requests: { cpu: '500m' } };
  await server.client.create('Pod', pod('a', 'n', half));
  await server.client.create('Pod', pod('b', 'n', half));
  expect(used('n', 'requests.cpu')).toBe('1');
  await expect(server.client.create('Pod', pod('c', 'n', half))).rejects.toThrow(
    'pods "c" is forbidden: exceeded quota: q, requested: pods=1,requests.cpu=500m, used: pods=2,requests.cpu=1, limited: pods=2,requests.cpu=1',
  );
  await expect(server.client.create('Pod', pod('d', 'n'))).rejects.toThrow(
    'pods "d" is forbidden: failed quota: q: must specify requests.cpu for: c',
  );
  await k.ok('delete', 'pod', 'a', '-n', 'n', '--wait=false');
  await untilUsed('n', 'pods', '1');
  expect(await k.ok('describe', 'quota', 'q', '-n', 'n')).toMatch(/pods +1 +2/);
});

test('a burst never passes the limit', async () => {
  await k.ok('create', 'namespace', 'burst');
  await k.ok('create', 'quota', 'q', '-n', 'burst', '--hard=count/configmaps=7');
  await untilUsed('burst', 'count/configmaps', '1');
  const all = Array.from({ length: 30 }, (_, i) =>
    server.client.create('ConfigMap', { metadata: { name: `m${i}`, namespace: 'burst' } }),
  );
  const made = (await Promise.allSettled(all)).filter(({ status }) => status === 'fulfilled');
  // the namespace's own kube-root-ca.crt is the seventh
  expect(made).toHaveLength(6);
  expect(server.engine.view.list('ConfigMap', 'burst')).toHaveLength(7);
});

test('a scoped quota looks only at its pods', async () => {
  await k.ok('create', 'namespace', 's');
  await k.ok('create', 'quota', 'q', '-n', 's', '--hard=pods=0', '--scopes=BestEffort');
  await expect(server.client.create('Pod', pod('a', 's'))).rejects.toThrow('exceeded quota: q, requested: pods=1');
  await server.client.create('Pod', pod('b', 's', { requests: { cpu: '1' } }));
});

test('a limit range fills in and holds to its bounds', async () => {
  await k.ok('create', 'namespace', 'l');
  const range = `apiVersion: v1
kind: LimitRange
metadata: {name: r, namespace: l}
spec:
  limits:
  - type: Container
    default: {cpu: 500m, memory: 64Mi}
    defaultRequest: {cpu: 100m}
    max: {cpu: "1"}
    min: {memory: 16Mi}
    maxLimitRequestRatio: {cpu: "5"}
`;
  await k.ok('apply', '-f', k.file('range.yaml', range));
  const { object } = await server.client.create('Pod', pod('a', 'l'));
  expect((object.spec as { containers: { resources: object }[] }).containers[0]!.resources).toEqual({
    limits: { cpu: '500m', memory: '64Mi' },
    requests: { cpu: '100m', memory: '64Mi' },
  });
  await expect(server.client.create('Pod', pod('b', 'l', { limits: { cpu: '2', memory: '8Mi' } }))).rejects.toThrow(
    'pods "b" is forbidden: [maximum cpu usage per Container is 1, but limit is 2, minimum memory usage per Container is 16Mi, but request is 8Mi]',
  );
  await expect(
    server.client.create('Pod', pod('c', 'l', { limits: { cpu: '1' }, requests: { cpu: '100m' } })),
  ).rejects.toThrow('cpu max limit to request ratio per Container is 5, but provided ratio is 10');
});
