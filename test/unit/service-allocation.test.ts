import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ApiClient } from '../../src/api/client.js';
import type { Engine } from '../../src/api/engine.js';
import { KindRegistry } from '../../src/api/kind-registry.js';
import { builtInKinds } from '../../src/api/kinds/index.js';
import { View } from '../../src/api/view.js';
import type { Service, ServiceSpec } from '../../src/kube/api/core-v1.js';
import { StatusError } from '../../src/kube/status.js';
import { createMemoryStore } from '../../src/store/memory.js';

let client: ApiClient;
let view: View;

beforeEach(async () => {
  const store = createMemoryStore();
  const kinds = new KindRegistry(builtInKinds);
  view = new View(store, kinds.stored);
  const engine: Engine = { store, view, kinds, now: Date.now, random: Math.random };
  client = new ApiClient(engine);
  await client.create('Namespace', { metadata: { name: 'default' } });
});
afterEach(() => view.close());

const http = { port: 80 };
async function create(name: string, spec: object): Promise<ServiceSpec> {
  const { object } = await client.create('Service', { metadata: { name, namespace: 'default' }, spec });
  return (object as unknown as Service).spec!;
}
async function update(name: string, change: (spec: ServiceSpec) => ServiceSpec): Promise<ServiceSpec> {
  const { object } = await client.update(
    'Service',
    { namespace: 'default', name },
    old => ({ ...old, spec: change((old as unknown as Service).spec!) }) as typeof old,
  );
  return (object as unknown as Service).spec!;
}
const refusal = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'accepted',
    error => {
      if (error instanceof StatusError) return error.message;
      throw error;
    },
  );

describe('cluster addresses', () => {
  test('one for each, with everything that belongs to it', async () => {
    const spec = await create('web', { ports: [http], selector: { app: 'web' } });
    expect(spec).toMatchObject({
      type: 'ClusterIP',
      clusterIPs: [spec.clusterIP],
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
      internalTrafficPolicy: 'Cluster',
      sessionAffinity: 'None',
      ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
    });
    expect(spec.clusterIP).toMatch(/^10\.(9[6-9]|10\d|11[01])\./);
  });
  test('one that was asked for, once', async () => {
    expect((await create('a', { ports: [http], clusterIP: '10.96.0.10' })).clusterIP).toBe('10.96.0.10');
    expect(await refusal(create('b', { ports: [http], clusterIP: '10.96.0.10' }))).toBe(
      'Service "b" is invalid: spec.clusterIPs: Invalid value: ["10.96.0.10"]: failed to allocate IP 10.96.0.10: provided IP is already allocated',
    );
    expect(await refusal(create('c', { ports: [http], clusterIP: '192.168.1.1' }))).toContain(
      'the provided IP (192.168.1.1) is not in the valid range. The range of valid IPs is 10.96.0.0/12',
    );
    await client.delete('Service', { namespace: 'default', name: 'a' });
    expect((await create('b', { ports: [http], clusterIP: '10.96.0.10' })).clusterIP).toBe('10.96.0.10');
  });
  test('of many that ask for the same at once, one gets it', async () => {
    const asked = ['a', 'b', 'c', 'd', 'e', 'f'].map(name =>
      refusal(create(name, { type: 'NodePort', clusterIP: '10.96.0.77', ports: [{ port: 80, nodePort: 30_080 }] })),
    );
    const answers = await Promise.all(asked);
    expect(answers.filter(answer => answer === 'accepted')).toHaveLength(1);
  });
  test('a write that fails gives back what it had reserved', async () => {
    expect(await refusal(create('BAD', { ports: [http], clusterIP: '10.96.0.88' }))).toContain('a DNS-1035 label');
    expect((await create('good', { ports: [http], clusterIP: '10.96.0.88' })).clusterIP).toBe('10.96.0.88');
  });
  test('none for headless and external ones', async () => {
    expect(await create('h', { clusterIP: 'None', selector: { app: 'x' } })).toMatchObject({
      clusterIP: 'None',
      clusterIPs: ['None'],
      ipFamilies: ['IPv4'],
    });
    expect((await create('n', { clusterIP: 'None' })).ipFamilyPolicy).toBe('RequireDualStack');
    const external = await create('e', { type: 'ExternalName', externalName: 'example.com' });
    expect(external).toEqual({ type: 'ExternalName', externalName: 'example.com', sessionAffinity: 'None' });
  });
  test('kept by an update that leaves it out, and never changed', async () => {
    const { clusterIP } = await create('web', { ports: [http] });
    const after = await update('web', ({ clusterIP: _, clusterIPs: __, ...spec }) => ({
      ...spec,
      selector: { a: 'b' },
    }));
    expect(after.clusterIP).toBe(clusterIP);
    expect(await refusal(update('web', spec => ({ ...spec, clusterIP: '10.96.0.99' })))).toBe(
      'Service "web" is invalid: spec.clusterIPs[0]: Invalid value: ["10.96.0.99"]: may not change once set',
    );
  });
});

