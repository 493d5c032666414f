/** EndpointSlices and Endpoints as tables. */
import { describe, expect, test } from 'vitest';
import type { Action, Seen } from '../../src/controllers/contract.js';
import { endpointSliceController, manager } from '../../src/controllers/endpoints/endpoint-slice.js';
import { endpointsController } from '../../src/controllers/endpoints/endpoints.js';
import { loadBalancerController } from '../../src/controllers/endpoints/load-balancer.js';
import { endpointSliceMirroringController } from '../../src/controllers/endpoints/mirror.js';
import type { Endpoint, EndpointSlice } from '../../src/kube/api/discovery-v1.js';
import type { Pod } from '../../src/kube/pod.js';
import { facts, object } from '../helpers/facts.js';
import { deeds, ownerOf, type PodState, pod } from '../helpers/workloads.js';

const labels = { app: 'x' };
const service = (spec: object = {}, metadata: object = {}) =>
  object('Service', 's', 'd', {
    metadata,
    spec: { selector: labels, ipFamilies: ['IPv4'], ports: [{ name: 'p', port: 80, targetPort: 'http' }], ...spec },
  });
const backend = (name: string, ip: string, state: PodState = {}, port = 8080, ips = [ip]): Pod => {
  const containers = [{ name: 'c', ports: [{ name: 'http', containerPort: port }] }];
  const made = pod(name, { labels, ready: true, node: 'n', ...state, spec: { containers, ...state.spec } });
  return { ...made, status: { ...made.status, podIP: ip, podIPs: ips.map(one => ({ ip: one })) } } as Pod;
};
const backends = (count: number) =>
  Array.from({ length: count }, (_, i) => backend(`p${i}`, `10.0.${i >> 8}.${i & 255}`));
const run = (objects: readonly unknown[]) => endpointSliceController.reconcile(facts(objects as Seen[]), 'd/s').actions;
const made = (actions: readonly Action[]): EndpointSlice[] =>
  actions.flatMap(action => (action.do === 'create' ? [action.object as EndpointSlice] : []));
/** What the API would have stored. */
const stored = (actions: readonly Action[]): EndpointSlice[] =>
  made(actions).map((slice, i) => ({ ...slice, metadata: { ...slice.metadata, name: `s-${i}`, uid: `slice-${i}` } }));
const patched = (actions: readonly Action[]) =>
  actions.flatMap(action => (action.do === 'patch' ? [action.patch as { endpoints?: Endpoint[] }] : []));

test('says all of a pod', () => {
  const node = object('Node', 'n', undefined, { metadata: { labels: { 'topology.kubernetes.io/zone': 'z' } } });
  const [slice] = made(
    run([service({ clusterIP: 'None' }), node, backend('a', '10.0.0.1', { spec: { hostname: 'h', subdomain: 's' } })]),
  );
  expect(slice).toMatchObject({
    addressType: 'IPv4',
    ports: [{ name: 'p', port: 8080, protocol: 'TCP' }],
    metadata: {
      generateName: 's-',
      labels: {
        'kubernetes.io/service-name': 's',
        'endpointslice.kubernetes.io/managed-by': manager,
        'service.kubernetes.io/headless': '',
      },
      ownerReferences: [ownerOf(service())],
    },
  });
  expect(slice?.endpoints).toEqual([
    {
      addresses: ['10.0.0.1'],
      conditions: { ready: true, serving: true, terminating: false },
      hostname: 'h',
      targetRef: { kind: 'Pod', namespace: 'd', name: 'a', uid: 'Pod-a' },
      nodeName: 'n',
      zone: 'z',
    },
  ]);
});

test.each<[string, object, PodState, (boolean | undefined)[]]>([
  ['ready', {}, {}, [true, true, false]],
  ['not ready', {}, { ready: false }, [false, false, false]],
  ['on its way out', {}, { deleted: true }, [false, true, true]],
  ['nobody asks', { publishNotReadyAddresses: true }, { ready: false, deleted: true }, [true, false, true]],
])('conditions: %s', (_name, spec, state, expected) => {
  const conditions = made(run([service(spec), backend('a', '10.0.0.1', state)]))[0]?.endpoints?.[0]?.conditions;
  expect([conditions?.ready, conditions?.serving, conditions?.terminating]).toEqual(expected);
});

