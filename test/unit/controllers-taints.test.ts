/** Taints that follow a node's conditions, who is evicted by them and when, and what becomes of pods that nobody can stop. */
import { describe, expect, test } from 'vitest';
import type { Seen } from '../../src/controllers/contract.js';
import { graceMs, nodeLifecycleController } from '../../src/controllers/node-lifecycle.js';
import { type Eviction, mayEvict, taintsFor } from '../../src/controllers/node-lifecycle-taints.js';
import { podGcController } from '../../src/controllers/pod-gc.js';
import { evictionTime, taintEvictionController } from '../../src/controllers/taint-eviction.js';
import type { Node, Taint } from '../../src/kube/node.js';
import type { Toleration } from '../../src/kube/pod.js';
import { timestamp } from '../../src/kube/time.js';
import { tolerates } from '../../src/kube/tolerations.js';
import { facts, object, start } from '../helpers/facts.js';
import { deeds, pod } from '../helpers/workloads.js';

const short = 'node.kubernetes.io/';
const node = (name: string, conditions: Record<string, string>, spec: object = {}): Node =>
  object('Node', name, undefined, {
    spec,
    status: { conditions: Object.entries(conditions).map(([type, status]) => ({ type, status })) },
  }) as unknown as Node;
const noExecute = (key: string, timeAdded?: number): Taint => ({
  key: short + key,
  effect: 'NoExecute',
  ...(timeAdded !== undefined && { timeAdded: timestamp(timeAdded) }),
});
const text = (taints: readonly Taint[]) => taints.map(({ key, effect }) => `${key.replace(short, '')}:${effect}`);

test.each<[string, Node, Eviction, string[]]>([
  ['well', node('n', { Ready: 'True' }), 'now', []],
  ['has not said anything yet', node('n', {}), 'now', []],
  ['not ready', node('n', { Ready: 'False' }), 'now', ['not-ready:NoSchedule', 'not-ready:NoExecute']],
  ['silent', node('n', { Ready: 'Unknown' }), 'now', ['unreachable:NoSchedule', 'unreachable:NoExecute']],
  ['silent, not its turn', node('n', { Ready: 'Unknown' }), 'not yet', ['unreachable:NoSchedule']],
  [
    'silent, as all are',
    node('n', { Ready: 'Unknown' }, { taints: [noExecute('unreachable')] }),
    'stop',
    ['unreachable:NoSchedule'],
  ],
  [
    'from not ready to silent: given up already',
    node('n', { Ready: 'Unknown' }, { taints: [noExecute('not-ready')] }),
    'not yet',
    ['unreachable:NoSchedule', 'unreachable:NoExecute'],
  ],
  [
    'back again',
    node(
      'n',
      { Ready: 'True' },
      { taints: [{ key: `${short}unreachable`, effect: 'NoSchedule' }, noExecute('unreachable')] },
    ),
    'now',
    [],
  ],
  [
    'in trouble',
    node('n', {
      Ready: 'True',
      MemoryPressure: 'True',
      DiskPressure: 'True',
      PIDPressure: 'True',
      NetworkUnavailable: 'True',
    }),
    'now',
    [
      'memory-pressure:NoSchedule',
      'disk-pressure:NoSchedule',
      'pid-pressure:NoSchedule',
      'network-unavailable:NoSchedule',
    ],
  ],
  ['cordoned', node('n', { Ready: 'True' }, { unschedulable: true }), 'now', ['unschedulable:NoSchedule']],
  [
    "others' stay",
    node(
      'n',
      { Ready: 'True' },
      {
        taints: [
          { key: 'mine', effect: 'NoExecute' },
          { key: `${short}disk-pressure`, effect: 'NoSchedule' },
        ],
      },
    ),
    'now',
    ['mine:NoExecute'],
  ],
])('taints: %s', (_name, given, eviction, expected) => {
  const taints = taintsFor(given, eviction, start);
  expect(text(taints)).toEqual(expected);
  // settled: nothing is written again
  const settled = { ...given, spec: { ...given.spec, taints: [...taints] } };
  expect(taintsFor(settled, eviction, start)).toBe(settled.spec.taints);
});

const many = (ready: number, lost: number, spec: object = {}) => [
  ...Array.from({ length: ready }, (_, i) => node(`r${i}`, { Ready: 'True' })),
  ...Array.from({ length: lost }, (_, i) => node(`l${i}`, { Ready: 'Unknown' }, i === 0 ? spec : {})),
];
test.each<[string, readonly Node[], Eviction]>([
  ['one of many', many(5, 1), 'now'],
  ['all: rather this process is cut off', many(0, 3), 'stop'],
  ['the only one', many(0, 1), 'stop'],
  ['most of a small cluster', many(4, 5), 'not yet'],
  ['two of three', many(1, 2), 'now'],
  ['most of a large one', many(40, 60), 'now'],
  ['another was given up just now', many(5, 2, { taints: [noExecute('unreachable', start - 9000)] }), 'not yet'],
  ['another was given up a while ago', many(5, 2, { taints: [noExecute('unreachable', start - 10_000)] }), 'now'],
  ['a large cluster is slower', many(40, 60, { taints: [noExecute('unreachable', start - 10_000)] }), 'not yet'],
])('evicts: %s', (_name, nodes, expected) => expect(mayEvict(nodes, start).eviction).toBe(expected));

