/** What the kernel is told of an entry: bytes, and only what differs. */
import { expect, test } from 'vitest';
import type { ServiceEntry } from '../../agent/proxy/contract.js';
import { batch } from '../../agent/proxy/nftables/batch.js';
import { elementDifference, elementsOf } from '../../agent/proxy/nftables/elements.js';
import { addressBytes, rangeBytes } from '../../agent/proxy/nftables/encode.js';
import { staleUdp } from '../../agent/proxy/stale.js';
import { entriesOf } from '../../agent/proxy/table.js';
import { type EndpointOptions, service, sliceOf } from '../helpers/services.js';

const entry = (spec: Parameters<typeof service>[1], endpoints: readonly EndpointOptions[]): ServiceEntry => {
  const made = service('web', spec);
  return entriesOf(made, [sliceOf(made, endpoints)], { name: 'n1' })[0] as ServiceEntry;
};
const a = { address: '10.244.1.2' };
const b = { address: '10.244.1.3' };

test.each([
  ['10.96.0.1', '0a600001'],
  ['::', '00000000000000000000000000000000'],
  ['fd00:10:96::10', 'fd000010009600000000000000000010'],
  ['::ffff:10.1.2.3', '00000000000000000000ffff0a010203'],
  ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
])('%s as bytes', (address, hex) => {
  expect(addressBytes(address).toString('hex')).toBe(hex);
});

test.each([
  ['10.1.2.3/8', '0a000000', '0affffff'],
  ['0.0.0.0/0', '00000000', 'ffffffff'],
  ['10.1.2.3/32', '0a010203', '0a010203'],
  ['10.1.2.3/22', '0a010000', '0a0103ff'],
])('%s as a range', (cidr, first, last) => {
  const range = rangeBytes(cidr);
  expect([range.first.toString('hex'), range.last.toString('hex')]).toEqual([first, last]);
});

test('an endpoint more: its slot, and where the address leads', () => {
  const { gone, come } = elementDifference(elementsOf(entry({}, [a])), elementsOf(entry({}, [a, b])));
  expect(gone.map(({ set, chain }) => [set, chain])).toEqual([['services', 'pick_1']]);
  expect(come.map(({ set, chain }) => [set, chain])).toEqual([
    ['services', 'pick_2'],
    ['endpoints_tcp', undefined],
  ]);
});

test('nothing changed: nothing to tell', () => {
  const all = elementsOf(entry({}, [a, b]));
  expect(elementDifference(all, elementsOf(entry({}, [a, b])))).toEqual({ gone: [], come: [] });
  expect(batch([], [])).toEqual([]);
});

test('nested source ranges are told once', () => {
  const made = {
    ...service('web', {
      type: 'LoadBalancer',
      loadBalancerSourceRanges: ['10.0.0.0/8', '10.1.0.0/16', '192.0.2.0/24'],
    }),
    status: { loadBalancer: { ingress: [{ ip: '203.0.113.1' }] } },
  };
  const balancer = entriesOf(made, [], { name: 'n1' }).find(({ kind }) => kind === 'loadBalancer') as ServiceEntry;
  expect(elementsOf(balancer).filter(({ set }) => set === 'allowed')).toHaveLength(2);
});

test('only UDP that loses an endpoint, or had none, is forgotten', () => {
  const udp = { ports: [{ port: 53, protocol: 'UDP' }] };
  const changed = (before: ServiceEntry, after: ServiceEntry) =>
    staleUdp({ added: [], changed: [{ before, after }], removed: [] }, 'IPv4');
  expect(changed(entry({}, [a, b]), entry({}, [a]))).toEqual([]);
  expect(changed(entry(udp, [a]), entry(udp, [a, b]))).toEqual([]);
  const forget = { address: '10.96.0.10', port: 53, keep: ['10.244.1.2 8080'] };
  expect(changed(entry(udp, [a, b]), entry(udp, [a]))).toEqual([forget]);
  expect(changed(entry(udp, []), entry(udp, [a]))).toEqual([forget]);
});