test.each([
  ['PreferClose', { forZones: [{ name: 'z' }] }],
  ['PreferSameZone', { forZones: [{ name: 'z' }] }],
  ['PreferSameNode', { forZones: [{ name: 'z' }], forNodes: [{ name: 'n' }] }],
  [undefined, undefined],
])('hints: trafficDistribution %s', (trafficDistribution, hints) => {
  const node = object('Node', 'n', undefined, { metadata: { labels: { 'topology.kubernetes.io/zone': 'z' } } });
  const pods = [backend('a', '10.0.0.1'), backend('b', '10.0.0.2', { ready: false })];
  const [slice] = made(run([service({ trafficDistribution }), node, ...pods]));
  expect(slice?.endpoints?.map(endpoint => endpoint.hints)).toEqual([hints, undefined]);
});

test('ended pods, pods without an address and pods of other labels are left out: one empty slice', () => {
  const others = [
    backend('a', '10.0.0.1', { phase: 'Failed' }),
    pod('b', { labels }),
    backend('c', '1.1.1.1', { labels: {} }),
  ];
  const slices = made(run([service(), ...others]));
  expect(slices.map(({ endpoints }) => endpoints)).toEqual([[]]);
});

test('both families, each by its own slices', () => {
  const slices = made(
    run([service({ ipFamilies: ['IPv4', 'IPv6'] }), backend('a', '10.0.0.1', {}, 80, ['10.0.0.1', 'fd00::1'])]),
  );
  expect(slices.map(slice => [slice.addressType, slice.endpoints?.[0]?.addresses])).toEqual([
    ['IPv4', ['10.0.0.1']],
    ['IPv6', ['fd00::1']],
  ]);
});

test('one name, two ports: two slices', () => {
  const slices = made(run([service(), backend('a', '10.0.0.1'), backend('b', '10.0.0.2', {}, 9090)]));
  expect(slices.map(({ ports }) => ports?.[0]?.port)).toEqual([8080, 9090]);
});

describe('slices of 100', () => {
  const all = [service(), ...backends(250)];
  const slices = stored(run(all));
  test('are filled one after the other, and then left alone', () => {
    expect(slices.map(({ endpoints }) => endpoints?.length)).toEqual([100, 100, 50]);
    expect(run([...all, ...slices])).toEqual([]);
  });
  test('one pod less changes one; another one takes its place there', () => {
    const fewer = all.filter(one => one.metadata.name !== 'p3');
    expect(deeds(run([...fewer, ...slices]))).toEqual(['patch EndpointSlice/s-0']);
    const actions = run([...fewer, backend('new', '10.9.9.9'), ...slices]);
    expect(deeds(actions)).toEqual(['patch EndpointSlice/s-0']);
    expect(patched(actions)[0]?.endpoints?.at(-1)?.addresses).toEqual(['10.9.9.9']);
  });
  test('an emptied one goes; the last one stays, empty', () => {
    expect(deeds(run([...all.slice(0, 201), ...slices]))).toEqual(['delete EndpointSlice/s-2']);
    const actions = run([service(), ...slices]);
    expect(deeds(actions)).toEqual(['patch EndpointSlice/s-0', 'delete EndpointSlice/s-1', 'delete EndpointSlice/s-2']);
    expect(patched(actions)).toEqual([{ endpoints: [] }]);
  });
  test('go with the selector; those of others stay', () => {
    const foreign = { ...slices[0]!, metadata: { ...slices[0]!.metadata, name: 'other', labels: {} } };
    expect(deeds(run([service({ selector: {} }), slices[1], foreign]))).toEqual(['delete EndpointSlice/s-1']);
  });
});

describe('a pod wakes', () => {
  const before = backend('a', '10.0.0.1');
  const [slice] = stored(run([service(), before]));
  const keys = (changed: Pod, deleted = false) =>
    endpointSliceController.wakes
      .find(({ kind }) => kind === 'Pod')!
      .keys(changed as unknown as Seen, deleted, facts([service(), slice, changed] as Seen[]).view);
  test.each<[string, Pod, boolean, string[]]>([
    ['nobody when nothing of it is said', { ...before, status: { ...before.status!, startTime: 'x' } }, false, []],
    ['its Service when it is no longer ready', backend('a', '10.0.0.1', { ready: false }), false, ['d/s']],
    ['its former Service when its labels change', backend('a', '10.0.0.1', { labels: {} }), false, ['d/s']],
    ['its Service when it is gone', before, true, ['d/s']],
    ['nobody when nobody has it', backend('b', '10.0.0.2', { labels: {} }), false, []],
  ])('%s', (_name, changed, deleted, expected) => expect(keys(changed, deleted)).toEqual(expected));
});

