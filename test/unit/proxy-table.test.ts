/** Services and slices → the table, and its difference: what kube-proxy would decide. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ServiceEntry } from '../../agent/proxy/contract.js';
import { ProxyState } from '../../agent/proxy/state.js';
import { desired, difference, entriesOf, healthPortOf } from '../../agent/proxy/table.js';
import type { ServiceSpec } from '../../src/kube/api/core-v1.js';
import { type EndpointOptions, service, sliceOf } from '../helpers/services.js';

const node = { name: 'n1', zone: 'z1' };
const here = { address: '10.244.1.2', nodeName: 'n1', zone: 'z1' };
const there = { address: '10.244.2.2', nodeName: 'n2', zone: 'z2' };
const ending = { conditions: { ready: false, serving: true, terminating: true } };
const unready = { conditions: { ready: false, serving: false, terminating: false } };

const entries = (spec: ServiceSpec, endpoints: readonly EndpointOptions[], facts = node): ServiceEntry[] => {
  const made = service('web', spec);
  return entriesOf(made, [sliceOf(made, endpoints)], facts);
};
const first = (...args: Parameters<typeof entries>) => entries(...args)[0] as ServiceEntry;
const addresses = (list: readonly { address: string }[] = []) => list.map(({ address }) => address);

describe('which endpoints', () => {
  test('all that are ready, in the order of their addresses', () => {
    const entry = first({}, [there, { ...here, address: '10.244.1.9', ...unready }, here]);
    expect(entry).toMatchObject({ kind: 'clusterIP', protocol: 'tcp', masquerade: 'outside', none: 'reject' });
    expect(entry.endpoints).toEqual([
      { address: '10.244.1.2', port: 8080, local: true },
      { address: '10.244.2.2', port: 8080, local: false },
    ]);
  });

  test('those that still serve while they end, only if none is ready', () => {
    expect(addresses(first({}, [here, { ...there, ...ending }]).endpoints)).toEqual([here.address]);
    expect(
      addresses(
        first({}, [
          { ...here, ...unready },
          { ...there, ...ending },
        ]).endpoints,
      ),
    ).toEqual([there.address]);
  });

  test('hints for the node go before those for the zone; half a set of hints is none', () => {
    const zone = (name: string) => ({ hints: { forZones: [{ name }] } });
    const both = { hints: { forZones: [{ name: 'z1' }], forNodes: [{ name: 'n2' }] } };
    expect(
      addresses(
        first({}, [
          { ...here, ...zone('z1') },
          { ...there, ...zone('z2') },
        ]).endpoints,
      ),
    ).toEqual([here.address]);
    expect(first({}, [{ ...here, ...zone('z1') }, there]).endpoints).toHaveLength(2);
    expect(
      first({}, [
        { ...here, ...zone('z3') },
        { ...there, ...zone('z2') },
      ]).endpoints,
    ).toHaveLength(2);
    const forN1 = { hints: { forZones: [{ name: 'z1' }], forNodes: [{ name: 'n1' }] } };
    expect(
      addresses(
        first({}, [
          { ...here, ...forN1 },
          { ...there, ...both },
        ]).endpoints,
      ),
    ).toEqual([here.address]);
  });

  test('trafficDistribution holds where nobody wrote hints', () => {
    expect(addresses(first({ trafficDistribution: 'PreferClose' }, [here, there]).endpoints)).toEqual([here.address]);
    expect(addresses(first({ trafficDistribution: 'PreferSameNode' }, [here, there]).endpoints)).toEqual([
      here.address,
    ]);
    expect(first({}, [here, there]).endpoints).toHaveLength(2);
  });

  test('default/kubernetes leads to the relay of the node, if there is one', () => {
    const made = service('kubernetes', { clusterIP: '10.96.0.1', ports: [{ port: 443 }] });
    const facts = { ...node, apiServer: { address: '10.244.1.1', port: 6443 } };
    const [entry] = entriesOf(made, [sliceOf(made, [there])], facts);
    expect(entry?.endpoints).toEqual([{ address: '10.244.1.1', port: 6443, local: true }]);
  });
});

describe('traffic policies', () => {
  const external = { type: 'NodePort', ports: [{ port: 80, nodePort: 30080 }] };
  const nodePort = (spec: ServiceSpec, endpoints: readonly EndpointOptions[]) =>
    entries({ ...external, ...spec }, endpoints).find(({ kind }) => kind === 'nodePort') as ServiceEntry;

  test('externalTrafficPolicy Cluster: everywhere, under the address of the node', () => {
    expect(nodePort({}, [here, there])).toMatchObject({ masquerade: 'all', none: 'reject', address: undefined });
  });

  test('externalTrafficPolicy Local: here, or silence; pods and the node go anywhere', () => {
    const local = { externalTrafficPolicy: 'Local' };
    const entry = nodePort(local, [here, there]);
    expect(entry).toMatchObject({ masquerade: 'node', none: 'drop' });
    expect(addresses(entry.endpoints)).toEqual([here.address]);
    expect(addresses(entry.inside)).toEqual([here.address, there.address]);
    expect(nodePort(local, [there])).toMatchObject({ endpoints: [], none: 'drop' });
    expect(nodePort(local, [])).toMatchObject({ endpoints: [], inside: [], none: 'reject' });
    expect(addresses(nodePort(local, [{ ...here, ...ending }, there]).endpoints)).toEqual([here.address]);
  });

  test('internalTrafficPolicy Local binds the cluster address alone', () => {
    const spec = { ...external, internalTrafficPolicy: 'Local' };
    const [cluster, port] = entries(spec, [there]);
    expect(cluster).toMatchObject({ endpoints: [], none: 'drop', masquerade: 'outside' });
    expect(port?.endpoints).toHaveLength(1);
  });

  test('the health check counts endpoints of this node', () => {
    const made = service('web', {
      ...external,
      type: 'LoadBalancer',
      externalTrafficPolicy: 'Local',
      healthCheckNodePort: 31000,
    });
    expect(healthPortOf(made, [sliceOf(made, [here, there])], node)).toEqual({
      service: 'default/web',
      port: 31000,
      localEndpoints: 1,
    });
  });
});

describe('which addresses', () => {
  test('balancer and external addresses, of VIPs only, with those who may use them', () => {
    const made = {
      ...service('web', {
        type: 'LoadBalancer',
        externalIPs: ['203.0.113.1'],
        loadBalancerSourceRanges: [' 10.0.0.0/8', 'fd00::/8'],
      }),
      status: {
        loadBalancer: { ingress: [{ ip: '203.0.113.2' }, { ip: '203.0.113.3', ipMode: 'Proxy' }, { hostname: 'x' }] },
      },
    };
    const found = entriesOf(made, [], node).map(({ kind, address, sourceRanges }) => [kind, address, sourceRanges]);
    expect(found).toEqual([
      ['clusterIP', '10.96.0.10', undefined],
      ['externalIP', '203.0.113.1', undefined],
      ['loadBalancer', '203.0.113.2', ['10.0.0.0/8']],
    ]);
  });

  test.each([
    ['headless', { clusterIP: 'None' }],
    ['ExternalName', { type: 'ExternalName', externalName: 'example.org' }],
    ['without an address yet', { clusterIP: '' }],
  ])('%s: none', (_, spec) => {
    expect(entries(spec, [here])).toEqual([]);
  });

  test('what the agent or another proxy answers is not proxied', () => {
    for (const label of ['keelson.dev/served-by', 'service.kubernetes.io/service-proxy-name']) {
      const made = service('dns');
      expect(entriesOf({ ...made, metadata: { ...made.metadata, labels: { [label]: 'agent' } } }, [], node)).toEqual(
        [],
      );
    }
  });

  test('both families, each with its own endpoints', () => {
    const made = service('web', { clusterIP: '10.96.0.10', clusterIPs: ['10.96.0.10', 'fd00::10'] });
    const slices = [sliceOf(made, [here]), sliceOf(made, [{ address: 'fd00:1::2', nodeName: 'n1' }], 'IPv6')];
    expect(
      entriesOf(made, slices, node).map(({ family, address, endpoints }) => [family, address, addresses(endpoints)]),
    ).toEqual([
      ['IPv4', '10.96.0.10', ['10.244.1.2']],
      ['IPv6', 'fd00::10', ['fd00:1::2']],
    ]);
  });

  test('affinity has three hours unless it says otherwise', () => {
    expect(first({ sessionAffinity: 'ClientIP' }, [here]).affinitySeconds).toBe(10_800);
    const config = { clientIP: { timeoutSeconds: 60 } };
    expect(first({ sessionAffinity: 'ClientIP', sessionAffinityConfig: config }, [here]).affinitySeconds).toBe(60);
  });
});

test('two Services that claim one address: one has it, and the other when the first goes', () => {
  const state = new ProxyState(node);
  const one = service('a', { clusterIP: '10.96.0.1', externalIPs: ['203.0.113.1'] });
  const two = service('b', { clusterIP: '10.96.0.2', externalIPs: ['203.0.113.1'] });
  const holder = () => [...state.table.values()].find(({ kind }) => kind === 'externalIP')?.service;
  state.sync([two, one]);
  state.take();
  expect(holder()).toBe('default/a');
  state.remove('Service', one.metadata.uid as string, 'default/a');
  expect(state.take().changed).toHaveLength(1);
  expect(holder()).toBe('default/b');
});

/** Any history of few Services and endpoints. */
const step = fc.record({
  name: fc.constantFrom('a', 'b', 'c'),
  gone: fc.boolean(),
  slice: fc.boolean(),
  shared: fc.boolean(),
  local: fc.boolean(),
  ready: fc.subarray(['10.244.1.2', '10.244.1.3', '10.244.2.2']),
});