test('a silent node is marked, then tainted', () => {
  const others = many(3, 0) as unknown as Seen[];
  const silent = node('n', { Ready: 'True' }) as unknown as Seen;
  const lines = (given: Seen) =>
    deeds(nodeLifecycleController.reconcile(facts([given, ...others], start + graceMs), 'n').actions);
  expect(lines(silent)).toEqual(['patch Node/n/status', 'event Normal NodeNotReady']);
  expect(lines(node('n', { Ready: 'Unknown' }) as unknown as Seen)).toEqual(['patch Node/n']);
});

describe('tolerations', () => {
  const taint: Taint = { key: 'k', value: 'v', effect: 'NoExecute' };
  test.each<[Toleration, boolean]>([
    [{ operator: 'Exists' }, true],
    [{ key: 'k', operator: 'Exists' }, true],
    [{ key: 'k', value: 'v' }, true],
    [{ key: 'k', value: 'w' }, false],
    [{ key: 'other', operator: 'Exists' }, false],
    [{ key: 'k', operator: 'Exists', effect: 'NoSchedule' }, false],
    [{ key: 'k', operator: 'Equal', value: 'v', effect: 'NoExecute' }, true],
    [{}, false],
  ])('%j: %s', (toleration, expected) => expect(tolerates(toleration, taint)).toBe(expected));

  const began = start - 1_000_000;
  const until = (tolerations: Toleration[], taints: Taint[], from = began) =>
    (evictionTime(pod('p', { spec: { tolerations } }), taints, from) - start) / 1000;
  const unreachable = noExecute('unreachable', start);
  const forSeconds = (tolerationSeconds: number): Toleration => ({
    key: unreachable.key,
    operator: 'Exists',
    tolerationSeconds,
  });
  test('how long a pod stays, in seconds', () => {
    expect(until([], [unreachable])).toBe(Number.NEGATIVE_INFINITY);
    expect(until([{ operator: 'Exists' }], [unreachable])).toBe(Number.POSITIVE_INFINITY);
    expect(until([forSeconds(300)], [unreachable])).toBe(300);
    expect(until([forSeconds(300), forSeconds(5)], [unreachable])).toBe(5);
    expect(until([forSeconds(-5)], [unreachable])).toBe(0);
    expect(until([forSeconds(300)], [unreachable, taint])).toBe(Number.NEGATIVE_INFINITY);
  });
  test('the time before this process began does not count', () => {
    expect(until([forSeconds(300)], [noExecute('unreachable', start - 500_000)], start)).toBe(300);
  });
});

describe('eviction', () => {
  const lost = node('n', { Ready: 'Unknown' }, { taints: [noExecute('unreachable', start)] }) as unknown as Seen;
  const patient = { tolerations: [{ key: `${short}unreachable`, operator: 'Exists', tolerationSeconds: 300 }] };
  const stays = pod('p', {
    node: 'n',
    spec: patient,
    conditions: [{ type: 'Own', status: 'True' }],
  }) as unknown as Seen;
  const at = (seconds: number, ...more: unknown[]) =>
    taintEvictionController.reconcile(facts([lost, stays, ...(more as Seen[])], start + seconds * 1000), 'n');
  test('waits, marks and deletes, with grace', () => {
    expect(at(299)).toEqual({ actions: [], requeueAfterMs: 1000 });
    const { actions } = at(300);
    expect(deeds(actions)).toEqual(['patch Pod/p/status', 'delete Pod/p']);
    expect(actions[0]).toMatchObject({
      patch: {
        status: { conditions: [{ type: 'Own' }, { type: 'DisruptionTarget', reason: 'DeletionByTaintManager' }] },
      },
    });
    expect(actions[1]).not.toHaveProperty('graceSeconds');
  });
  test('leaves alone what ends, has ended, or is elsewhere', () => {
    const others = [
      pod('a', { node: 'n', deleted: true }),
      pod('b', { node: 'n', phase: 'Failed' }),
      pod('c', { node: 'm' }),
    ];
    expect(at(0, ...others).actions).toEqual([]);
    expect(deeds(at(0, pod('d', { node: 'n' })).actions)).toEqual(['patch Pod/d/status', 'delete Pod/d']);
  });
});

describe('pods that nobody can stop', () => {
  const gc = (given: Node) =>
    deeds(podGcController.reconcile(facts([given as unknown as Seen, ...theirs]), 'n').actions);
  const theirs = [pod('going', { node: 'n', deleted: true }), pod('runs', { node: 'n' })] as unknown as Seen[];
  const off = { taints: [{ key: `${short}out-of-service`, effect: 'NoExecute' }] };
  test('an unreachable node keeps its terminating pods: they may still run', () => {
    expect(gc(node('n', { Ready: 'Unknown' }))).toEqual([]);
  });
  test('out of service: people say that they do not', () => {
    expect(gc(node('n', { Ready: 'Unknown' }, off))).toEqual(['patch Pod/going/status', 'delete Pod/going']);
  });
  test('not while it is ready', () => expect(gc(node('n', { Ready: 'True' }, off))).toEqual([]));
});
