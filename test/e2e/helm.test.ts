/** helm 4 with the example chart: values, helpers, a CRD, hooks and a test, on real pods. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cluster, repository, startCluster } from '../helpers/cluster.js';

let cluster: Cluster;
const chart = join(repository, 'examples/chart');

beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

const helm = async (...args: string[]): Promise<string> => (await cluster.ok(cluster.helm(args))).stdout;
const waiting = ['--wait', '--timeout', '60s'];
const text = () => cluster.kubectl('get', 'greeting', 'g', '-o', 'jsonpath={.spec.text}');

interface Release {
  readonly name: string;
  readonly revision: string;
  readonly status: string;
}
const releases = async (): Promise<Release[]> => JSON.parse(await helm('list', '-o', 'json')) as Release[];

test('install waits until everything is ready, hooks first', async () => {
  const said = await helm('install', 'g', chart, ...waiting);
  expect(said).toContain('STATUS: deployed');
  expect(await cluster.kubectl('get', 'deployment', 'g', '-o', 'jsonpath={.status.availableReplicas}')).toBe('2');
  expect(await text()).toBe('hello');
  // its hook has succeeded, and is gone as it asks for
  expect(await cluster.kubectl('get', 'jobs', '-o', 'name')).toBe('');
});

test('its test runs as a pod', async () => {
  expect(await helm('test', 'g')).toMatch(/Phase: +Succeeded/);
});

test('upgrade, history, and rollback', async () => {
  await helm('upgrade', 'g', chart, '--set', 'greeting=bonjour,replicas=3', ...waiting);
  expect(await text()).toBe('bonjour');
  expect(await releases()).toMatchObject([{ name: 'g', revision: '2', status: 'deployed' }]);
  await helm('rollback', 'g', '1', ...waiting);
  expect(await text()).toBe('hello');
  expect(await helm('history', 'g')).toMatch(/3 .*Rollback to 1/);
});

test('an upgrade that cannot become ready fails, and the old pods stay', async () => {
  const { code, stderr } = await cluster.helm([
    ...['upgrade', 'g', chart, '--set', 'image=localhost/nothing:1', '--no-hooks'],
    ...['--wait', '--timeout', '3s'],
  ]);
  expect(code).not.toBe(0);
  expect(stderr).toContain('UPGRADE FAILED');
  const available = await cluster.kubectl('get', 'deployment', 'g', '-o', 'jsonpath={.status.availableReplicas}');
  expect(Number(available)).toBeGreaterThanOrEqual(1);
  await helm('rollback', 'g', ...waiting);
});

test('what the chart says wrong is told before anything is made', async () => {
  const { code, stderr } = await cluster.helm(['install', 'bad', chart, '--set', 'greeting=', '--no-hooks']);
  expect(code).not.toBe(0);
  expect(stderr).toContain('spec.text in body should be at least 1 chars long');
  await helm('uninstall', 'bad');
});

test('uninstall leaves only the definition', async () => {
  await helm('uninstall', 'g', ...waiting);
  expect(await releases()).toEqual([]);
  expect(
    await cluster.kubectl('get', 'deployments,services,greetings', '-l', 'app.kubernetes.io/instance=g', '-o', 'name'),
  ).toBe('');
  expect(await cluster.kubectl('get', 'crd', 'greetings.example.com', '-o', 'name')).toContain('greetings.example.com');
});