test('whatever happens, in pieces it comes to the same as at once, and differences lead there', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), steps => {
      const state = new ProxyState(node);
      const services = new Map<string, ReturnType<typeof service>>();
      const slices = new Map<string, ReturnType<typeof sliceOf>>();
      const followed = new Map<string, ServiceEntry>();
      for (const { name, gone, slice, shared, local, ready } of steps) {
        const made = service(name, {
          clusterIP: `10.96.0.${name.charCodeAt(0)}`,
          ...(shared && { externalIPs: ['203.0.113.1'] }),
          ...(local && { externalTrafficPolicy: 'Local' }),
        });
        const object = slice
          ? sliceOf(
              made,
              ready.map(address => ({ address, nodeName: 'n1' })),
            )
          : made;
        const known: Map<string, typeof object> = slice ? (slices as never) : (services as never);
        if (gone) {
          known.delete(name);
          state.remove(object.kind ?? '', object.metadata.uid as string, `default/${object.metadata.name}`);
        } else {
          known.set(name, object);
          state.put(object);
        }
        const before = new Map(state.table);
        const change = state.take();
        for (const { key } of change.removed) followed.delete(key);
        for (const entry of [...change.added, ...change.changed.map(({ after }) => after)])
          followed.set(entry.key, entry);
        const sorted = (all: readonly ServiceEntry[]) => [...all].sort((a, b) => (a.key < b.key ? -1 : 1));
        const whole = difference(before, state.table);
        expect(sorted(change.added)).toEqual(sorted(whole.added));
        expect(sorted(change.removed)).toEqual(sorted(whole.removed));
      }
      const whole = desired(services.values(), slices.values(), node);
      expect(new Map([...state.table].sort())).toEqual(new Map([...whole].sort()));
      expect(new Map([...followed].sort())).toEqual(new Map([...whole].sort()));
    }),
  );
});
