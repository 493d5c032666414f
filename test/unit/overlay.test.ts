import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { pathsTo } from '../../agent/network/overlay.js';
import { difference, macOfTunnel, tunnelAddress, tunnelMac } from '../../cni/tunnel.js';
import { formatIp, overlaps, parseCidr, parseIp, subrange } from '../../src/base/cidr.js';
import type { Facts } from '../../src/controllers/contract.js';
import { nodeIpamController } from '../../src/controllers/node-ipam.js';
import type { Node } from '../../src/kube/node.js';

const node = (name: string, podCIDR?: string, address?: string, creationTimestamp = '2026-01-01T00:00:00Z'): Node =>
  ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, uid: name, creationTimestamp },
    spec: podCIDR ? { podCIDR, podCIDRs: [podCIDR] } : {},
    status: { addresses: address ? [{ type: 'InternalIP', address }] : [] },
  }) as Node;

describe('ranges', () => {
  test('host bits and nonsense are refused', () => {
    for (const text of ['10.0.0.1/24', '10.0.0.0/33', '10.0.0/24', 'x/8', 'fd00::1/64'])
      expect(parseCidr(text)).toBe(undefined);
  });
  test('addresses of IPv6 as RFC 5952 has them', () => {
    for (const text of ['::', '::1', 'fd00:10:244::', '2001:db8::1:0:0:1', '1:0:2:3:4:5:6:7', '::ffff:a00:1'])
      expect(formatIp(6, parseIp(text)!)).toBe(text);
    expect(parseIp('::ffff:10.0.0.1')).toBe(parseIp('::ffff:a00:1'));
  });
  test('any address reads back', () => {
    fc.assert(fc.property(fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }), n => parseIp(formatIp(6, n)) === n));
    fc.assert(fc.property(fc.bigInt({ min: 0n, max: (1n << 32n) - 1n }), n => parseIp(formatIp(4, n)) === n));
  });
});

describe('node-ipam', () => {
  const controller = nodeIpamController({ clusterCidrs: ['10.244.0.0/22'], maskSizes: { 4: 24, 6: 64 } });
  const run = (nodes: Node[]) =>
    controller.reconcile({ view: { list: () => nodes } } as unknown as Facts, 'nodes').actions;
  const given = (nodes: Node[]) =>
    run(nodes).map(action =>
      action.do === 'patch' ? (action.patch as { spec: { podCIDR: string } }).spec.podCIDR : action.do,
    );

  test('the lowest free range, the oldest node first', () => {
    const nodes = [node('b', '10.244.1.0/24'), node('d', undefined, '', '2026-01-03T00:00:00Z'), node('c')];
    expect(given(nodes)).toEqual(['10.244.0.0/24', '10.244.2.0/24']);
  });
  test('a range of another size is not touched', () => {
    expect(given([node('a', '10.244.0.0/23'), node('b')])).toEqual(['10.244.2.0/24']);
  });
  test('full: the node is told', () => {
    const taken = [0, 1, 2, 3].map(i => node(`n${i}`, `10.244.${i}.0/24`));
    expect(run([...taken, node('late')])).toMatchObject([{ do: 'event', reason: 'CIDRNotAvailable' }]);
  });
  test('a range of each family, the primary one first; none where one is full', () => {
    const both = nodeIpamController({
      clusterCidrs: ['fd00:10:244::/63', '10.244.0.0/16'],
      maskSizes: { 4: 24, 6: 64 },
    });
    const { actions } = both.reconcile(
      { view: { list: () => [node('a'), node('b'), node('c')] } } as unknown as Facts,
      'nodes',
    );
    expect(actions.slice(0, 2).map(action => action.do === 'patch' && action.patch)).toEqual([
      { spec: { podCIDR: 'fd00:10:244::/64', podCIDRs: ['fd00:10:244::/64', '10.244.0.0/24'] } },
      { spec: { podCIDR: 'fd00:10:244:1::/64', podCIDRs: ['fd00:10:244:1::/64', '10.244.1.0/24'] } },
    ]);
    expect(actions[2]).toMatchObject({
      reason: 'CIDRNotAvailable',
      message: expect.stringContaining('all 2 ranges of /64 in fd00:10:244::/63 are taken'),
    });
  });
  test('never twice, whatever nodes bring along', () => {
    const pool = parseCidr('10.244.0.0/22')!;
    const range = fc
      .tuple(fc.integer({ min: 22, max: 26 }), fc.nat(15))
      .map(([length, n]) => subrange(pool, length, n % 2 ** (length - 22)));
    fc.assert(
      fc.property(fc.array(fc.option(range), { maxLength: 8 }), ranges => {
        const nodes = ranges.map((one, i) =>
          node(`n${i}`, one ? `${formatIp(4, one.first)}/${one.length}` : undefined),
        );
        const before = ranges.flatMap(one => one ?? []);
        const made = given(nodes)
          .filter(text => text !== 'event')
          .map(text => parseCidr(text)!);
        for (const [i, one] of made.entries())
          for (const other of [...before, ...made.slice(i + 1)]) expect(overlaps(one, other)).toBe(false);
      }),
    );
  });
});

