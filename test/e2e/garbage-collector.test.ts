/** Owners and dependents, with what kubectl's --cascade asks for. No node is needed. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
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

/** Makes a ConfigMap, owned by others of that name; resolves with its UID. */
async function configMap(name: string, owners: readonly string[] = [], more: object = {}): Promise<string> {
  const ownerReferences = owners.map(owner => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    name: owner,
    uid: server.engine.view.get('ConfigMap', 'default', owner)?.metadata.uid ?? '00000000-0000-0000-0000-000000000000',
    blockOwnerDeletion: true,
  }));
  const made = await server.client.create('ConfigMap', {
    metadata: { name, namespace: 'default', ownerReferences, ...more },
  });
  return made.object.metadata.uid!;
}

const get = (name: string) => server.engine.view.get('ConfigMap', 'default', name);

/** Resolves when `done` holds; looks again at every change. */
function until(done: () => boolean): Promise<void> {
  return new Promise(resolve => {
    if (done()) return resolve();
    const subscription = server.engine.view.subscribe(() => {
      if (!done()) return;
      subscription.close();
      resolve();
    });
  });
}

describe('kubectl delete', () => {
  test('--cascade=background: dependents follow, theirs too', async () => {
    await configMap('a');
    await configMap('b', ['a']);
    await configMap('c', ['b']);
    await k.ok('delete', 'configmap', 'a');
    await until(() => !get('b') && !get('c'));
  });

  test('--cascade=foreground: dependents first', async () => {
    await configMap('f');
    await configMap('g', ['f'], { finalizers: ['example.com/wait'] });
    await k.ok('delete', 'configmap', 'f', '--cascade=foreground', '--wait=false');
    await until(() => get('g')?.metadata.deletionTimestamp !== undefined);
    expect(get('f')?.metadata.finalizers).toEqual(['foregroundDeletion']);
    await k.ok('patch', 'configmap', 'g', '--type=merge', '-p', '{"metadata":{"finalizers":null}}');
    await until(() => !get('g') && !get('f'));
  });

  test('--cascade=foreground without dependents ends at once', async () => {
    await configMap('alone');
    await k.ok('delete', 'configmap', 'alone', '--cascade=foreground');
    expect(get('alone')).toBeUndefined();
  });

  test('--cascade=orphan: dependents stay, without their owner', async () => {
    await configMap('o');
    await configMap('p', ['o']);
    await k.ok('delete', 'configmap', 'o', '--cascade=orphan');
    expect(get('o')).toBeUndefined();
    expect(get('p')?.metadata.ownerReferences).toBeUndefined();
  });
});

describe('an owner', () => {
  test('that never was takes its dependent along', async () => {
    await configMap('stray', ['nobody']);
    await until(() => !get('stray'));
  });

  test('that goes while another stays is only struck off', async () => {
    await configMap('one');
    await configMap('two');
    await configMap('both', ['one', 'two']);
    await k.ok('delete', 'configmap', 'one');
    await until(() => get('both')?.metadata.ownerReferences?.length === 1);
    expect(get('both')?.metadata.ownerReferences?.[0]?.name).toBe('two');
  });

  test('of a kind that nobody serves is left alone', async () => {
    await server.client.create('ConfigMap', {
      metadata: {
        name: 'foreign',
        namespace: 'default',
        ownerReferences: [{ apiVersion: 'example.com/v1', kind: 'Thing', name: 't', uid: 'u' }],
      },
    });
    await configMap('marker', ['nobody']);
    await until(() => !get('marker'));
    expect(get('foreign')).toBeDefined();
  });
});

test('/scale of a Deployment, by kubectl', async () => {
  await k.ok('create', 'deployment', 'd', '--image=busybox', '--replicas=2');
  await k.ok('scale', 'deployment/d', '--replicas=5', '--current-replicas=2');
  expect(await k.ok('get', 'deployment', 'd', '-o', 'jsonpath={.spec.replicas}')).toBe('5');
  expect(JSON.parse(await k.ok('get', 'deployment', 'd', '--subresource=scale', '-o', 'json'))).toMatchObject({
    kind: 'Scale',
    spec: { replicas: 5 },
    status: { selector: 'app=d' },
  });
});
