/** The queue with a clock of the test's own. */
import { expect, test } from 'vitest';
import { nodeWakes } from '../../src/scheduler/events.js';
import { helps } from '../../src/scheduler/helps.js';
import { podInfo } from '../../src/scheduler/pod-info.js';
import { backoffMs, SchedulingQueue } from '../../src/scheduler/queue.js';
import { clusterOf, nodeOf, podOf } from '../helpers/scheduling.js';

function rig() {
  const clock = { now: 0 };
  const queue = new SchedulingQueue(() => clock.now);
  const put = (name: string, priority = 0, gated = false, changed = false) =>
    queue.put(podInfo(podOf(name, { priority })), gated, changed);
  const next = () => queue.pop()?.info.uid;
  const pass = (ms: number) => {
    clock.now += ms;
    queue.tick();
  };
  /** The next one, refused by a filter. */
  const refuse = (plugin = 'NodeResourcesFit') => {
    const entry = queue.pop()!;
    queue.unschedulable(entry, new Set([plugin]));
    return entry.info.uid;
  };
  return { clock, queue, put, next, pass, refuse };
}

test('the more important first, then the one that came first', () => {
  const { put, next } = rig();
  put('a');
  put('b', 10);
  put('c');
  put('d', 10);
  expect([next(), next(), next(), next(), next()]).toEqual(['b', 'd', 'a', 'c', undefined]);
});

test('a refused pod waits for what could help, and is not tried for anything else', () => {
  const { put, next, queue, refuse, pass } = rig();
  put('a');
  refuse();
  pass(20_000);
  expect(next()).toBeUndefined();
  queue.move('pod-placed', ({ info, plugins }, wake) => helps(info, plugins, { wake, node: undefined }));
  expect(queue.placeOf('a')).toBe('unschedulable');
  queue.move('pod-gone', ({ info, plugins }, wake) => helps(info, plugins, { wake, node: undefined }));
  expect(next()).toBe('a');
});

test('back-off: 1 s, doubled, at most 10 s; shortened only if there is nothing else to do', () => {
  expect([1, 2, 3, 4, 5, 50].map(backoffMs)).toEqual([1000, 2000, 4000, 8000, 10_000, 10_000]);
  const { put, next, queue, refuse } = rig();
  put('a');
  refuse();
  queue.move('pod-gone', () => true);
  expect(queue.placeOf('a')).toBe('backoff');
  put('b');
  expect([next(), next()]).toEqual(['b', 'a']);
});

test('of those that back off together, the more important first', () => {
  const { clock, put, next, queue, refuse } = rig();
  for (const [i, name] of ['a', 'b', 'c'].entries()) {
    put(name, i);
    clock.now += 10;
    refuse();
  }
  queue.move('pod-gone', () => true);
  expect([next(), next(), next()]).toEqual(['c', 'b', 'a']);
});

test('after an error the back-off is kept', () => {
  const { put, next, queue, pass } = rig();
  put('a');
  queue.failed(queue.pop()!);
  expect(next()).toBeUndefined();
  expect(queue.nextDeadline()).toBe(1000);
  pass(999);
  expect(next()).toBeUndefined();
  pass(1);
  expect(next()).toBe('a');
});

test('whatever was missed: after five minutes it is tried again', () => {
  const { put, next, queue, refuse, pass } = rig();
  put('a');
  refuse();
  expect(queue.nextDeadline()).toBe(300_000);
  pass(299_999);
  expect(next()).toBeUndefined();
  pass(1);
  expect(next()).toBe('a');
});

test('nothing waits, nothing has to be done', () => expect(rig().queue.nextDeadline()).toBeUndefined());

test('gates: no attempts until they are open', () => {
  const { put, next, queue } = rig();
  put('a', 0, true);
  queue.move('node-added', () => true);
  expect(next()).toBeUndefined();
  put('a', 0, false, true);
  expect(next()).toBe('a');
});

test('a pod that has changed is tried again; one whose status has changed is not', () => {
  const { put, next, queue, refuse, pass } = rig();
  put('a');
  refuse();
  put('a', 0, false, false);
  expect(queue.placeOf('a')).toBe('unschedulable');
  put('a', 0, false, true);
  pass(1000);
  expect(next()).toBe('a');
});

test('a deleted pod is forgotten wherever it is', () => {
  const { put, next, queue, refuse } = rig();
  put('a');
  put('b');
  queue.delete('a');
  expect(refuse()).toBe('b');
  queue.delete('b');
  queue.move('pod-gone', () => true);
  expect(next()).toBeUndefined();
  expect(queue.size).toBe(0);
});

test('what a change of a node means', () => {
  const node = nodeOf('n');
  expect(nodeWakes(undefined, node)).toEqual(['node-added']);
  expect(nodeWakes(node, { ...node, metadata: { ...node.metadata, annotations: { a: 'b' } } })).toEqual([]);
  expect(nodeWakes(node, nodeOf('n', { has: { cpu: '8' } }))).toEqual(['node-allocatable']);
  expect(nodeWakes(node, nodeOf('n', { labels: { a: 'b' } }))).toEqual(['node-labels']);
  expect(nodeWakes(node, nodeOf('n', { unschedulable: true }))).toEqual(['node-taints']);
  expect(nodeWakes(node, nodeOf('n', { ready: false }))).toEqual(['node-taints']);
});

test('room on a node helps only those that it is enough for, less important pods not counted', () => {
  const there = [podOf('low', { on: 'n', priority: 1, requests: { cpu: '2' } })];
  const node = clusterOf([nodeOf('n')], there).node('n');
  const asks = (cpu: string, priority: number) =>
    helps(podInfo(podOf('p', { priority, requests: { cpu } })), new Set(['NodeResourcesFit']), {
      wake: 'pod-gone',
      node,
    });
  expect([asks('2', 1), asks('3', 1), asks('3', 2), asks('5', 2)]).toEqual([true, false, true, false]);
});
