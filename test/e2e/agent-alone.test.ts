/** An agent without any controller: it runs static pods all the same, and its pods outlive it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Cluster, eventually, repository } from '../helpers/cluster.js';

interface Report {
  readonly pause: { readonly pid: number } | null;
  readonly containers: readonly { readonly processes: readonly { readonly pid: number }[] }[];
}

const manifest = `apiVersion: v1
kind: Pod
metadata:
  name: alone
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: app
      image: localhost/busybox:1
      command: ["sleep", "1000"]
`;

function agent(cluster: Cluster, ...flags: string[]): ChildProcess {
  return spawn(join(repository, 'bin/keelson'), ['agent', ...cluster.flags, ...flags], { stdio: 'ignore' });
}

async function stop(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  const ended = new Promise(resolve => child.once('exit', resolve));
  child.kill(signal);
  await ended;
}

async function processes(cluster: Cluster): Promise<number[] | undefined> {
  const { code, stdout } = await cluster.keelson(
    'inspect',
    'pod',
    `alone-${cluster.name}`,
    ...cluster.flags,
    '-o',
    'json',
  );
  if (code !== 0) return undefined;
  const [report] = JSON.parse(stdout) as Report[];
  const pids = report?.containers.flatMap(c => c.processes.map(p => p.pid)) ?? [];
  return report?.pause && pids.length > 0 ? [report.pause.pid, ...pids] : undefined;
}

test('static pods run with no controller, survive the agent, and go with --rm', async () => {
  await using cluster = await Cluster.create({});
  await cluster.importImages();
  await mkdir(join(cluster.dataDir, 'manifests'), { recursive: true });
  await writeFile(join(cluster.dataDir, 'manifests', 'alone.yaml'), manifest);
  const first = agent(cluster);
  const before = await eventually('the static pod runs', () => processes(cluster));
  await stop(first);
  expect(await processes(cluster)).toEqual(before);
  const second = agent(cluster, '--rm');
  await eventually('the second agent has taken over', async () => {
    const lock = await cluster.keelson('reset', ...cluster.flags);
    return lock.stderr.includes('still works in');
  });
  expect(await processes(cluster)).toEqual(before);
  await stop(second);
  expect(await processes(cluster)).toBeUndefined();
});
