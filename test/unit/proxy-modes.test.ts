/** The pure parts of iptables, ipvs and userspace: names, texts for the kernel, what changes, who is chosen; and the way in words. */
import { expect, test } from 'vitest';
import type { ProxyEndpoint, ServiceEntry } from '../../agent/proxy/contract.js';
import { explain } from '../../agent/proxy/explain.js';
import { chainNames, endpointChain } from '../../agent/proxy/iptables/names.js';
import { partText, readSaved, removalText, wholeText } from '../../agent/proxy/iptables/restore.js';
import { rulesOf } from '../../agent/proxy/iptables/rules.js';
import { markOf, plan, serversOf } from '../../agent/proxy/ipvs/servers.js';
import { Balancer } from '../../agent/proxy/userspace/balancer.js';

const options = { clusterCidrs: ['10.244.0.0/16'], bridge: 'cni0' };
const endpoint = (last: number, local = true): ProxyEndpoint => ({ address: `10.180.0.${last}`, port: 80, local });
const [one, two, three] = [endpoint(1), endpoint(2), endpoint(3, false)] as const;
const entry = (endpoints: readonly ProxyEndpoint[], more: Partial<ServiceEntry> = {}): ServiceEntry => ({
  key: 'IPv4/tcp/172.30.0.41/80',
  kind: 'clusterIP',
  service: 'ns1/svc1',
  portName: 'p80',
  family: 'IPv4',
  protocol: 'tcp',
  address: '172.30.0.41',
  port: 80,
  endpoints,
  none: 'reject',
  masquerade: 'outside',
  ...more,
});

test('chains are called as kube-proxy calls them', () => {
  expect(chainNames('ns1/svc1:p80', 'tcp').cluster).toBe('KUBE-SVC-XPGD46QRK7WJZT7O');
  expect(endpointChain('ns1/svc1:p80', 'tcp', one)).toBe('KUBE-SEP-SXIVWICOYRO3J4NJ');
});

test('a change of endpoints touches the chains of its port only', () => {
  const before = rulesOf([entry([one])], options);
  const after = rulesOf([entry([two])], options);
  const { text, rules } = partText([{ before, after }]);
  const gone = endpointChain('ns1/svc1:p80', 'tcp', one);
  expect(text).toContain(`-X ${gone}\nCOMMIT`);
  expect(text).toContain(':KUBE-SVC-XPGD46QRK7WJZT7O');
  expect(text).not.toMatch(/KUBE-SERVICES|filter/);
  expect(rules).toBe(0);
  expect(partText([{ before, after: before }]).text).toBe('');
});

test('a port that loses its last endpoint is refused, and its chains go', () => {
  const { text } = partText([{ before: rulesOf([entry([one])], options), after: rulesOf([entry([])], options) }]);
  expect(text).toMatch(/-I KUBE-SERVICES .*has no endpoints.* -j REJECT --reject-with tcp-reset/);
  expect(text).toMatch(/-D KUBE-SERVICES .*-j KUBE-SVC-XPGD46QRK7WJZT7O/);
  expect(text).toContain('-X KUBE-SVC-XPGD46QRK7WJZT7O');
});

test('the whole counts what it writes, and deletes stale chains; a removal leaves those of others', () => {
  const saved = readSaved(
    [
      '*nat',
      ':PREROUTING ACCEPT [0:0]',
      ':KUBE-SVC-AAAAAAAAAAAAAAAA - [0:0]',
      ':KUBE-KUBELET-CANARY - [0:0]',
      '-A PREROUTING -j KUBE-SERVICES',
      'COMMIT',
    ].join('\n'),
  );
  const { text, rules } = wholeText('IPv4', [rulesOf([entry([one, two])], options)], saved, options, true);
  expect(text).toContain('-X KUBE-SVC-AAAAAAAAAAAAAAAA');
  expect(text.split('\n').filter(line => /^-[AI] /.test(line))).toHaveLength(rules);
  const removal = removalText(saved);
  expect(removal).toContain('-D PREROUTING -j KUBE-SERVICES');
  expect(removal).not.toContain('CANARY');
});

