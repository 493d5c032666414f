/** Each filter: who may go where, and in which words the others are refused. */
import { describe, expect, test } from 'vitest';
import type { PodAffinityTerm } from '../../src/kube/api/core-v1.js';
import { nodesToFind } from '../../src/scheduler/schedule.js';
import { clusterOf, type NodeGiven, nodeOf, type PodGiven, podOf, outcome as where } from '../helpers/scheduling.js';

const refusal = (reason: string, count = 1): string => `0/${count} nodes are available: ${count} ${reason}.`;

/** One node, perhaps with pods: the pod goes there, or what is said. */
function alone(pod: PodGiven, node: NodeGiven = {}, there: PodGiven[] = []): string {
  const pods = there.map((given, i) => podOf(`there-${i}`, { on: 'n', ...given }));
  return where(podOf('p', pod), clusterOf([nodeOf('n', node)], pods));
}

describe('nodes that take no pods', () => {
  const noSchedule = { key: 'team', value: 'a', effect: 'NoSchedule' } as const;
  const cases: [string, PodGiven, NodeGiven, string][] = [
    ['cordoned', {}, { unschedulable: true }, refusal('node(s) were unschedulable')],
    [
      'cordoned, tolerated',
      { tolerations: [{ key: 'node.kubernetes.io/unschedulable', operator: 'Exists', effect: 'NoSchedule' }] },
      { unschedulable: true },
      'n',
    ],
    ['not ready', {}, { ready: false }, refusal('node(s) had untolerated taint(s)')],
    ['not ready, everything tolerated', { tolerations: [{ operator: 'Exists' }] }, { ready: false }, 'n'],
    ['tainted', {}, { taints: [noSchedule] }, refusal('node(s) had untolerated taint(s)')],
    [
      'another value',
      { tolerations: [{ key: 'team', value: 'b' }] },
      { taints: [noSchedule] },
      refusal('node(s) had untolerated taint(s)'),
    ],
    ['tolerated', { tolerations: [{ key: 'team', value: 'a' }] }, { taints: [noSchedule] }, 'n'],
    ['only discouraged', {}, { taints: [{ key: 'team', effect: 'PreferNoSchedule' }] }, 'n'],
  ];
  test.each(cases)('%s', (_, pod, node, expected) => expect(alone(pod, node)).toBe(expected));

  test('no nodes at all', () => expect(where(podOf('p'), clusterOf([]))).toBe('no nodes available to schedule pods'));
});

describe('node affinity', () => {
  const mismatch = refusal("node(s) didn't match Pod's node affinity/selector");
  const wants = (...requirements: [key: string, operator: string, values?: string[]][]): PodGiven => ({
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: requirements.map(([key, operator, values]) => ({
            matchExpressions: [{ key, operator, ...(values && { values }) }],
          })),
        },
      },
    },
  });
  const labels = { disk: 'ssd', cores: '8' };
  const cases: [string, PodGiven, string][] = [
    ['nodeSelector', { nodeSelector: { disk: 'ssd' } }, 'n'],
    ['nodeSelector, other value', { nodeSelector: { disk: 'hdd' } }, mismatch],
    ['In', wants(['disk', 'In', ['hdd', 'ssd']]), 'n'],
    ['In, not', wants(['disk', 'In', ['hdd']]), mismatch],
    ['NotIn', wants(['disk', 'NotIn', ['hdd']]), 'n'],
    ['NotIn, absent', wants(['gpu', 'NotIn', ['a']]), 'n'],
    ['NotIn, not', wants(['disk', 'NotIn', ['ssd']]), mismatch],
    ['Exists', wants(['disk', 'Exists']), 'n'],
    ['Exists, not', wants(['gpu', 'Exists']), mismatch],
    ['DoesNotExist', wants(['gpu', 'DoesNotExist']), 'n'],
    ['DoesNotExist, not', wants(['disk', 'DoesNotExist']), mismatch],
    ['Gt', wants(['cores', 'Gt', ['7']]), 'n'],
    ['Gt, equal', wants(['cores', 'Gt', ['8']]), mismatch],
    ['Lt', wants(['cores', 'Lt', ['9']]), 'n'],
    ['Lt of what is no number', wants(['disk', 'Lt', ['9']]), mismatch],
    ['terms are alternatives', wants(['disk', 'In', ['hdd']], ['cores', 'Exists']), 'n'],
  ];
  test.each(cases)('%s', (_, pod, expected) => expect(alone(pod, { labels })).toBe(expected));

  test('matchFields names the node, and nobody looks at the others', () => {
    const affinity = (name: string) => ({
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: [name] }] }],
        },
      },
    });
    const cluster = clusterOf([nodeOf('a'), nodeOf('b', { has: { cpu: '1' } }), nodeOf('c')]);
    expect(where(podOf('p', { affinity: affinity('b') }), cluster)).toBe('b');
    expect(where(podOf('p', { affinity: affinity('b'), requests: { cpu: '2' } }), cluster)).toBe(
      "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't satisfy plugin(s) [NodeAffinity].",
    );
  });
});