describe('overlay', () => {
  const self = { name: 'a', podCIDRs: ['10.244.0.0/24'], clusterCIDRs: ['10.244.0.0/16'] };
  test('a path for each range of the others', () => {
    const { paths } = pathsTo([node('a', '10.244.0.0/24', '192.0.2.1'), node('b', '10.244.1.0/24', '192.0.2.2')], self);
    expect(paths).toEqual([
      { node: 'b', to: '10.244.1.0/24', address: '192.0.2.2', tunnel: '10.244.1.0', mac: '0a:58:0a:f4:01:00' },
    ]);
  });
  test('no way to a node without range or address, or whose address is a pod address', () => {
    const nodes = [
      node('b', '10.244.1.0/24'),
      node('c', undefined, '192.0.2.3'),
      node('d', '10.244.3.0/24', '10.244.3.1'),
    ];
    expect(pathsTo(nodes, self)).toEqual({ paths: [], problems: [] });
  });
  test('of two that claim one range the older has it, and it is told', () => {
    const late = '2026-02-01T00:00:00Z';
    const { paths, problems } = pathsTo(
      [node('b', '10.244.1.0/24', '192.0.2.9', late), node('c', '10.244.1.0/24', '192.0.2.3')],
      self,
    );
    expect(paths.map(path => path.node)).toEqual(['c']);
    expect(problems).toEqual(['podCIDR 10.244.1.0/24 of Node "b" overlaps with 10.244.1.0/24 of Node "c"']);
  });
  test('tunnel ends differ', () => {
    expect(tunnelMac(parseCidr('10.244.7.0/24')!)).not.toBe(tunnelMac(parseCidr('10.244.8.0/24')!));
  });
  describe('of both families', () => {
    const dual = (name: string, n: number, ...addresses: string[]): Node =>
      ({
        ...node(name),
        spec: { podCIDRs: [`10.244.${n}.0/24`, `fd00:10:244:${n}::/64`] },
        status: { addresses: addresses.map(address => ({ type: 'InternalIP', address })) },
      }) as Node;
    const own = {
      name: 'a',
      podCIDRs: ['10.244.0.0/24', 'fd00:10:244::/64'],
      clusterCIDRs: ['10.244.0.0/16', 'fd00:10:244::/56'],
    };
    const b = dual('b', 1, '192.0.2.2', '2001:db8::2');

    test('both go through one tunnel, of either family', () => {
      const mac = '0a:58:0a:f4:01:00';
      const tunnel = 'fe80::858:aff:fef4:100';
      for (const [tunnelFamily, address] of [
        [4, '192.0.2.2'],
        [6, '2001:db8::2'],
      ] as const)
        expect(pathsTo([b], { ...own, tunnelFamily }).paths).toEqual([
          { node: 'b', to: '10.244.1.0/24', address, tunnel: '10.244.1.0', mac },
          { node: 'b', to: 'fd00:10:244:1::/64', address, tunnel, mac },
        ]);
    });
    test('plain routes lead over an address of their family; who has none is told of', () => {
      expect(pathsTo([b], own).paths.map(({ address }) => address)).toEqual(['192.0.2.2', '2001:db8::2']);
      const { paths, problems } = pathsTo([dual('c', 2, '192.0.2.3')], own);
      expect(paths.map(({ to }) => to)).toEqual(['10.244.2.0/24']);
      expect(problems).toEqual([
        'podCIDR fd00:10:244:2::/64 of Node "c" cannot be reached: that node has no IPv6 address',
      ]);
    });
    test('a tunnel’s end tells its MAC', () => {
      const [primary, second] = own.podCIDRs.map(text => parseCidr(text)!);
      const mac = tunnelMac(primary!);
      for (const range of [primary!, second!]) expect(macOfTunnel(tunnelAddress(range, mac))).toBe(mac);
    });
  });
  test('only what differs is changed', () => {
    const { paths } = pathsTo([node('b', '10.244.1.0/24', '192.0.2.2'), node('c', '10.244.2.0/24', '192.0.2.3')], self);
    const there = [
      { to: '10.244.1.0/24', via: '10.244.1.0' },
      { to: '10.244.9.0/24', via: '10.244.9.0' },
    ];
    const { add, remove } = difference(paths, there, path => path.tunnel);
    expect(add.map(path => path.node)).toEqual(['c']);
    expect(remove.map(({ to }) => to)).toEqual(['10.244.9.0/24']);
  });
});