describe('node ports', () => {
  test('come with the type and go with it', async () => {
    const { ports = [] } = await create('web', { type: 'NodePort', ports: [http] });
    const nodePort = ports[0]!.nodePort!;
    expect(nodePort).toBeGreaterThanOrEqual(30_086);
    expect(nodePort).toBeLessThanOrEqual(32_767);
    const kept = await update('web', spec => ({ ...spec, ports: [{ port: 80, targetPort: 8080, protocol: 'TCP' }] }));
    expect(kept.ports![0]!.nodePort).toBe(nodePort);
    const gone = await update('web', spec => ({ ...spec, type: 'ClusterIP' }));
    expect(gone.ports![0]!.nodePort).toBeUndefined();
    expect(gone.externalTrafficPolicy).toBeUndefined();
    expect((await create('other', { type: 'NodePort', ports: [{ port: 80, nodePort }] })).ports![0]!.nodePort).toBe(
      nodePort,
    );
  });
  test('asked for: free and in range', async () => {
    await create('a', { type: 'NodePort', ports: [{ port: 80, nodePort: 30_080 }] });
    expect(await refusal(create('b', { type: 'NodePort', ports: [{ port: 80, nodePort: 30_080 }] }))).toBe(
      'Service "b" is invalid: spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated',
    );
    expect(await refusal(create('b', { type: 'NodePort', ports: [{ port: 80, nodePort: 80 }] }))).toBe(
      'Service "b" is invalid: spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767',
    );
  });
  test('TCP and UDP of one port share the number; a local balancer has a health port', async () => {
    const { ports = [], healthCheckNodePort } = await create('dns', {
      type: 'LoadBalancer',
      externalTrafficPolicy: 'Local',
      ports: [
        { name: 'tcp', port: 53, protocol: 'TCP' },
        { name: 'udp', port: 53, protocol: 'UDP' },
      ],
    });
    expect(ports[0]!.nodePort).toBe(ports[1]!.nodePort);
    expect(healthCheckNodePort).toBeGreaterThan(30_000);
    expect(healthCheckNodePort).not.toBe(ports[0]!.nodePort);
  });
  test('may be declined for balancers', async () => {
    const { ports = [] } = await create('lb', {
      type: 'LoadBalancer',
      allocateLoadBalancerNodePorts: false,
      ports: [http],
    });
    expect(ports[0]!.nodePort).toBeUndefined();
  });
  test('a full range says so; one that is free again is found', async () => {
    const ports = Array.from({ length: 2768 }, (_, i) => ({ name: `p${i}`, port: i + 1 }));
    await create('all', { type: 'NodePort', ports });
    const one = () => create('one', { type: 'NodePort', ports: [http] });
    expect(await refusal(one())).toBe('Internal error occurred: failed to allocate a nodePort: range is full');
    const { ports: held = [] } = await update('all', spec => ({ ...spec, ports: spec.ports!.slice(1) }));
    expect(held).toHaveLength(2767);
    expect((await one()).ports![0]!.nodePort).toBeGreaterThanOrEqual(30_000);
  });
});
