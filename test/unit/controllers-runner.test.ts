/** The runner against the real API, without nodes: batches, refusals, events. */

import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ApiClient } from '../../src/api/client.js';
import type { Controller } from '../../src/controllers/contract.js';
import { replicaSetController } from '../../src/controllers/replicaset.js';
import { Teller } from '../../src/controllers/runner-events.js';
import type { ReplicaSet } from '../../src/kube/api/apps-v1.js';
import type { KubeEvent } from '../../src/kube/node.js';
import { failure } from '../../src/kube/status.js';
import { startApiServer, type TestServer } from '../helpers/api-server.js';
import { start } from '../helpers/facts.js';

/** A controller that has to be written: it wakes for a ConfigMap of its name, and wants a Secret that is never valid. */
let asked: (string | undefined)[] = [];
const stubborn: Controller = {
  name: 'stubborn',
  wakes: [{ kind: 'ConfigMap', keys: ({ metadata }) => (metadata.name === 'stubborn' ? ['k'] : []) }],
  writes: [],
  reconcile: ({ refused }) => {
    asked.push(refused?.reason);
    const object = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'Not A Name', namespace: 'default' } };
    return { actions: [{ do: 'create', object }] };
  },
};

let server: TestServer;
beforeAll(async () => {
  server = await startApiServer({ running: [replicaSetController, stubborn] });
});
afterAll(async () => {
  await server?.close();
});

/** Resolves when a look at the view finds it so. */
function until(isSo: () => boolean): Promise<void> {
  return new Promise(resolve => {
    if (isSo()) return resolve();
    const subscription = server.engine.view.subscribe(() => {
      if (!isSo()) return;
      subscription.close();
      resolve();
    });
  });
}

const set = (name: string, replicas: number, container: object = {}) => ({
  metadata: { name, namespace: 'default' },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'c', image: 'i', ...container }] } },
  },
});
const found = (name: string) =>
  server.engine.view.get('ReplicaSet', 'default', name) as unknown as ReplicaSet | undefined;
const pods = (name: string) =>
  server.engine.view.list('Pod', 'default').filter(({ metadata }) => metadata.labels?.app === name);
const eventsOf = (name: string) =>
  (server.engine.view.list('Event', 'default') as unknown as KubeEvent[]).filter(
    ({ involvedObject }) => involvedObject.name === name,
  );

test('exactly as many as were asked for, and not an event for each', async () => {
  await server.client.create('ReplicaSet', set('many', 300));
  await until(() => found('many')?.status?.replicas === 300);
  expect(pods('many')).toHaveLength(300);
  expect(new Set(pods('many').map(({ metadata }) => metadata.name)).size).toBe(300);
  const events = eventsOf('many');
  expect(events.length).toBeLessThanOrEqual(26);
  expect(events[0]).toMatchObject({
    reason: 'SuccessfulCreate',
    message: expect.stringMatching(/^Created pod: many-/),
  });
  await server.client.patch('ReplicaSet', { namespace: 'default', name: 'many' }, { spec: { replicas: 0 } });
  await until(() => found('many')?.status?.replicas === 0);
  expect(pods('many')).toHaveLength(0);
});

test('what is refused is said in the status, with an event, and few are tried', async () => {
  await server.client.create('ResourceQuota', {
    metadata: { name: 'q', namespace: 'default' },
    spec: { hard: { 'requests.cpu': '1' } },
  });
  await until(() => server.engine.view.get('ResourceQuota', 'default', 'q') !== undefined);
  await server.client.create('ReplicaSet', set('hungry', 500, { resources: { requests: { cpu: '2' } } }));
  await until(() => found('hungry')?.status?.conditions !== undefined);
  expect(found('hungry')?.status).toMatchObject({
    replicas: 0,
    conditions: [
      {
        type: 'ReplicaFailure',
        status: 'True',
        reason: 'FailedCreate',
        message: expect.stringContaining('exceeded quota'),
      },
    ],
  });
  await until(() => eventsOf('hungry').length > 0);
  expect(eventsOf('hungry')[0]).toMatchObject({
    type: 'Warning',
    reason: 'FailedCreate',
    message: expect.stringMatching(/^Error creating: pods "hungry-.*" is forbidden: exceeded quota: q/),
  });
  await server.client.delete('ResourceQuota', { namespace: 'default', name: 'q' });
  await until(() => found('hungry')?.status?.replicas === 500);
  expect(found('hungry')?.status?.conditions).toBeUndefined();
});

test('a controller that goes on wanting what is refused is asked again, ever later', async () => {
  asked = [];
  await server.client.create('ConfigMap', { metadata: { name: 'stubborn', namespace: 'default' } });
  await expect.poll(() => asked.length, { timeout: 10_000 }).toBeGreaterThanOrEqual(4);
  expect(asked.slice(0, 3)).toEqual([undefined, 'Invalid', 'Invalid']);
});

test('events: the same again is counted up, a flood is held back, and an expired one is made anew', async () => {
  const sent: string[] = [];
  let isGone = false;
  let now = start;
  const client = {
    event: async (_c: string, _a: object, _t: string, reason: string, message: string) => {
      sent.push(`${reason} ${message}`);
      return { object: { metadata: { name: `e${sent.length}` } }, revision: 1 };
    },
    patch: async (_kind: string, { name }: { name: string }, { count }: { count: number }) => {
      if (isGone) throw failure(404, 'NotFound', name);
      sent.push(`${name} ×${count}`);
    },
  } as unknown as ApiClient;
  const teller = new Teller('c', { client, log: pino({ level: 'silent' }), now: () => now });
  const say = async (message: string, uid = 'u') => {
    teller.send({ about: { kind: 'Pod', name: 'p', uid }, type: 'Normal', reason: 'R', message });
    await teller.close();
  };
  await say('a');
  await say('a');
  isGone = true;
  await say('a');
  expect(sent).toEqual(['R a', 'e1 ×2', 'R a']);
  for (let i = 0; i < 50; i++) await say(`m${i}`);
  expect(sent).toHaveLength(25);
  await say('of another', 'v');
  now += 300_000;
  await say('later');
  await say('too soon');
  expect(sent.slice(25)).toEqual(['R of another', 'R later']);
});
