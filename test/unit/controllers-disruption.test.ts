/** PodDisruptionBudget as tables, and evictions against a real store. */
import { describe, expect, test } from 'vitest';
import type { Seen } from '../../src/controllers/contract.js';
import { disruptionController, evictionMs } from '../../src/controllers/disruption.js';
import type { KubeObject } from '../../src/kube/meta.js';
import { timestamp } from '../../src/kube/time.js';
import { facts, object, start } from '../helpers/facts.js';
import { ownerOf, pod, statusOf } from '../helpers/workloads.js';

const app = (kind: string, name: string, replicas: number, owner?: KubeObject) =>
  object(kind, name, 'd', {
    apiVersion: 'apps/v1',
    spec: { replicas },
    metadata: owner ? { ownerReferences: [ownerOf(owner)] } : {},
  });
const set = app('StatefulSet', 'set', 5);
const budget = (spec: object, status: object = {}) =>
  object('PodDisruptionBudget', 'b', 'd', {
    metadata: { generation: 2 },
    spec: { selector: { matchLabels: { app: 'x' } }, ...spec },
    status,
  });
const labels = { app: 'x' };
const healthy = (count: number, owner: KubeObject | undefined = set) =>
  Array.from({ length: count }, (_, i) => pod(`p${i}`, { labels, ready: true, ...(owner && { owner }) }));
const run = (objects: readonly unknown[], now = start) =>
  disruptionController.reconcile(facts(objects as Seen[], now), 'd/b');
const counts = (objects: readonly unknown[]) => {
  const { disruptionsAllowed, currentHealthy, desiredHealthy, expectedPods } = statusOf(run(objects).actions) ?? {};
  return [disruptionsAllowed, currentHealthy, desiredHealthy, expectedPods];
};

test.each<[string, object, readonly unknown[], number[]]>([
  ['a number that must stay', { minAvailable: 2 }, [set, ...healthy(3)], [1, 3, 2, 3]],
  ['as many as must stay', { minAvailable: 3 }, [set, ...healthy(3)], [0, 3, 3, 3]],
  ['more than there are', { minAvailable: 9 }, [set, ...healthy(3)], [0, 3, 9, 3]],
  ['without a controller, a number is enough', { minAvailable: 1 }, healthy(2, undefined), [1, 2, 1, 2]],
  ['a share of what is wanted', { minAvailable: '50%' }, [set, ...healthy(5)], [2, 5, 3, 5]],
  ['a number that may go', { maxUnavailable: 1 }, [set, ...healthy(5)], [1, 5, 4, 5]],
  ['one is missing already', { maxUnavailable: 1 }, [set, ...healthy(4)], [0, 4, 4, 5]],
  ['a share that may go, rounded up', { maxUnavailable: '30%' }, [set, ...healthy(5)], [2, 5, 3, 5]],
  ['more than there are may go', { maxUnavailable: 9 }, [set, ...healthy(5)], [5, 5, 0, 5]],
  [
    'one that is not ready does not count',
    { minAvailable: 1 },
    [set, ...healthy(1), pod('q', { labels })],
    [0, 1, 1, 2],
  ],
  [
    'nor one on its way out',
    { minAvailable: 1 },
    [set, ...healthy(1), pod('q', { labels, ready: true, deleted: true })],
    [0, 1, 1, 2],
  ],
  ['no pods, no disruptions', { minAvailable: 0 }, [], [0, 0, 0, 0]],
  [
    'everything in the namespace',
    { minAvailable: 1, selector: {} },
    [...healthy(2), pod('q', { ready: true })],
    [2, 3, 1, 3],
  ],
])('%s', (_name, spec, objects, expected) => expect(counts([budget(spec), ...objects])).toEqual(expected));

test('a ReplicaSet speaks for its Deployment', () => {
  const deployment = app('Deployment', 'dep', 4);
  const old = app('ReplicaSet', 'old', 1, deployment);
  const young = app('ReplicaSet', 'young', 4, deployment);
  const pods = [pod('a', { labels, ready: true, owner: old }), ...healthy(3, young)];
  expect(counts([budget({ maxUnavailable: 1 }), deployment, old, young, ...pods])).toEqual([1, 4, 3, 4]);
});

test('says whether and why', () => {
  const said = (objects: readonly unknown[]) =>
    (statusOf(run(objects).actions)?.conditions as object[] | undefined)?.[0];
  expect(said([budget({ minAvailable: 1 }), set, ...healthy(2)])).toMatchObject({
    status: 'True',
    reason: 'SufficientPods',
    observedGeneration: 2,
  });
  expect(said([budget({ minAvailable: 2 }), set, ...healthy(2)])).toMatchObject({
    status: 'False',
    reason: 'InsufficientPods',
  });
  expect(said([budget({ maxUnavailable: 1 }), pod('q', { labels })])).toMatchObject({
    reason: 'SyncFailed',
    message: 'found no controller ref for pod "q"',
  });
});

describe('evicted pods', () => {
  const evicted = (ms: number) => budget({ minAvailable: 1 }, { disruptedPods: { p0: timestamp(start - ms) } });
  test('do not count until they are seen going', () => {
    const { actions, requeueAfterMs } = run([evicted(1000), set, ...healthy(2)]);
    expect(statusOf(actions)).toMatchObject({ currentHealthy: 1, disruptionsAllowed: 0 });
    expect(requeueAfterMs).toBe(evictionMs - 1000);
  });
  test('count again when that took too long', () => {
    expect(statusOf(run([evicted(evictionMs), set, ...healthy(2)]).actions)).toMatchObject({
      currentHealthy: 2,
      disruptedPods: null,
    });
  });
  test('are forgotten when they go', () => {
    const going = pod('p0', { labels, ready: true, deleted: true, owner: set });
    expect(statusOf(run([evicted(1000), set, going]).actions)).toMatchObject({ disruptedPods: null });
  });
});