test('rules of others that lead to our chains stay, and so do the chains that they need', () => {
  const saved = readSaved(
    [
      '*nat',
      ':PREROUTING ACCEPT [0:0]',
      ':CNI-SETMARK - [0:0]',
      ':KUBE-MARK-MASQ - [0:0]',
      ':KUBE-SVC-AAAAAAAAAAAAAAAA - [0:0]',
      '-A PREROUTING -j KUBE-SERVICES',
      '-A PREROUTING -s 192.0.2.1 -j KUBE-MARK-MASQ',
      '-A CNI-SETMARK -j KUBE-MARK-MASQ',
      'COMMIT',
    ].join('\n'),
  );
  expect(saved.rules).toBe(1);
  const removal = removalText(saved);
  expect(removal.split('\n').filter(line => line.startsWith('-D'))).toEqual(['-D PREROUTING -j KUBE-SERVICES']);
  expect(removal).toContain('-X KUBE-SVC-AAAAAAAAAAAAAAAA');
  expect(removal).not.toContain('-X KUBE-MARK-MASQ');
  expect(wholeText('IPv4', [], saved, options, true).text).not.toContain('CNI-SETMARK');
});

test('an endpoint of ip_vs that goes is drained, and a virtual server goes with its Service', () => {
  const [server] = serversOf(entry([one, two]), 'rr', [], undefined);
  const made = plan(undefined, server);
  expect(made.ops.map(({ op }) => op)).toEqual(['service.add', 'destination.add', 'destination.add']);
  const less = plan(made.state, serversOf(entry([two]), 'rr', [], undefined)[0]);
  expect(less.ops).toMatchObject([{ op: 'destination.set', destination: { address: '10.180.0.1', weight: 0 } }]);
  expect(plan(less.state, serversOf(entry([two]), 'rr', [], undefined)[0]).ops).toEqual([]);
  const back = plan(less.state, server);
  expect(back.ops).toMatchObject([{ op: 'destination.set', destination: { weight: 1 } }]);
  expect(plan(back.state, undefined)).toMatchObject({ ops: [{ op: 'service.delete' }], state: undefined });
});

test('marks stay with their entry, and are given once', () => {
  const first = markOf('a', new Map());
  expect(markOf('a', new Map([[first, 'a']]))).toBe(first);
  expect(markOf('a', new Map([[first, 'b']]))).toBe(first + 1);
});

test('the balancer takes one after another, or what a client had', () => {
  let now = 0;
  const balancer = new Balancer(() => now);
  balancer.set([one, two, three], undefined);
  expect([1, 2, 3, 4].map(() => balancer.order('c')[0])).toEqual([one, two, three, one]);
  balancer.set([one, two, three], 10);
  balancer.remember('c', three);
  now = 9_999;
  expect(balancer.order('c')[0]).toBe(three);
  balancer.remember('c', three);
  now += 10_000;
  expect(balancer.order('d')).toHaveLength(3);
  balancer.remember('c', two);
  balancer.set([one, three], 10);
  expect(balancer.order('c')).not.toContain(two);
});

test('the way of a packet in words', () => {
  for (const mode of ['nftables', 'iptables', 'ipvs', 'userspace'] as const) {
    const words = (steps: ReturnType<typeof explain>) => steps.map(step => `${step.at}: ${step.words}`).join('\n');
    const served = words(explain(entry([one, three], { affinitySeconds: 10, sourceRanges: ['10.0.0.0/8'] }), mode));
    expect(served).toContain('only from 10.0.0.0/8');
    expect(served).toContain('endpoint 10.180.0.3:80: on another node');
    expect(served).toContain('less than 10 s ago');
    expect(words(explain(entry([]), mode))).toContain('nobody serves: rejected');
    const local = entry([], {
      none: 'drop',
      inside: [three],
      kind: 'nodePort',
      address: undefined,
      masquerade: 'node',
    });
    expect(words(explain(local, mode))).toMatch(/dropped; what pods and this node send goes to all endpoints/);
  }
});
