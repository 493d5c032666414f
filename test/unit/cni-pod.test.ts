import { describe, expect, test } from 'vitest';
import { networkNeeds } from '../../agent/network/pod-network.js';
import { bucket } from '../../cni/bandwidth.js';
import { foreignAddress } from '../../cni/bridge-link.js';
import { parseConfList } from '../../cni/conf-list.js';
import { portmapRules, staleUdp } from '../../cni/portmap-rules.js';
import { bridgeMac, parseRanges } from '../../cni/ranges.js';
import { formatResult } from '../../cni/result-versions.js';
import { bridgeRules } from '../../cni/rules.js';
import type { Pod } from '../../src/kube/pod.js';

const pod = (annotations: Record<string, string>, spec: object = {}): Pod =>
  ({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', annotations }, spec: { containers: [], ...spec } }) as Pod;

describe('what a pod asks of its network', () => {
  test('ports of containers and sidecars; none with hostNetwork', () => {
    const ports = [
      { containerPort: 80, hostPort: 8080 },
      { containerPort: 81 },
      { containerPort: 53, hostPort: 53, protocol: 'UDP', hostIP: '192.0.2.1' },
    ];
    expect(networkNeeds(pod({}, { containers: [{ ports }] })).portMappings).toEqual([
      { hostPort: 8080, containerPort: 80, protocol: 'tcp' },
      { hostPort: 53, containerPort: 53, protocol: 'udp', hostIP: '192.0.2.1' },
    ]);
    expect(networkNeeds(pod({}, { hostNetwork: true, containers: [{ ports }] }))).toEqual({});
  });
  test.each([
    ['10M', 10_000_000],
    ['1k', 1000],
    ['1P', 1e15],
  ])('bandwidth %s', (text, ingressBits) => {
    expect(networkNeeds(pod({ 'kubernetes.io/ingress-bandwidth': text })).bandwidth).toEqual({ ingressBits });
  });
  test.each([
    ['999', 'unreasonably small (< 1kbit)'],
    ['2P', 'unreasonably large (> 1Pbit)'],
    ['fast', 'kubernetes.io/egress-bandwidth "fast"'],
  ])('bandwidth %s is refused', (text, words) => {
    expect(() => networkNeeds(pod({ 'kubernetes.io/egress-bandwidth': text }))).toThrow(words);
  });
});

test('one element per port, and the same rules whatever their number', () => {
  const rules = portmapRules(
    [
      {
        addresses: ['10.244.0.5'],
        ports: [
          { hostPort: 80, containerPort: 8080, protocol: 'tcp' },
          { hostPort: 53, containerPort: 53, protocol: 'udp', hostIP: '192.0.2.1' },
        ],
      },
    ],
    'cni0',
  );
  expect(rules).toContain('add element ip keelson_hostports any { tcp . 80 : 10.244.0.5 . 8080 }');
  expect(rules).toContain('add element ip keelson_hostports one { 192.0.2.1 . udp . 53 : 10.244.0.5 . 53 }');
});

describe('host ports of both families', () => {
  const both = ['10.244.0.5', 'fd00:10:244::5'];
  const port = (hostIP?: string) => [
    { hostPort: 80, containerPort: 8080, protocol: 'tcp' as const, ...(hostIP && { hostIP }) },
  ];
  const elements = (addresses: readonly string[], hostIP?: string) =>
    portmapRules([{ addresses, ports: port(hostIP) }], 'cni0').match(/^add element (?!.* own ).*$/gm) ?? [];

  test.each([
    [undefined, ['ip keelson_hostports any', 'ip6 keelson_hostports any']],
    ['::', ['ip keelson_hostports any', 'ip6 keelson_hostports any']],
    ['0.0.0.0', ['ip keelson_hostports any']],
    ['192.0.2.1', ['ip keelson_hostports one']],
    ['2001:db8::1', ['ip6 keelson_hostports one']],
  ])('hostIP %s', (hostIP, where) => {
    expect(elements(both, hostIP).map(line => /^add element (\S+ \S+ \S+)/.exec(line)?.[1])).toEqual(where);
  });
  test('without IPv6 there is no table of it', () => {
    expect(portmapRules([{ addresses: both.slice(0, 1), ports: port() }], 'cni0')).not.toContain('ip6');
    expect(elements(both.slice(1))).toEqual([
      'add element ip6 keelson_hostports any { tcp . 80 : fd00:10:244::5 . 8080 }',
    ]);
  });
  test('clients of UDP are forgotten in their own family', () => {
    const ports = [{ hostPort: 53, containerPort: 5353, protocol: 'udp' as const }];
    expect(staleUdp(6, ports, ['2001:db8::1'], both)).toEqual([
      { address: '2001:db8::1', port: 53, keep: ['fd00:10:244::5 5353'] },
    ]);
  });
});

describe('rules of the bridge', () => {
  const spec = { bridge: 'cni0', subnets: ['10.244.1.0/24'], clusterCidrs: ['10.244.0.0/16', 'fd00:10:244::/56'] };
  test('each family is masqueraded towards its own world', () => {
    expect(bridgeRules(spec)).not.toContain('ip6 keelson');
    const rules = bridgeRules({ ...spec, subnets: ['10.244.1.0/24', 'fd00:10:244:1::/64'] });
    expect(rules).toContain('ip saddr 10.244.1.0/24 ip daddr != { 10.244.0.0/16, 224.0.0.0/4 } oifname != "cni0"');
    expect(rules).toContain(
      'ip6 saddr fd00:10:244:1::/64 ip6 daddr != { fd00:10:244::/56, fe80::/10, ff00::/8 } oifname != "cni0"',
    );
  });
});

describe('whose a bridge is', () => {
  const ranges = parseRanges(['10.244.1.0/24', 'fd00:10:244:1::/64'], 'subnet');
  const of = (...addresses: string[]) =>
    addresses.map(address => ({ address, family: address.includes(':') ? (6 as const) : (4 as const) }));
  const mac = (text: string) => bridgeMac(parseRanges([text], 'subnet')[0]!);

  test.each([
    ['ours', mac('10.244.1.0/24'), of('10.244.1.1/24', 'fd00:10:244:1::1/64'), undefined],
    ['ours with an earlier range', mac('10.244.9.0/24'), of('10.244.9.1/24', 'fd00:10:244:9::1/64'), undefined],
    ['without addresses', '02:00:00:00:00:01', [], undefined],
    ['another’s', '02:00:00:00:00:01', of('10.88.0.1/16'), '10.88.0.1/16'],
    ['another’s of IPv6', '02:00:00:00:00:01', of('fd00:88::1/64'), 'fd00:88::1/64'],
    ['ours, that somebody gave an address', mac('10.244.1.0/24'), of('10.244.1.1/24', '10.88.0.1/16'), '10.88.0.1/16'],
  ])('%s', (_, own, addresses, foreign) => {
    expect(foreignAddress(own, addresses, ranges)).toBe(foreign);
  });
});

test('a bucket holds a tenth of a second, and some packets at least', () => {
  expect(bucket('veth0', 8_000_000).join(' ')).toBe(
    'qdisc replace dev veth0 root tbf rate 8000000bit burst 100000 latency 50ms',
  );
  expect(bucket('veth0', 1000)).toContain('16384');
});

describe('network configurations', () => {
  test.each([
    ['{', 'Cannot use f: '],
    ['{"name":"a b"}', 'name "a b": letters'],
    ['{"name":"a"}', 'plugins: at least one is required'],
    ['{"name":"a","plugins":[{}]}', 'plugins[0].type: the name of a program is required'],
  ])('%s', (text, words) => {
    expect(() => parseConfList('f', text)).toThrow(words);
  });
  test('one plugin is a list of one', () => {
    expect(parseConfList('f', '{"name":"a","type":"bridge"}')).toMatchObject({
      cniVersion: '0.2.0',
      plugins: [{ type: 'bridge' }],
    });
  });
});

test('a result in the words of each version', () => {
  const result = {
    cniVersion: '1.1.0',
    interfaces: [{ name: 'eth0', mtu: 1450 }],
    ips: [{ address: '10.0.0.2/24' }],
    routes: [],
  };
  expect(formatResult(result, '0.4.0')).toMatchObject({
    interfaces: [{ name: 'eth0' }],
    ips: [{ version: '4' }],
    cniVersion: '0.4.0',
  });
  expect(formatResult(result, '1.1.0')).toEqual(result);
});