describe('Endpoints', () => {
  const write = (objects: readonly unknown[]) => endpointsController.reconcile(facts(objects as Seen[]), 'd/s').actions;
  const first = (objects: readonly unknown[]) => (write(objects)[0] as { object?: Seen } | undefined)?.object;
  test('ready and not ready apart, without those on their way out', () => {
    const pods = [
      backend('b', '10.0.0.2'),
      backend('a', '10.0.0.1', { ready: false }),
      backend('c', '10.0.0.3', { deleted: true }),
    ];
    expect(first([service(), ...pods])).toMatchObject({
      metadata: { name: 's', labels: { 'endpoints.kubernetes.io/managed-by': 'endpoint-controller' } },
      subsets: [
        {
          addresses: [{ ip: '10.0.0.2', nodeName: 'n' }],
          notReadyAddresses: [{ ip: '10.0.0.1' }],
          ports: [{ name: 'p', port: 8080, protocol: 'TCP' }],
        },
      ],
    });
  });
  test('are left alone when they are right, and go with the Service; what users wrote stays', () => {
    const all = [service(), ...backends(3)];
    const found = first(all)!;
    expect(write([...all, found])).toEqual([]);
    expect(deeds(write([found]))).toEqual(['delete Endpoints/s']);
    expect(write([service({ selector: {} }), object('Endpoints', 's', 'd')])).toEqual([]);
  });
  test('are cut at 1,000, those that are not ready first', () => {
    const cut = first([service(), backend('n', '10.9.9.9', { ready: false }), ...backends(1000)])!;
    const [subset] = cut.subsets as { addresses: unknown[]; notReadyAddresses?: unknown[] }[];
    expect([subset?.addresses.length, subset?.notReadyAddresses]).toEqual([1000, undefined]);
    expect(cut.metadata.annotations).toEqual({ 'endpoints.kubernetes.io/over-capacity': 'truncated' });
  });
});

