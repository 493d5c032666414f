/**
 * Reliability rule A18: the process dies at each named point in turn, once, while pods are made and taken away; afterwards
 * everything is as if nothing had happened: each pod has what it needs once, and nothing is left when it is gone.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Pod } from '../../src/kube/pod.js';
import { Cluster, eventually, groupsOf, repository } from '../helpers/cluster.js';
import { failpointNames } from '../helpers/failpoints.js';

/** Points that are passed before the story begins: the pass at which to die. */
const passes: Readonly<Record<string, number>> = {
  'store.beforeCommit': 36,
  'store.afterFsync': 36,
  'link.beforeAck': 8,
};

const container = (command: string, more: object = {}) => ({
  name: 'app',
  image: 'localhost/busybox:1',
  command: ['sh', '-c', command],
  ...more,
});
const pod = (name: string, spec: object) => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec });
// deaf, so that it has to be killed in the end
const deaf = "trap '' TERM; while :; do sleep 0.1; done";
const story = [
  { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'words' }, data: { greeting: 'hello' } },
  pod('deaf', {
    terminationGracePeriodSeconds: 1,
    volumes: [{ name: 'words', configMap: { name: 'words' } }],
    containers: [
      container(`cat /words/greeting; echo; ${deaf}`, { volumeMounts: [{ name: 'words', mountPath: '/words' }] }),
    ],
  }),
  pod('once', { restartPolicy: 'Never', containers: [container('exit 7')] }),
];
const fixed = (name: string) =>
  JSON.stringify(pod(name, { terminationGracePeriodSeconds: 1, containers: [container(deaf)] }));

const names = failpointNames(repository);

test('the points are found in the sources', () => {
  expect(names.length).toBeGreaterThan(20);
  for (const name of ['sandbox.afterNetns', 'cni.afterAdd', 'store.afterFsync', 'shim.beforeExitRecord'])
    expect(names).toContain(name);
});

describe.concurrent('a death at', () => {
  test.each(names.filter(name => !/^(images|adopt)\./.test(name)))('%s', async name => {
    await using cluster = await start(`${name}=crash${passes[name] ? `:${passes[name]}` : ''}`);
    await create(cluster);
    await checkAll(cluster, name);
    await remove(cluster);
    await checkNothing(cluster);
    if (name !== 'shim.beforeExitRecord') expect(cluster.log).toContain(`failpoint ${name}: crash`);
  });

  test.each(names.filter(name => name.startsWith('images.')))('%s, of an import', async name => {
    await using cluster = await Cluster.create({});
    await mkdir(cluster.dataDir, { recursive: true });
    process.env['KEELSON_FAILPOINTS'] = `${name}=crash`;
    const died = cluster.importImages();
    delete process.env['KEELSON_FAILPOINTS'];
    await expect(died).rejects.toThrow(`failpoint ${name}: crash`);
    await cluster.importImages();
    expect(readdirSync(join(cluster.dataDir, 'images')).filter(entry => entry.startsWith('tmp-'))).toEqual([]);
    await cluster.up({});
    await create(cluster);
    await checkAll(cluster, name);
    await remove(cluster);
  });
});

async function start(failpoints: string): Promise<Cluster> {
  const cluster = await Cluster.create({});
  try {
    await cluster.up({ KEELSON_FAILPOINTS: failpoints });
    await cluster.importImages();
    return cluster;
  } catch (error) {
    await cluster[Symbol.asyncDispose]().catch(() => {});
    throw error;
  }
}

/** kubectl until it succeeds: the API may be away for a moment. */
const insist = (cluster: Cluster, args: readonly string[], input?: string) =>
  eventually(`kubectl ${args.join(' ')}`, async () => {
    const { code, stdout } = await cluster.tryKubectl(args, input);
    return code === 0 && { stdout };
  });
const podsOf = async (cluster: Cluster) =>
  (JSON.parse((await insist(cluster, ['get', 'pods', '-o', 'json'])).stdout) as { items: Pod[] }).items;
