/** Scores: which of the nodes that would do is the better one. */
import { describe, expect, test } from 'vitest';
import type { Node } from '../../src/kube/node.js';
import type { Pod } from '../../src/kube/pod.js';
import { podInfo } from '../../src/scheduler/pod-info.js';
import { profiles } from '../../src/scheduler/profiles.js';
import type { Score } from '../../src/scheduler/scores/contract.js';
import { imageLocality } from '../../src/scheduler/scores/images.js';
import { preferredPods } from '../../src/scheduler/scores/pod-affinity.js';
import { discouragingTaints, preferredNodes } from '../../src/scheduler/scores/preferences.js';
import { balancedAllocation, leastAllocated, mostAllocated } from '../../src/scheduler/scores/resources.js';
import { softSpread } from '../../src/scheduler/scores/spread.js';
import { clusterOf, nodeOf, outcome, podOf } from '../helpers/scheduling.js';

function rates(score: Score, pod: Pod, nodes: Node[], pods: Pod[] = []) {
  const cluster = clusterOf(nodes, pods);
  return score.rate(podInfo(pod), cluster.nodes, cluster);
}

describe('room', () => {
  const nodes = [nodeOf('a'), nodeOf('b')];
  const half = podOf('half', { on: 'a', requests: { cpu: '2', memory: '4Gi' } });
  const pod = podOf('p', { requests: { cpu: '1', memory: '2Gi' } });
  test('the emptier is better, or the fuller', () => {
    expect(rates(leastAllocated, pod, nodes, [half])).toEqual([25, 75]);
    expect(rates(mostAllocated, pod, nodes, [half])).toEqual([75, 25]);
  });
  test('a pod that asks for nothing counts as a little', () =>
    expect(rates(leastAllocated, podOf('p'), [nodeOf('a')])).toEqual([97]));
  test('CPU and memory that fill alike are better', () => {
    const cpu = podOf('cpu', { on: 'a', requests: { cpu: '3' } });
    expect(rates(balancedAllocation, podOf('p', { requests: { memory: '4Gi' } }), nodes, [cpu])).toEqual([87, 75]);
    expect(rates(balancedAllocation, podOf('p'), nodes)).toBeUndefined();
  });
  test('by profile', () => {
    const cluster = clusterOf(nodes, [half]);
    expect(outcome(pod, cluster)).toBe('b');
    expect(outcome(pod, cluster, { profile: profiles[1]! })).toBe('a');
  });
});

test('preferred node affinity adds weights', () => {
  const nodes = [
    nodeOf('a', { labels: { disk: 'ssd' } }),
    nodeOf('b', { labels: { disk: 'ssd', net: 'fast' } }),
    nodeOf('c'),
  ];
  const wish = (key: string, weight: number) => ({
    weight,
    preference: { matchExpressions: [{ key, operator: 'Exists' }] },
  });
  const affinity = {
    nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [wish('disk', 10), wish('net', 30)] },
  };
  expect(rates(preferredNodes, podOf('p', { affinity }), nodes)).toEqual([25, 100, 0]);
  expect(rates(preferredNodes, podOf('p'), nodes)).toBeUndefined();
});

test('taints that only discourage', () => {
  const taint = (key: string) => ({ key, effect: 'PreferNoSchedule' as const });
  const nodes = [nodeOf('a', { taints: [taint('x'), taint('y')] }), nodeOf('b', { taints: [taint('x')] }), nodeOf('c')];
  expect(rates(discouragingTaints, podOf('p'), nodes)).toEqual([0, 50, 100]);
  const tolerant = podOf('p', { tolerations: [{ key: 'x', operator: 'Exists' }] });
  expect(rates(discouragingTaints, tolerant, nodes)).toEqual([0, 100, 100]);
});

describe('other pods', () => {
  const nodes = [nodeOf('a'), nodeOf('b'), nodeOf('c')];
  const term = (app: string) => ({
    weight: 50,
    podAffinityTerm: { labelSelector: { matchLabels: { app } }, topologyKey: 'kubernetes.io/hostname' },
  });
  const web = (name: string, on: string) => podOf(name, { on, labels: { app: 'web' } });
  test('liked and disliked', () => {
    const near = { podAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [term('web')] } };
    const apart = { podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [term('web')] } };
    const there = [web('1', 'a'), web('2', 'a'), web('3', 'b')];
    expect(rates(preferredPods, podOf('p', { affinity: near }), nodes, there)).toEqual([100, 50, 0]);
    expect(rates(preferredPods, podOf('p', { affinity: apart }), nodes, there)).toEqual([0, 50, 100]);
  });
  test('those that are there have wishes, too', () => {
    const wishing = podOf('w', {
      on: 'b',
      affinity: { podAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [term('web')] } },
    });
    expect(rates(preferredPods, podOf('p', { labels: { app: 'web' } }), nodes, [wishing])).toEqual([0, 100, 0]);
  });
  test('soft constraints: the fewer, the better', () => {
    const soft = {
      maxSkew: 1,
      topologyKey: 'kubernetes.io/hostname',
      whenUnsatisfiable: 'ScheduleAnyway',
      labelSelector: { matchLabels: { app: 'web' } },
    };
    const pod = podOf('p', { labels: { app: 'web' }, topologySpreadConstraints: [soft] });
    const [a, b, c] = rates(softSpread, pod, nodes, [web('1', 'a'), web('2', 'a'), web('3', 'b')])!;
    expect(c).toBe(100);
    expect(b).toBeGreaterThan(a!);
  });
  test('pods of one ReplicaSet are spread without being asked', () => {
    const there = ['a', 'b'].map(on => podOf(`on-${on}`, { on, owner: 'rs' }));
    expect(rates(softSpread, podOf('p', { owner: 'rs' }), nodes, there)?.[2]).toBe(100);
    expect(outcome(podOf('p', { owner: 'rs' }), clusterOf(nodes, there))).toBe('c');
  });
});

test('a large image that is there', () => {
  const image = { names: ['big:1'], sizeBytes: 500 * 2 ** 20 };
  const nodes = [nodeOf('a', { images: [image] }), nodeOf('b')];
  const [a, b] = rates(imageLocality, podOf('p', { image: 'big:1' }), nodes)!;
  expect(a).toBe(23);
  expect(b).toBe(0);
});

test('between equals chance decides, the one that was handed in', () => {
  const cluster = clusterOf([nodeOf('a'), nodeOf('b'), nodeOf('c')]);
  expect(outcome(podOf('p'), cluster, { random: () => 0.999 })).toBe('a');
  expect(outcome(podOf('p'), cluster, { random: () => 0 })).toBe('c');
});
