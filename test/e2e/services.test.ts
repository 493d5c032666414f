/** What stands behind a Service, as real kubectl sees it: EndpointSlices, Endpoints, what goes to one of the pods. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Endpoints, Service } from '../../src/kube/api/core-v1.js';
import type { EndpointSlice } from '../../src/kube/api/discovery-v1.js';
import type { Pod } from '../../src/kube/pod.js';
import { type Cluster, eventually, freePort, startCluster } from '../helpers/cluster.js';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(async () => cluster[Symbol.asyncDispose]());

const k = (...args: string[]) => cluster.kubectl(...args);
const items = async <T>(...args: string[]): Promise<T[]> => (await cluster.get<{ items: T[] }>(...args)).items;
const slicesOf = (service: string) =>
  items<EndpointSlice>('endpointslices', '-l', `kubernetes.io/service-name=${service}`);
const endpointsOf = async (service: string) => (await slicesOf(service)).flatMap(({ endpoints = [] }) => endpoints);
const readyOf = async (service: string) =>
  (await endpointsOf(service)).filter(({ conditions }) => conditions?.ready).length;

const web = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: {
        terminationGracePeriodSeconds: 3,
        containers: [
          {
            name: 'c',
            image: 'localhost/busybox:1',
            command: ['sh', '-c', 'mkdir /w; echo hello > /w/index.html; exec httpd -f -p 8080 -h /w'],
            ports: [{ name: 'http', containerPort: 8080 }],
          },
        ],
      },
    },
  },
};

test('an exposed Deployment: slices, Endpoints, describe, proxy, port-forward, scale', async () => {
  await cluster.apply(web);
  await k('rollout', 'status', 'deployment/web', '--timeout=60s');
  await k('expose', 'deployment', 'web', '--port=80', '--target-port=http');
  await eventually('two are ready', async () => (await readyOf('web')) === 2);
  const [slice, ...others] = await slicesOf('web');
  expect(others).toEqual([]);
  expect(slice).toMatchObject({
    addressType: 'IPv4',
    ports: [{ port: 8080, protocol: 'TCP' }],
    metadata: {
      generateName: 'web-',
      labels: { 'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io' },
      ownerReferences: [{ kind: 'Service', name: 'web', controller: true, blockOwnerDeletion: true }],
    },
  });
  const pods = await items<Pod>('pods', '-l', 'app=web');
  const ips = pods.map(({ status }) => status?.podIP).sort();
  const text = await k('get', 'endpointslices,endpoints');
  for (const ip of ips) expect(text).toContain(ip);
  expect(await k('describe', 'service', 'web')).toMatch(/Endpoints: +[\d.]+:8080,[\d.]+:8080/);
  expect(
    (await cluster.get<Endpoints>('endpoints', 'web')).subsets?.[0]?.addresses?.map(({ ip }) => ip).sort(),
  ).toEqual(ips);
  expect(await k('get', '--raw', '/api/v1/namespaces/default/services/web:80/proxy/')).toBe('hello\n');
  await forwarded('svc/web');
  await k('scale', 'deployment/web', '--replicas=3');
  await eventually('a third', async () => (await readyOf('web')) === 3);
  await k('scale', 'deployment/web', '--replicas=0');
  await eventually('none', async () => (await endpointsOf('web')).length === 0);
  expect((await slicesOf('web')).map(({ metadata }) => metadata.name)).toEqual([slice?.metadata.name]);
});

async function forwarded(what: string): Promise<void> {
  const port = await freePort();
  const child = cluster.startKubectl(['port-forward', what, `${port}:80`]);
  try {
    await new Promise<void>((resolve, reject) => {
      child.stdout?.once('data', () => resolve());
      child.once('exit', code => reject(new Error(`kubectl port-forward ended with ${code}`)));
    });
    const answer = await fetch(`http://127.0.0.1:${port}/`);
    expect(await answer.text()).toBe('hello\n');
  } finally {
    child.kill();
  }
}

test('a pod on its way out is terminating, and no longer ready', async () => {
  const metadata = { name: 'slow', labels: { app: 'slow' } };
  const stay = "trap '' TERM; while :; do sleep 1; done";
  const containers = [{ name: 'c', image: 'localhost/busybox:1', command: ['sh', '-c', stay] }];
  await cluster.apply({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata,
    spec: { terminationGracePeriodSeconds: 5, containers },
  });
  await k('expose', 'pod', 'slow', '--port=80');
  await eventually('ready', async () => (await readyOf('slow')) === 1);
  await k('delete', 'pod', 'slow', '--wait=false');
  await eventually('terminating', async () => {
    const [endpoint] = await endpointsOf('slow');
    return endpoint?.conditions?.terminating === true && endpoint.conditions.ready === false;
  });
  await eventually('gone', async () => (await endpointsOf('slow')).length === 0);
});

test('a Service without its selector has nothing; what users wrote stays; a deleted Service takes its slices along', async () => {
  await k('create', 'service', 'clusterip', 'plain', '--tcp=80');
  await eventually('an empty slice', async () => (await slicesOf('plain')).length === 1);
  await cluster.apply({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'by-hand', labels: { 'kubernetes.io/service-name': 'plain' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['192.0.2.1'] }],
    ports: [{ port: 80 }],
  });
  await k('patch', 'service', 'plain', '--type=json', '-p', '[{"op":"remove","path":"/spec/selector"}]');
  const names = async () => (await slicesOf('plain')).map(({ metadata }) => metadata.name);
  await eventually('only ours went', async () => (await names()).join() === 'by-hand');
  await k('delete', 'service', 'web');
  await eventually('its slices go', async () => (await slicesOf('web')).length === 0);
  await eventually(
    'its Endpoints go',
    async () => !(await k('get', 'endpoints', '-o', 'name')).includes('endpoints/web'),
  );
});

test('Endpoints written by hand are mirrored into slices, and go with their Service', async () => {
  const byHand = (ip: string) => ({
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { name: 'legacy' },
    subsets: [{ addresses: [{ ip }], ports: [{ port: 8080 }] }],
  });
  const metadata = { name: 'legacy' };
  await cluster.apply({ apiVersion: 'v1', kind: 'Service', metadata, spec: { ports: [{ port: 80 }] } });
  await cluster.apply(byHand('192.0.2.1'));
  const addresses = async () => (await endpointsOf('legacy')).flatMap(one => one.addresses).join();
  await eventually('mirrored', async () => (await addresses()) === '192.0.2.1');
  await cluster.apply(byHand('192.0.2.2'));
  await eventually('followed', async () => (await addresses()) === '192.0.2.2');
  await k('delete', 'service', 'legacy');
  await eventually('both are gone', async () => {
    const left = await k('get', 'endpoints,endpointslices', '-o', 'name');
    return !left.includes('legacy');
  });
});

test('a LoadBalancer has the addresses of the nodes, unless it asks for another class', async () => {
  await k('create', 'service', 'loadbalancer', 'front', '--tcp=80');
  const nodes = await k('get', 'nodes', '-o', 'jsonpath={.items[*].status.addresses[?(@.type=="InternalIP")].address}');
  const found = await eventually('an address', async () => {
    const { status } = await cluster.get<Service>('service', 'front');
    return status?.loadBalancer?.ingress;
  });
  expect(found).toEqual(nodes.split(' ').map(ip => ({ ip, ipMode: 'VIP' })));
  expect(await k('get', 'service', 'front')).not.toContain('<pending>');
  await k('patch', 'service', 'front', '-p', '{"spec":{"type":"ClusterIP"}}');
  await eventually('gives them back', async () => {
    const { spec, status } = await cluster.get<Service>('service', 'front');
    return status?.loadBalancer?.ingress === undefined && spec?.ports?.[0]?.nodePort === undefined;
  });
  const ports = [{ port: 80 }];
  const metadata = { name: 'foreign' };
  const spec = { type: 'LoadBalancer', loadBalancerClass: 'example.org/other', selector: { app: 'front' }, ports };
  await cluster.apply({ apiVersion: 'v1', kind: 'Service', metadata, spec });
  await eventually('its slice', async () => (await slicesOf('foreign')).length === 1);
  expect(await k('get', 'service', 'foreign')).toContain('<pending>');
});
