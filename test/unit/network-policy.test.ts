/** NetworkPolicies: who the peers are, and what that means on a node. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { wholeTable } from '../../agent/policy/nft-text.js';
import { type Direction, type LocalPod, planPolicies } from '../../agent/policy/plan.js';
import { PeerBook } from '../../src/controllers/network-policy/peers.js';
import type { KubeObject } from '../../src/kube/meta.js';
import type { Pod, PodStatus } from '../../src/kube/pod.js';
import type { PolicyPeers } from '../../src/kube/policy-peers.js';

type Labels = Record<string, string>;

const pod = (
  name: string,
  ip: string | undefined,
  labels: Labels = {},
  namespace = 'default',
  spec: object = {},
): Pod =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, uid: `${namespace}-${name}`, labels },
    spec: { containers: [{ name: 'c', ports: [{ name: 'web', containerPort: 8080 }] }], ...spec },
    status: { phase: 'Running', ...(ip && { podIP: ip, podIPs: [{ ip }] }) },
  }) as unknown as Pod;
const namespace = (name: string, labels: Labels = {}): KubeObject =>
  ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, uid: name, labels } }) as unknown as KubeObject;
const policy = (name: string, spec: object, ns = 'default'): KubeObject =>
  ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name, namespace: ns, uid: `policy-${ns}-${name}` },
    spec: { podSelector: {}, ...spec },
  }) as unknown as KubeObject;

function told(...objects: KubeObject[]): PolicyPeers[] {
  const book = new PeerBook();
  for (const object of objects) book.put(object);
  return book.all();
}
const addresses = (peers: PolicyPeers | undefined): (readonly string[] | undefined)[] | undefined =>
  peers?.ingress?.map(rule => rule.peers?.addresses);

const world = [
  namespace('default', { team: 'a' }),
  namespace('other', { team: 'b' }),
  pod('web', '10.244.0.2', { app: 'web' }),
  pod('db', '10.244.0.3', { app: 'db' }),
  pod('far', '10.244.1.2', { app: 'web' }, 'other'),
  pod('host', '192.0.2.1', { app: 'web' }, 'default', { hostNetwork: true }),
  pod('new', undefined, { app: 'web' }),
];
const from = (...peers: object[]) => policy('p', { policyTypes: ['Ingress'], ingress: [{ from: peers }] });
const web = { matchLabels: { app: 'web' } };

describe('peers', () => {
  test.each<[string, object, string[]]>([
    ['pods of its own namespace', { podSelector: web }, ['10.244.0.2']],
    ['all of its own namespace', { podSelector: {} }, ['10.244.0.2', '10.244.0.3']],
    ['all of a namespace', { namespaceSelector: { matchLabels: { team: 'b' } } }, ['10.244.1.2']],
    ['pods of all namespaces', { namespaceSelector: {}, podSelector: web }, ['10.244.0.2', '10.244.1.2']],
    [
      'pods of certain namespaces',
      {
        namespaceSelector: { matchExpressions: [{ key: 'team', operator: 'NotIn', values: ['a'] }] },
        podSelector: web,
      },
      ['10.244.1.2'],
    ],
    ['a block names no pods', { ipBlock: { cidr: '10.0.0.0/8' } }, []],
  ])('%s', (_, peer, expected) => {
    expect(addresses(told(...world, from(peer))[0])).toEqual([expected]);
  });

  test('peers of one rule add up; no peers at all are everybody', () => {
    const [both] = told(...world, from({ podSelector: web }, { namespaceSelector: { matchLabels: { team: 'b' } } }));
    expect(addresses(both)).toEqual([['10.244.0.2', '10.244.1.2']]);
    const [all] = told(...world, policy('p', { policyTypes: ['Ingress'], ingress: [{}] }));
    expect(addresses(all)).toEqual([undefined]);
    const [none] = told(...world, policy('p', { policyTypes: ['Ingress', 'Egress'] }));
    expect([none?.ingress, none?.egress]).toEqual([[], []]);
  });

  test('named ports of an egress rule are those of its peers', () => {
    const rule = { to: [{ podSelector: web }], ports: [{ protocol: 'TCP', port: 'web' }] };
    const [out] = told(...world, policy('p', { policyTypes: ['Egress'], egress: [rule] }));
    expect(out?.egress?.[0]?.named).toEqual([{ address: '10.244.0.2', protocol: 'TCP', port: 8080 }]);
  });

  test.each<[string, object]>([
    ['without peers', {}],
    ['with a block of addresses', { to: [{ ipBlock: { cidr: '10.0.0.0/8' } }] }],
  ])('named ports of an egress rule %s are those of any pod, also of one that comes later', (_, peers) => {
    const rule = { ...peers, ports: [{ protocol: 'TCP', port: 'web' }] };
    const book = new PeerBook();
    book.put(pod('web', '10.244.0.2'));
    book.put(policy('p', { policyTypes: ['Egress'], egress: [rule] }));
    const named = () => book.take()[0]?.egress?.[0]?.named?.map(({ address }) => address);
    expect(named()).toEqual(['10.244.0.2']);
    book.put(pod('later', '10.244.0.7'));
    expect(named()).toEqual(['10.244.0.2', '10.244.0.7']);
    book.remove(pod('web', '10.244.0.2'));
    expect(named()).toEqual(['10.244.0.7']);
    book.put(pod('bare', '10.244.0.8', {}, 'default', { containers: [{ name: 'c' }] }));
    expect(book.isDirty).toBe(false);
  });

  test('the DNS of the cluster is a peer by the labels of its Service', () => {
    const dns = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: {
        name: 'kube-dns',
        namespace: 'kube-system',
        uid: 'dns',
        labels: { 'k8s-app': 'kube-dns' },
        annotations: { 'keelson.dev/served-by': 'agent' },
      },
      spec: { clusterIPs: ['10.96.0.10'], ports: [{ name: 'dns', protocol: 'UDP', port: 53 }] },
    } as unknown as KubeObject;
    const peer = { namespaceSelector: {}, podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } } };
    expect(addresses(told(namespace('kube-system'), dns, from(peer))[0])).toEqual([['10.96.0.10']]);
  });

  test('only policies whose peers have changed are told again', () => {
    const book = new PeerBook();
    for (const object of [...world, from({ podSelector: web }), policy('q', { policyTypes: ['Ingress'] })])
      book.put(object);
    expect(book.take().length).toBe(2);
    book.put(pod('db', '10.244.0.3', { app: 'db' }));
    book.put(pod('db2', '10.244.0.4', { app: 'db' }));
    expect(book.take()).toEqual([]);
    book.put(pod('web', '10.244.0.9', { app: 'web' }));
    expect(book.take().map(addresses)).toEqual([[['10.244.0.9']]]);
    book.put({ ...pod('web', '10.244.0.9', { app: 'web' }), status: { phase: 'Succeeded' } } as Pod);
    expect(book.take().map(addresses)).toEqual([[[]]]);
  });

  test('whatever comes in whatever order, it ends as if it had come at once', () => {
    const label = fc.constantFrom('a', 'b');
    const step = fc.record({
      what: fc.constantFrom('pod', 'namespace', 'policy'),
      name: fc.constantFrom('x', 'y'),
      ns: fc.constantFrom('default', 'other'),
      label,
      gone: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), steps => {
        const book = new PeerBook();
        const present = new Map<string, KubeObject>();
        for (const { what, name, ns, label: l, gone } of steps) {
          const object =
            what === 'pod'
              ? pod(name, `10.244.0.${name === 'x' ? 1 : 2}`, { app: l }, ns)
              : what === 'namespace'
                ? namespace(ns, { team: l })
                : policy(name, { ingress: [{ from: [peerOf(l)] }] }, ns);
          const key = `${what}/${what === 'namespace' ? ns : `${ns}/${name}`}`;
          if (gone && what !== 'namespace') {
            present.delete(key);
            book.remove(object);
          } else {
            present.set(key, object);
            book.put(object);
          }
        }
        const sorted = (all: PolicyPeers[]) => JSON.stringify(all.map(p => [p.metadata.uid, addresses(p)]).sort());
        expect(sorted(book.all())).toBe(sorted(told(...present.values())));
      }),
    );
  });
});

const peerOf = (label: string): object => ({
  namespaceSelector: { matchLabels: { team: label } },
  podSelector: { matchLabels: { app: label } },
});

describe('on a node', () => {
  const local: LocalPod[] = [
    { pod: pod('web', '10.244.0.2', { app: 'web' }), addresses: ['10.244.0.2'] },
    { pod: pod('db', '10.244.0.3', { app: 'db' }), addresses: ['10.244.0.3'] },
  ];
  const planOf = (...policies: KubeObject[]) => planPolicies(told(...world, ...policies), local);
  const isolated = (direction: Direction, ...policies: KubeObject[]) => [
    ...planOf(...policies).groups[direction].keys(),
  ];

  test('only what a policy selects is isolated, and only in the directions that it speaks of', () => {
    const ingress = policy('p', { podSelector: web, policyTypes: ['Ingress'] });
    expect([isolated('in', ingress), isolated('out', ingress)]).toEqual([['10.244.0.2'], []]);
    const both = policy('p', { policyTypes: ['Ingress', 'Egress'] });
    expect([isolated('in', both).length, isolated('out', both).length]).toEqual([2, 2]);
    expect(isolated('in', policy('p', {}, 'other'))).toEqual([]);
  });

  test('pods under the same policies share a group, which asks each of them', () => {
    const plan = planOf(policy('all', {}), policy('web', { podSelector: web }));
    expect(new Set(plan.groups.in.values()).size).toBe(2);
    expect([...plan.members.in.values()].map(m => m.length).sort()).toEqual([1, 2]);
  });

  test('the text: who with what, each way on a line of its own', () => {
    const rule = {
      from: [{ podSelector: web }, { ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16', '10.2.0.0/16'] } }],
      ports: [{ protocol: 'TCP', port: 80 }, { protocol: 'UDP', port: 1000, endPort: 2000 }, { protocol: 'SCTP' }],
    };
    const text = wholeTable(planOf(policy('p', { podSelector: web, policyTypes: ['Ingress'], ingress: [rule] })));
    const lines = text.split('\n').filter(line => line.endsWith('accept') && !line.startsWith('ct'));
    const set = /set (peers_in_\w+)/.exec(text)?.[1];
    const block = 'ip saddr 10.0.0.0/8 ip saddr != { 10.1.0.0/16, 10.2.0.0/16 }';
    expect(lines).toEqual([
      `ip saddr @${set} tcp dport 80 accept`,
      `ip saddr @${set} udp dport 1000-2000 accept`,
      `ip saddr @${set} meta l4proto sctp accept`,
      `${block} tcp dport 80 accept`,
      `${block} udp dport 1000-2000 accept`,
      `${block} meta l4proto sctp accept`,
    ]);
    expect(text).toContain('10.244.0.2 : goto group_in_');
  });

  test('a named port is that of each pod; peers that are nobody allow nothing; no rule at all, neither', () => {
    const named = policy('p', { podSelector: web, ingress: [{ ports: [{ protocol: 'TCP', port: 'web' }] }] });
    expect(wholeTable(planOf(named))).toContain('elements = { 10.244.0.2 . tcp . 8080 }');
    const accepts = (text: string) => text.split('\n').filter(l => l.endsWith('accept') && !l.startsWith('ct')).length;
    // an empty set is nobody
    expect(wholeTable(planOf(from({ podSelector: { matchLabels: { app: 'nobody' } } })))).toMatch(
      /set peers_in_\w+ { type ipv4_addr; }/,
    );
    expect(accepts(wholeTable(planOf(policy('p', {}))))).toBe(0);
    expect(accepts(wholeTable(planOf(policy('p', { ingress: [{}] }))))).toBe(1);
    const nothing = policy('p', { ingress: [{ ports: [{ protocol: 'TCP', port: 'nothing' }] }] });
    expect(wholeTable(planOf(nothing))).toMatch(/set ports_in_\w+ \{ type [^;]+; \}/);
  });

  test('each family has its own table, with what speaks of it', () => {
    const dual: LocalPod[] = [
      { pod: pod('web', '10.244.0.2', { app: 'web' }), addresses: ['10.244.0.2', 'fd00:10::2'] },
      { pod: pod('db', '10.244.0.3', { app: 'db' }), addresses: ['10.244.0.3'] },
    ];
    const rule = {
      from: [
        { ipBlock: { cidr: '10.0.0.0/8' } },
        { ipBlock: { cidr: 'fd00::/8', except: ['fd00:9::/32'] } },
        { podSelector: web },
      ],
      ports: [{ protocol: 'TCP', port: 'web' }],
    };
    const web2: Pod = {
      ...pod('web', '10.244.0.2', { app: 'web' }),
      status: {
        phase: 'Running',
        podIP: '10.244.0.2',
        podIPs: [{ ip: '10.244.0.2' }, { ip: 'fd00:10::2' }],
      } as PodStatus,
    };
    const policies = told(web2, policy('p', { podSelector: {}, ingress: [rule] }));
    const plan = planPolicies(policies, dual, 'ip6');
    expect([...plan.groups.in.keys()]).toEqual(['fd00:10::2']);
    const text = wholeTable(plan);
    expect(text).not.toContain('10.');
    expect(text).toContain('ip6 saddr fd00::/8 ip6 saddr != { fd00:9::/32 } ip6 daddr . meta l4proto . th dport');
    expect(text).toContain('type ipv6_addr; elements = { fd00:10::2 }');
    expect(text).toContain('elements = { fd00:10::2 . tcp . 8080 }');
    // neighbours must find each other, and nobody gets round by a link-local address
    expect(text).toContain('nd-neighbor-solicit');
    expect(text).toContain('table bridge keelson_policies');
    expect([...planPolicies(policies, dual, 'ip').groups.in.keys()]).toEqual(['10.244.0.2', '10.244.0.3']);
  });
});
