/** EndpointSlices and Endpoints as tables. */
import { describe, expect, test } from 'vitest';
import type { Action, Seen } from '../../src/controllers/contract.js';
import { endpointSliceController, manager } from '../../src/controllers/endpoints/endpoint-slice.js';
import { endpointsController } from '../../src/controllers/endpoints/endpoints.js';
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