describe('room', () => {
  const cases: [string, PodGiven, PodGiven[], NodeGiven, string][] = [
    ['exactly fits', { requests: { cpu: '1' } }, [{ requests: { cpu: '3' } }], {}, 'n'],
    ['CPU lacks', { requests: { cpu: '1001m' } }, [{ requests: { cpu: '3' } }], {}, refusal('Insufficient cpu')],
    [
      'two things lack',
      { requests: { cpu: '5', memory: '9Gi' } },
      [],
      {},
      '0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory.',
    ],
    ['pods', {}, [{}, {}], { has: { pods: '2' } }, refusal('Too many pods')],
    ['extended', { requests: { 'example.com/gpu': '1' } }, [], {}, refusal('Insufficient example.com/gpu')],
    ['extended, there', { requests: { 'example.com/gpu': '1' } }, [], { has: { 'example.com/gpu': '1' } }, 'n'],
    ['overhead counts', { requests: { cpu: '3' }, overhead: { cpu: '1500m' } }, [], {}, refusal('Insufficient cpu')],
    [
      'the largest init container counts',
      { initContainers: [{ name: 'i', resources: { requests: { cpu: '5' } } }] },
      [],
      {},
      refusal('Insufficient cpu'),
    ],
    ['nothing asked for, nothing lacks', {}, [{ requests: { cpu: '4' } }], {}, 'n'],
    ['other ports', { hostPorts: [80] }, [{ hostPorts: [81] }], {}, 'n'],
    [
      'ports',
      { hostPorts: [80] },
      [{ hostPorts: [80] }],
      {},
      refusal("node(s) didn't have free ports for the requested pod ports"),
    ],
  ];
  test.each(cases)('%s', (_, pod, there, node, expected) => expect(alone(pod, node, there)).toBe(expected));
});

