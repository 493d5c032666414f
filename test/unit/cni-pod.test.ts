import { describe, expect, test } from 'vitest';
import { networkNeeds } from '../../agent/network/pod-network.js';
import { bucket } from '../../cni/bandwidth.js';
import { parseConfList } from '../../cni/conf-list.js';
import { portmapRules } from '../../cni/portmap-rules.js';
import { formatResult } from '../../cni/result-versions.js';
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