const statusOf = (pod: Pod | undefined) => pod?.status?.containerStatuses?.[0];
const find = (pods: readonly Pod[], name: string) => pods.find(p => p.metadata.name.startsWith(name));

async function create(cluster: Cluster): Promise<void> {
  await insist(cluster, ['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: story }));
  await writeFile(join(cluster.dataDir, 'manifests/fixed.yaml'), fixed('fixed'));
  await eventually(
    'all pods are as they should be',
    async () => {
      const pods = await podsOf(cluster);
      return (
        statusOf(find(pods, 'deaf'))?.ready &&
        statusOf(find(pods, 'fixed'))?.ready &&
        find(pods, 'once')?.status?.phase === 'Failed'
      );
    },
    60_000,
  ).catch(async error => {
    throw new Error(
      `${error}\n${JSON.stringify(await podsOf(cluster), null, 1).slice(0, 6000)}\n${cluster.log.slice(-3000)}`,
    );
  });
}

async function checkAll(cluster: Cluster, name: string): Promise<void> {
  const pods = await podsOf(cluster);
  expect(pods.length).toBe(3);
  expect(pods.map(p => statusOf(p)?.restartCount)).toEqual([0, 0, 0]);
  const exit = statusOf(find(pods, 'once'))?.state?.terminated;
  expect([exit?.exitCode, exit?.reason]).toEqual(name === 'shim.beforeExitRecord' ? [255, 'Unknown'] : [7, 'Error']);
  await eventually('the one that has ended is taken down', async () =>
    links(cluster).then(found => found.length === 2),
  );
  expect(
    [...groupsOf(cluster)]
      .map(([path, pids]) => [
        path.replace(/.*\//, '').replace(/\d+$/, 'N'),
        path.includes('sandbox') ? comms(pids) : [],
      ])
      .sort(),
  ).toEqual([
    ['app.N', []],
    ['app.N', []],
    // pause, and the shim of one container, which is run from a memory file
    ['sandbox.N', ['pause', expect.any(String)]],
    ['sandbox.N', ['pause', expect.any(String)]],
  ]);
  expect(leases(cluster).length).toBe(2);
  const { stdout } = await insist(cluster, ['logs', 'deaf']);
  expect(stdout).toBe('hello\n');
}

const comms = (pids: readonly number[]) =>
  pids
    .map(pid => readFileSync(`/proc/${pid}/comm`, 'utf8').trim())
    .sort((a, b) => Number(b === 'pause') - Number(a === 'pause'));
const leases = (cluster: Cluster) =>
  readdirSync(join(cluster.dataDir, 'cni/keelson')).filter(name => /^\d+\.\d+\.\d+\.\d+$/.test(name));
const links = async (cluster: Cluster) =>
  (await cluster.enter('ip', '-o', 'link')).split('\n').filter(line => line.includes('veth'));

async function remove(cluster: Cluster): Promise<void> {
  await rm(join(cluster.dataDir, 'manifests/fixed.yaml'));
  await insist(cluster, ['delete', 'pod', 'deaf', 'once', '--wait=false', '--ignore-not-found']);
  await eventually('all pods are gone', async () => (await podsOf(cluster)).length === 0, 60_000);
}

async function checkNothing(cluster: Cluster): Promise<void> {
  const left = () => ({
    groups: [...groupsOf(cluster).keys()],
    leases: leases(cluster),
    pods: readdirSync(join(cluster.dataDir, 'pods')),
    logs: existsSync(join(cluster.dataDir, 'logs')) ? readdirSync(join(cluster.dataDir, 'logs')) : [],
    sockets: readdirSync(cluster.runDir).filter(file => file.endsWith('.sock') && file !== 'controller.sock'),
  });
  const nothing = { groups: [], leases: [], pods: [], logs: [], sockets: [] };
  // an agent that died after it had told the API still has to find out itself
  await eventually('nothing is left', async () => JSON.stringify(left()) === JSON.stringify(nothing)).catch(() => {});
  expect(left()).toEqual(nothing);
  await eventually('no link is left', async () => (await links(cluster)).length === 0);
}