describe('pod affinity', () => {
  const term = (app: string, more: Partial<PodAffinityTerm> = {}): PodAffinityTerm => ({
    labelSelector: { matchLabels: { app } },
    topologyKey: 'zone',
    ...more,
  });
  const near = (...terms: PodAffinityTerm[]): PodGiven => ({
    affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms } },
  });
  const apart = (...terms: PodAffinityTerm[]): PodGiven => ({
    affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms } },
  });
  const nodes = [
    nodeOf('a1', { labels: { zone: 'a' } }),
    nodeOf('b1', { labels: { zone: 'b' }, unschedulable: true }),
    nodeOf('none'),
  ];
  const web = (on: string, more: PodGiven = {}) => podOf('web', { labels: { app: 'web' }, on, ...more });
  const rules = "node(s) didn't match pod affinity rules";
  const cordoned = '1 node(s) were unschedulable';

  test('goes where they are', () =>
    expect(where(podOf('p', near(term('web'))), clusterOf(nodes, [web('a1')]))).toBe('a1'));
  test('nobody there', () =>
    expect(where(podOf('p', near(term('web'))), clusterOf(nodes))).toBe(
      `0/3 nodes are available: ${cordoned}, 2 ${rules}.`,
    ));
  test('the first of its kind has nobody to join', () =>
    expect(where(podOf('p', { labels: { app: 'web' }, ...near(term('web')) }), clusterOf(nodes))).toBe('a1'));
  test('other namespaces only when named', () => {
    const cluster = () =>
      clusterOf(nodes, [web('a1', { namespace: 'other' })], {
        Namespace: [{ metadata: { name: 'other', labels: { team: 'x' } } as never }],
      });
    const refused = `0/3 nodes are available: 1 node(s) were unschedulable, 2 ${rules}.`;
    expect(where(podOf('p', near(term('web'))), cluster())).toBe(refused);
    expect(where(podOf('p', near(term('web', { namespaces: ['other'] }))), cluster())).toBe('a1');
    const selected = (team: string) => near(term('web', { namespaceSelector: { matchLabels: { team } } }));
    expect(where(podOf('p', selected('x')), cluster())).toBe('a1');
    expect(where(podOf('p', selected('y')), cluster())).toBe(refused);
  });
  test('anti-affinity, where the label is', () => {
    const only = [nodes[0]!];
    const shunned = refusal("node(s) didn't match pod anti-affinity rules");
    expect(where(podOf('p', apart(term('web'))), clusterOf(only, [web('a1')]))).toBe(shunned);
    expect(where(podOf('p', apart(term('web', { topologyKey: 'rack' }))), clusterOf(only, [web('a1')]))).toBe('a1');
  });
  test('those that are there keep others away', () => {
    const hermit = podOf('hermit', { on: 'a1', ...apart(term('web')) });
    const cluster = clusterOf([nodes[0]!], [hermit]);
    expect(where(podOf('p', { labels: { app: 'web' } }), cluster)).toBe(
      refusal("node(s) didn't satisfy existing pods anti-affinity rules"),
    );
    expect(where(podOf('p', { labels: { app: 'db' } }), cluster)).toBe('a1');
    cluster.removePod('hermit');
    expect(where(podOf('p', { labels: { app: 'web' } }), cluster)).toBe('a1');
  });
  test('matchLabelKeys: only those of the same revision', () => {
    const keyed = apart(term('web', { matchLabelKeys: ['rev'] }));
    const cluster = clusterOf([nodes[0]!], [podOf('old', { on: 'a1', labels: { app: 'web', rev: '1' } })]);
    expect(where(podOf('p', { labels: { app: 'web', rev: '2' }, ...keyed }), cluster)).toBe('a1');
    expect(where(podOf('p', { labels: { app: 'web', rev: '1' }, ...keyed }), cluster)).toContain('anti-affinity');
  });
});

describe('topology spread', () => {
  const spread = (more: object = {}): PodGiven => ({
    labels: { app: 'web' },
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        topologyKey: 'zone',
        whenUnsatisfiable: 'DoNotSchedule',
        labelSelector: { matchLabels: { app: 'web' } },
        ...more,
      },
    ],
  });
  const zone = (name: string, more: NodeGiven = {}) => nodeOf(name, { ...more, labels: { zone: name[0]! } });
  const web = (name: string, on: string, more: PodGiven = {}) => podOf(name, { labels: { app: 'web' }, on, ...more });
  const skewed = "node(s) didn't match pod topology spread constraints";

  test('the emptier place', () =>
    expect(where(podOf('p', spread()), clusterOf([zone('a1'), zone('b1')], [web('w', 'a1')]))).toBe('b1'));
  test('the fuller place would be too full', () => {
    const nodes = [zone('a1'), zone('b1', { unschedulable: true })];
    expect(where(podOf('p', spread()), clusterOf(nodes, [web('w', 'a1')]))).toBe(
      `0/2 nodes are available: 1 ${skewed}, 1 node(s) were unschedulable.`,
    );
    expect(where(podOf('p', spread({ maxSkew: 2 })), clusterOf(nodes, [web('w', 'a1')]))).toBe('a1');
  });
  test('a node without the label', () =>
    expect(where(podOf('p', spread()), clusterOf([nodeOf('n')]))).toBe(refusal(`${skewed} (missing required label)`)));
  test('minDomains: places that are missing count as empty', () => {
    const cluster = clusterOf([zone('a1')], [web('w', 'a1')]);
    expect(where(podOf('p', spread()), cluster)).toBe('a1');
    expect(where(podOf('p', spread({ minDomains: 2 })), cluster)).toBe(refusal(skewed));
  });
  test('pods on their way out do not count', () =>
    expect(
      where(podOf('p', spread({ minDomains: 2 })), clusterOf([zone('a1')], [web('w', 'a1', { deleted: true })])),
    ).toBe('a1'));
  test('nodeAffinityPolicy and nodeTaintsPolicy say which places count', () => {
    const tainted = zone('b1', { taints: [{ key: 'x', effect: 'NoSchedule' }] });
    const cluster = clusterOf([zone('a1'), tainted], [web('w', 'a1')]);
    expect(where(podOf('p', spread()), cluster)).toContain(skewed);
    expect(where(podOf('p', spread({ nodeTaintsPolicy: 'Honor' })), cluster)).toBe('a1');
    const affine = { ...spread(), nodeSelector: { zone: 'a' } };
    const plain = clusterOf([zone('a1'), zone('b1')], [web('w', 'a1')]);
    expect(where(podOf('p', affine), plain)).toBe('a1');
    expect(
      where(podOf('p', { ...spread({ nodeAffinityPolicy: 'Ignore' }), nodeSelector: { zone: 'a' } }), plain),
    ).toContain(skewed);
  });
});

