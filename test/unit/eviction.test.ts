/** Evictions against a real store: however many ask at once, a budget gives out no more than it has. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pod as podKind } from '../../src/api/kinds/pod.js';
import { claimBudget, inEvictionTurn } from '../../src/api/subresources/eviction-budget.js';
import { deleteObject } from '../../src/api/verbs/delete.js';
import type { PodDisruptionBudget } from '../../src/kube/api/policy-v1.js';
import type { Pod } from '../../src/kube/pod.js';
import { StatusError } from '../../src/kube/status.js';
import { startApiServer, type TestServer } from '../helpers/api-server.js';

let server: TestServer;
beforeAll(async () => {
  server = await startApiServer({ running: [] });
});
afterAll(async () => server?.close());

const labels = { app: 'x' };

async function podNamed(name: string, ready: boolean): Promise<void> {
  const metadata = { name, namespace: 'default', labels };
  await server.client.create('ServiceAccount', { metadata: { name: 'default', namespace: 'default' } }).catch(() => {});
  await server.client.create('Pod', { metadata, spec: { nodeName: 'n', containers: [{ name: 'c', image: 'i' }] } });
  const conditions = [{ type: 'Ready', status: ready ? 'True' : 'False' }];
  await server.client.updateStatus('Pod', metadata, { phase: 'Running', conditions });
}

async function budget(status: Partial<PodDisruptionBudget['status']>, spec: object = {}): Promise<void> {
  const metadata = { name: 'b', namespace: 'default' };
  await server.client.delete('PodDisruptionBudget', metadata).catch(() => {});
  await server.client.create('PodDisruptionBudget', { metadata, spec: { selector: { matchLabels: labels }, ...spec } });
  const numbers = { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 };
  await server.client.updateStatus('PodDisruptionBudget', metadata, { observedGeneration: 1, ...numbers, ...status });
}

const stored = () => server.engine.view.get('PodDisruptionBudget', 'default', 'b') as unknown as PodDisruptionBudget;
/** `gone`, or the code of the refusal with its cause. */
async function evict(name: string): Promise<string> {
  try {
    const join = (old: unknown) => claimBudget(server.engine, old as Pod);
    await inEvictionTurn(server.engine, 'default', () =>
      deleteObject(server.engine, podKind, 'default', name, { join }),
    );
    return 'gone';
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    return `${error.code} ${error.status.details?.causes?.[0]?.message ?? error.message}`;
  }
}

test('a burst takes only what is allowed', async () => {
  const names = Array.from({ length: 20 }, (_, i) => `p${i}`);
  for (const name of names) await podNamed(name, true);
  await budget({ disruptionsAllowed: 2, currentHealthy: 20, desiredHealthy: 18 });
  const answers = await Promise.all(names.map(evict));
  expect(answers.filter(answer => answer === 'gone')).toHaveLength(2);
  expect(answers.filter(answer => answer !== 'gone').every(answer => /^429 /.test(answer))).toBe(true);
  expect(stored().status?.disruptionsAllowed).toBe(0);
  expect(Object.keys(stored().status?.disruptedPods ?? {})).toHaveLength(2);
  const left = names.find((_, i) => answers[i] !== 'gone')!;
  expect(await evict(left)).toBe('429 The disruption budget b needs 18 healthy pods and has 20 currently');
});

test('a budget that was just changed is waited for', async () => {
  await podNamed('f', true);
  await budget({ observedGeneration: 0, disruptionsAllowed: 5 });
  expect(await evict('f')).toBe('429 The disruption budget b is still being processed by the server.');
});

test.each([
  ['IfHealthyBudget', 3, 3, 'gone'],
  ['IfHealthyBudget', 2, 3, '429 The disruption budget b needs 3 healthy pods and has 2 currently'],
  ['AlwaysAllow', 2, 3, 'gone'],
])(
  'a pod that is not ready, by %s with %i of %i',
  async (unhealthyPodEvictionPolicy, currentHealthy, desiredHealthy, answer) => {
    const name = `u-${unhealthyPodEvictionPolicy.toLowerCase()}-${currentHealthy}`;
    await podNamed(name, false);
    await budget({ currentHealthy, desiredHealthy }, { unhealthyPodEvictionPolicy });
    expect(await evict(name)).toBe(answer);
  },
);
