import { expect, test } from 'vitest';
import { NodeShutdown, shutdownGroups } from '../../agent/shutdown.js';
import { createLogger } from '../../src/base/log.js';
import { testPod } from '../helpers/pods.js';

const worker = (name: string, priority: number) => {
  const pod = testPod({ priority } as never);
  return { pod: { ...pod, metadata: { ...pod.metadata, name } } };
};
const [web, dns] = [worker('web', 0), worker('dns', 2_000_000_000)];

test('critical pods go last, in the time that is kept for them', () => {
  const groups = shutdownGroups([dns, web], { graceMs: 30_000, criticalMs: 10_000 });
  expect(groups).toEqual([
    { members: [web], periodMs: 20_000 },
    { members: [dns], periodMs: 10_000 },
  ]);
  expect(shutdownGroups([dns], { graceMs: 5, criticalMs: 5 })).toEqual([{ members: [dns], periodMs: 5 }]);
});

test('the next group begins when the one before it has ended; nothing is taken on', async () => {
  const log: string[] = [];
  const living = [dns, web].map(w => ({
    ...w,
    phase: 'Running',
    released: false,
    terminate(order: { graceMs: number; reason?: string }) {
      log.push(`${w.pod.metadata.name} ${order.reason} ${order.graceMs}`);
      setTimeout(() => {
        log.push(`${w.pod.metadata.name} ended`);
        this.phase = 'Failed';
      }, 5);
    },
  }));
  const shutdown = new NodeShutdown({
    shutdown: { graceMs: 3000, criticalMs: 1000 },
    workers: () => living as never,
    log: createLogger('test'),
    onBegin: () => log.push(`told: ${shutdown.notReady}`),
  });
  expect(shutdown.refused()).toBeUndefined();
  await Promise.all([shutdown.begin(), shutdown.begin()]);
  expect(log).toEqual([
    'told: node is shutting down',
    'web Terminated 2000',
    'web ended',
    'dns Terminated 1000',
    'dns ended',
  ]);
  expect(shutdown.refused()).toEqual({
    reason: 'NodeShutdown',
    message: 'Pod was rejected as the node is shutting down.',
  });
});

test('without a grace period it is off', async () => {
  const shutdown = new NodeShutdown({
    shutdown: { graceMs: 0, criticalMs: 0 },
    workers: () => [],
    log: createLogger('test'),
    onBegin: () => {
      throw new Error('begun');
    },
  });
  await shutdown.begin();
  expect(shutdown.refused()).toBeUndefined();
});
