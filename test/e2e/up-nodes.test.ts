/** `keelson up --nodes`: a cluster of several nodes in namespaces, by one command. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { eventually, startCluster } from '../helpers/cluster.js';

const pauses = (): string[] =>
  execFileSync('ps', ['-eo', 'pid,ppid,comm'], { encoding: 'utf8' })
    .split('\n')
    .filter(line => line.endsWith(' pause'));

/** 0 while a successor takes the file from one that was killed. */
function pidIn(file: string): number {
  try {
    return (JSON.parse(readFileSync(file, 'utf8')) as { pid: number }).pid;
  } catch {
    return 0;
  }
}

test('pods of three nodes reach each other, one agent dies and comes back, and nothing is left', async () => {
  const cluster = await startCluster({ flags: ['--nodes', '3'] });
  const holders = ['', '-2', '-3']
    .map(suffix => `${cluster.runDir}${suffix}/holder.json`)
    .concat(`${cluster.runDir}/switch/holder.json`)
    .map(pidIn);
  try {
    const nodes = JSON.parse(await cluster.kubectl('get', 'nodes', '-o', 'json')) as {
      items: { metadata: { name: string }; status: { addresses: { address: string }[] } }[];
    };
    expect(nodes.items.map(node => [node.metadata.name, node.status.addresses[0]?.address])).toEqual([
      [cluster.name, '172.30.0.1'],
      [`${cluster.name}-2`, '172.30.0.2'],
      [`${cluster.name}-3`, '172.30.0.3'],
    ]);
    const serve = 'mkdir /w; hostname > /w/index.html; exec httpd -f -p 8080 -h /w';
    const container = { name: 'c', image: 'localhost/busybox:1', command: ['sh', '-c', serve] };
    await cluster.apply({
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name: 'web' },
      spec: {
        selector: { matchLabels: { app: 'web' } },
        template: {
          metadata: { labels: { app: 'web' } },
          spec: { terminationGracePeriodSeconds: 0, containers: [container] },
        },
      },
    });
    await cluster.kubectl('rollout', 'status', 'daemonset/web', '--timeout=60s');
    const path = 'jsonpath={range .items[*]}{.metadata.name} {.status.podIP}{"\\n"}{end}';
    const pods = (await cluster.kubectl('get', 'pods', '-o', path))
      .trim()
      .split('\n')
      .map(line => line.split(' '));
    expect(pods.length).toBe(3);
    for (const pid of holders.slice(0, 3))
      for (const [name, address] of pods) {
        const enter = ['--target', String(pid), '--net', '--', 'curl', '-sS', '-m', '5', `http://${address}:8080/`];
        expect(execFileSync('nsenter', enter, { encoding: 'utf8' }).trim()).toBe(name);
      }
    const lock = `${cluster.dataDir}-2/agent.lock`;
    const before = pidIn(lock);
    process.kill(before, 'SIGKILL');
    await eventually('the agent of the second node runs again', async () => {
      const pid = pidIn(lock);
      return cluster.log.includes('-2 was killed by SIGKILL; starting it again') && pid !== 0 && pid !== before;
    });
  } finally {
    await cluster[Symbol.asyncDispose]();
  }
  // they have been told, and nobody waits for them
  await eventually('the namespaces end', async () =>
    holders.every(pid => !pauses().some(line => line.trim().startsWith(`${pid} `))),
  );
  expect(existsSync(`${cluster.runDir}/switch/holder.json`)).toBe(false);
});