describe('Endpoints that somebody wrote', () => {
  const plain = service({ selector: undefined });
  const byHand = (subsets: object[], metadata: object = {}) => object('Endpoints', 's', 'd', { metadata, subsets });
  const mirror = (...objects: readonly unknown[]) =>
    endpointSliceMirroringController.reconcile(facts(objects as Seen[]), 'd/s').actions;
  const hosts = [
    {
      addresses: [{ ip: '192.0.2.1', hostname: 'one' }, { ip: '2001:db8::1' }],
      notReadyAddresses: [{ ip: '192.0.2.2', nodeName: 'n' }],
      ports: [{ name: 'p', port: 8080 }],
    },
    { addresses: [{ ip: '192.0.2.3' }], ports: [{ name: 'p', port: 9090, protocol: 'UDP' }] },
  ];

  test('are said again in slices, one for each family and list of ports', () => {
    const annotations = { note: 'kept', 'kubectl.kubernetes.io/last-applied-configuration': '{}' };
    const slices = made(mirror(plain, byHand(hosts, { labels: { a: 'b' }, annotations })));
    expect(slices.map(({ addressType, ports, endpoints }) => [addressType, ports, endpoints])).toEqual([
      [
        'IPv4',
        [{ name: 'p', port: 8080, protocol: 'TCP' }],
        [
          { addresses: ['192.0.2.1'], conditions: { ready: true }, hostname: 'one' },
          { addresses: ['192.0.2.2'], conditions: { ready: false }, nodeName: 'n' },
        ],
      ],
      [
        'IPv6',
        [{ name: 'p', port: 8080, protocol: 'TCP' }],
        [{ addresses: ['2001:db8::1'], conditions: { ready: true } }],
      ],
      [
        'IPv4',
        [{ name: 'p', port: 9090, protocol: 'UDP' }],
        [{ addresses: ['192.0.2.3'], conditions: { ready: true } }],
      ],
    ]);
    expect(slices[0]?.metadata).toMatchObject({
      generateName: 's-',
      labels: {
        a: 'b',
        'kubernetes.io/service-name': 's',
        'endpointslice.kubernetes.io/managed-by': 'endpointslicemirroring-controller.k8s.io',
      },
      annotations: { note: 'kept' },
      ownerReferences: [{ kind: 'Endpoints', name: 's', controller: true }],
    });
    expect(slices[0]?.metadata.annotations).toEqual({ note: 'kept' });
  });

  test('are followed, with one write for what changes', () => {
    const before = byHand(hosts.slice(1));
    const slices = stored(mirror(plain, before));
    expect(mirror(plain, before, ...slices)).toEqual([]);
    const after = byHand([{ ...hosts[1], addresses: [{ ip: '192.0.2.4' }] }]);
    expect(patched(mirror(plain, after, ...slices)).map(({ endpoints }) => endpoints?.[0]?.addresses)).toEqual([
      ['192.0.2.4'],
    ]);
    expect(patched(mirror(plain, byHand([]), ...slices)).map(({ endpoints }) => endpoints)).toEqual([[]]);
  });

  test.each<[string, object, unknown[]]>([
    ['without a Service', {}, []],
    ['of a Service with a selector', {}, [service()]],
    ['that say so', { labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } }, [plain]],
    ['of a leader', { annotations: { 'control-plane.alpha.kubernetes.io/leader': '{}' } }, [plain]],
  ])('are not mirrored: %s', (_name, metadata, services) => {
    const slices = stored(mirror(plain, byHand(hosts.slice(1))));
    expect(mirror(...services, byHand(hosts.slice(1), metadata), ...slices)).toMatchObject([{ do: 'delete' }]);
  });

  test('more than a thousand in a subset are cut, and that is told', () => {
    const addresses = Array.from({ length: 1002 }, (_, i) => ({ ip: `10.1.${i >> 8}.${i & 255}` }));
    const actions = mirror(plain, byHand([{ addresses, ports: [{ port: 1 }] }]));
    expect(made(actions).flatMap(({ endpoints = [] }) => endpoints)).toHaveLength(1000);
    expect(actions.at(-1)).toMatchObject({ do: 'event', reason: 'TooManyAddressesToMirror' });
  });

  test('go with their Service, but may be there before it', () => {
    const gone = endpointsController.wakes[0]?.keys(plain as Seen, true, facts([]).view) ?? [];
    const actions = (objects: readonly unknown[]) =>
      gone.flatMap(key => endpointsController.reconcile(facts(objects as Seen[]), key).actions);
    expect(actions([byHand(hosts)])).toMatchObject([{ do: 'delete', target: { kind: 'Endpoints', name: 's' } }]);
    expect(actions([byHand(hosts), plain])).toEqual([]);
    expect(endpointsController.wakes[0]?.keys(plain as Seen, false, facts([]).view)).toHaveLength(1);
    expect(endpointsController.reconcile(facts([byHand(hosts) as Seen]), 'd/s').actions).toEqual([]);
  });
});

describe('a load balancer', () => {
  const node = (name: string, ...ips: string[]) =>
    object('Node', name, undefined, {
      status: {
        conditions: [{ type: 'Ready', status: 'True' }],
        addresses: ips.map(address => ({ type: 'InternalIP', address })),
      },
    });
  const told = (spec: object, status: object = {}, nodes: unknown[] = [node('a', '192.0.2.1', '2001:db8::1')]) => {
    const made = { ...service({ type: 'LoadBalancer', ...spec }), status };
    const { actions } = loadBalancerController.reconcile(facts([made, ...nodes] as Seen[]), 'd/s');
    return actions.flatMap(action => (action.do === 'patch' ? [action.patch] : []));
  };
  const ingress = (...ips: string[]) => ({ loadBalancer: { ingress: ips.map(ip => ({ ip, ipMode: 'VIP' })) } });

  test('has the addresses of the nodes, of its families', () => {
    expect(told({})).toEqual([{ status: ingress('192.0.2.1') }]);
    expect(told({ ipFamilies: ['IPv6', 'IPv4'] })).toEqual([{ status: ingress('2001:db8::1', '192.0.2.1') }]);
    expect(told({}, ingress('192.0.2.1'))).toEqual([]);
  });
  test('of another class is left alone; what is one no longer has no address', () => {
    expect(told({ loadBalancerClass: 'other' }, ingress('203.0.113.1'))).toEqual([]);
    expect(told({ type: 'ClusterIP' }, ingress('192.0.2.1'))).toEqual([
      { status: { loadBalancer: { ingress: null } } },
    ]);
    expect(told({ type: 'NodePort' }, { loadBalancer: {} })).toEqual([]);
  });
});
