/** Preemption: who has to go, from where, and what is said when nobody can. */
import { describe, expect, test } from 'vitest';
import type { Pod } from '../../src/kube/pod.js';
import { splitByBudget } from '../../src/scheduler/budgets.js';
import type { Cluster } from '../../src/scheduler/cluster.js';
import { explain } from '../../src/scheduler/explain.js';
import { Nominations } from '../../src/scheduler/nominations.js';
import { type PodInfo, podInfo } from '../../src/scheduler/pod-info.js';
import { leastHarm, preempt } from '../../src/scheduler/preempt.js';
import { decide } from '../../src/scheduler/schedule.js';
import { choosing, clusterOf, nodeOf, outcome, type PodGiven, podOf } from '../helpers/scheduling.js';

/** `node: victims`, or what is said. */
function made(pod: Pod, cluster: Cluster, nominated = choosing.nominated): string {
  const info = podInfo(pod);
  const decision = decide(info, cluster, { ...choosing, nominated });
  if (!('why' in decision)) return `fits ${decision.node}`;
  const result = preempt(info, { ...decision, cluster, random: () => 0, nominated });
  if (typeof result === 'string') return explain(decision.why, result);
  return `${result.node}: ${result.pods.map(({ uid }) => uid).join(' ')}`;
}

const low = (name: string, on: string, cpu: string, more: PodGiven = {}) =>
  podOf(name, { on, requests: { cpu }, priority: 1, ...more });
const high = (cpu: string, more: PodGiven = {}) => podOf('high', { requests: { cpu }, priority: 100, ...more });
const budget = (name: string, app: string, disruptionsAllowed: number) => ({
  metadata: { name, namespace: 'default' },
  spec: { selector: { matchLabels: { app } } },
  status: { disruptionsAllowed },
});

describe('who has to go', () => {
  test('as few as needed, the least important', () => {
    const pods = [
      low('one', 'n', '1', { priority: 1 }),
      low('two', 'n', '1', { priority: 2 }),
      low('three', 'n', '1', { priority: 3 }),
    ];
    expect(made(high('2'), clusterOf([nodeOf('n')], pods))).toBe('n: one');
    expect(made(high('3'), clusterOf([nodeOf('n')], pods))).toBe('n: two one');
  });
  test('of equals the one that runs for the shorter time', () => {
    const pods = [
      low('old', 'n', '2', { startTime: '2026-01-01T00:00:00Z' }),
      low('new', 'n', '2', { startTime: '2026-01-02T00:00:00Z' }),
    ];
    expect(made(high('2'), clusterOf([nodeOf('n')], pods))).toBe('n: new');
  });
  test('a pod under a budget stays, if another one can go', () => {
    const pods = [low('kept', 'n', '2', { labels: { app: 'db' } }), low('other', 'n', '2', { priority: 50 })];
    const cluster = clusterOf([nodeOf('n')], pods, { PodDisruptionBudget: [budget('b', 'db', 0)] });
    expect(made(high('2'), cluster)).toBe('n: other');
  });
  test('those that keep it away by anti-affinity, and ports', () => {
    const apart = {
      podAntiAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          { labelSelector: { matchLabels: { app: 'web' } }, topologyKey: 'kubernetes.io/hostname' },
        ],
      },
    };
    const pods = [
      low('web', 'n', '1', { labels: { app: 'web' } }),
      low('port', 'n', '1', { hostPorts: [80] }),
      low('by', 'n', '1'),
    ];
    const cluster = clusterOf([nodeOf('n')], pods);
    expect(made(high('1', { affinity: apart, hostPorts: [80] }), cluster)).toBe('n: web port');
    // nothing that was tried has been left behind in the picture
    expect(made(high('1', { affinity: apart, hostPorts: [80] }), cluster)).toBe('n: web port');
    expect(outcome(high('1'), cluster)).toBe('n');
  });
});