describe('volumes', () => {
  const claim = (name: string, spec: object) => ({ metadata: { name, namespace: 'default' }, spec });
  const volume = (name: string, host: string, more: object = {}) => ({
    metadata: { name },
    spec: {
      ...{ capacity: { storage: '2Gi' }, accessModes: ['ReadWriteOnce'], storageClassName: 'local', ...more },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [
            { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [host] }] },
          ],
        },
      },
    },
  });
  const storage = (provisioner: string) => ({
    metadata: { name: 'local' },
    provisioner,
    volumeBindingMode: 'WaitForFirstConsumer',
  });
  const wanted = {
    storageClassName: 'local',
    accessModes: ['ReadWriteOnce'],
    resources: { requests: { storage: '1Gi' } },
  };
  const nodes = [nodeOf('a'), nodeOf('b')];
  const using = podOf('p', { claims: ['c'] });
  const noneFound = "0/2 nodes are available: 2 node(s) didn't find available persistent volumes to bind.";
  const cases: [string, Parameters<typeof clusterOf>[2] & object, string][] = [
    ['not there', {}, '0/2 nodes are available: persistentvolumeclaim "c" not found.'],
    [
      'not bound',
      { PersistentVolumeClaim: [claim('c', {})] },
      '0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims.',
    ],
    [
      'bound: where the volume is',
      { PersistentVolumeClaim: [claim('c', { volumeName: 'v' })], PersistentVolume: [volume('v', 'b')] },
      'b',
    ],
    [
      'bound to a volume of no node',
      { PersistentVolumeClaim: [claim('c', { volumeName: 'v' })], PersistentVolume: [volume('v', 'z')] },
      "0/2 nodes are available: 2 node(s) didn't match PersistentVolume's node affinity.",
    ],
    [
      'first consumer: where a volume is',
      {
        PersistentVolumeClaim: [claim('c', wanted)],
        PersistentVolume: [volume('v', 'b')],
        StorageClass: [storage('kubernetes.io/no-provisioner')],
      },
      'b',
    ],
    [
      'first consumer: too small',
      {
        PersistentVolumeClaim: [claim('c', wanted)],
        PersistentVolume: [volume('v', 'b', { capacity: { storage: '1Mi' } })],
        StorageClass: [storage('kubernetes.io/no-provisioner')],
      },
      noneFound,
    ],
    [
      'first consumer: a volume can be made',
      { PersistentVolumeClaim: [claim('c', wanted)], StorageClass: [storage('example.com/x')] },
      'a',
    ],
  ];
  test.each(cases)('%s', (_, others, expected) => expect(where(using, clusterOf(nodes, [], others))).toBe(expected));

  test('ReadWriteOncePod: one pod at a time', () => {
    const others = {
      PersistentVolumeClaim: [claim('c', { volumeName: 'v', accessModes: ['ReadWriteOncePod'] })],
      PersistentVolume: [{ metadata: { name: 'v' }, spec: {} }],
    };
    const user = podOf('user', { on: 'a', claims: ['c'] });
    expect(where(using, clusterOf(nodes, [user], others))).toContain(
      '2 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode',
    );
  });
});

test('large clusters are not searched to the end, and the search goes on where it stopped', () => {
  expect([10, 99, 100, 200, 1000, 5000, 10_000].map(total => nodesToFind(total, 0))).toEqual([
    10, 99, 100, 100, 420, 500, 500,
  ]);
  expect(nodesToFind(1000, 70)).toBe(700);
});