describe('where', () => {
  const two = [nodeOf('a'), nodeOf('b')];
  const cases: [string, Pod[], object[], string][] = [
    [
      'no budget is broken',
      [low('a1', 'a', '4', { labels: { app: 'db' } }), low('b1', 'b', '4', { priority: 9 })],
      [budget('x', 'db', 0)],
      'b: b1',
    ],
    ['the least important', [low('a1', 'a', '4', { priority: 9 }), low('b1', 'b', '4')], [], 'b: b1'],
    ['less importance in sum', [low('a1', 'a', '2'), low('a2', 'a', '2'), low('b1', 'b', '4')], [], 'b: b1'],
    [
      'what began later',
      [
        low('a1', 'a', '4', { startTime: '2026-01-01T00:00:00Z' }),
        low('b1', 'b', '4', { startTime: '2026-01-02T00:00:00Z' }),
      ],
      [],
      'b: b1',
    ],
  ];
  test.each(cases)('%s', (_, pods, budgets, expected) =>
    expect(made(high('4'), clusterOf(two, pods, { PodDisruptionBudget: budgets as never }))).toBe(expected),
  );
  test('nobody to choose from', () => expect(leastHarm([])).toBeUndefined());
});

describe('what is said', () => {
  test('nobody less important', () =>
    expect(
      made(
        high('2'),
        clusterOf([nodeOf('n'), nodeOf('m', { unschedulable: true })], [low('x', 'n', '3', { priority: 100 })]),
      ),
    ).toBe(
      '0/2 nodes are available: 1 Insufficient cpu, 1 node(s) were unschedulable. preemption: 0/2 nodes are available: 1 No preemption victims found for incoming pod, 1 Preemption is not helpful for scheduling.',
    ));
  test('their room would not be enough', () => {
    const pods = [low('a', 'n', '1'), low('b', 'n', '2', { priority: 200 })];
    expect(made(high('3'), clusterOf([nodeOf('n')], pods))).toBe(
      '0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 Insufficient cpu.',
    );
  });
  test('one that does not want to', () =>
    expect(made(high('4', { preemptionPolicy: 'Never' }), clusterOf([nodeOf('n')], [low('x', 'n', '3')]))).toBe(
      '0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to preemptionPolicy=Never.',
    ));
  test('one that waits for its victims', () => {
    const victim = low('x', 'n', '3', { deleted: true });
    const condition = { type: 'DisruptionTarget', status: 'True' as const, reason: 'PreemptionByScheduler' };
    const going = { ...victim, status: { ...victim.status, conditions: [condition] } };
    expect(made(high('4', { nominated: 'n' }), clusterOf([nodeOf('n')], [going]))).toBe(
      '0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to a terminating pod on the nominated node.',
    );
  });
});

describe('nominated pods', () => {
  const nominations = new Nominations();
  nominations.set(podInfo(high('3')), 'n');
  const cluster = clusterOf([nodeOf('n')]);
  test('others leave them their room, unless they are more important', () => {
    const wants = (priority: number) =>
      outcome(podOf('p', { priority, requests: { cpu: '2' } }), cluster, { nominated: nominations.ahead });
    expect(wants(1)).toBe('0/1 nodes are available: 1 Insufficient cpu.');
    expect(wants(200)).toBe('n');
  });
  test('their own room is theirs', () =>
    expect(outcome(high('3', { nominated: 'n' }), cluster, { nominated: nominations.ahead })).toBe('n'));
});

test('budgets: what they allow is used up in order', () => {
  const info = (name: string, app: string): PodInfo => podInfo(podOf(name, { labels: { app } }));
  const pods = [info('a', 'db'), info('b', 'db'), info('c', 'web')];
  const { breaking, others } = splitByBudget(pods, [budget('x', 'db', 1)] as never);
  expect([breaking.map(({ uid }) => uid), others.map(({ uid }) => uid)]).toEqual([['b'], ['a', 'c']]);
});
