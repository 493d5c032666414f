/** Reliability rule A1.1: whatever of the node is killed, whenever, its pods do not notice. */
import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Pod } from '../../src/kube/pod.js';
import { type Cluster, eventually, groupsOf, isLiving, sleeper, startCluster } from '../helpers/cluster.js';

const script = (name: string, text: string, more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: {
    terminationGracePeriodSeconds: 2,
    containers: [{ name: 'app', image: 'localhost/busybox:1', command: ['sh', '-c', text] }],
    ...more,
  },
});

/** What must not change while something of the node dies. */
async function story(cluster: Cluster): Promise<unknown> {
  const { items } = await cluster.get<{ items: Pod[] }>('pods');
  const pods = items.map(({ metadata, status }) => ({
    name: metadata.name,
    uid: metadata.uid,
    ip: status?.podIP,
    phase: status?.phase,
    conditions: status?.conditions,
    containers: status?.containerStatuses,
  }));
  // what the first process of a container starts comes and goes
  const processes = [...groupsOf(cluster)].map(([path, pids]) => [path, path.includes('/sandbox.') ? pids : pids[0]]);
  return { pods, processes: processes.sort() };
}

const ready = async (cluster: Cluster, ...names: string[]) =>
  cluster.kubectl('wait', '--for=condition=Ready', ...names.map(n => `pod/${n}`), '--timeout=60s');
const podOf = (cluster: Cluster, name: string) => cluster.get<Pod>('pod', name);
const appOf = async (cluster: Cluster, name: string) => (await podOf(cluster, name)).status?.containerStatuses?.[0];
const groupsOfPod = (cluster: Cluster, uid: string | undefined) =>
  [...groupsOf(cluster)].filter(([path]) => path.split('/')[1] === `pod${uid}`);
const leases = (cluster: Cluster) =>
  readdirSync(join(cluster.dataDir, 'cni/keelson')).filter(name => /^\d+\.\d+\.\d+\.\d+$/.test(name));
const veths = async (cluster: Cluster) => (await cluster.enter('ip', '-o', 'link', 'show', 'master', 'cni0')).trim();
const gone = async (cluster: Cluster, name: string) =>
  eventually(`${name} is gone`, async () =>
    (await cluster.tryKubectl(['get', 'pod', name])).stderr.includes('not found'),
  );
/** The agent serves the pod again: only then a stream can be opened. */
const served = (cluster: Cluster, name: string) =>
  eventually('exec works', async () => (await cluster.tryKubectl(['exec', name, '--', 'true'])).code === 0);

const { spec: sleeperSpec } = sleeper('') as { spec: object };

/** Makes every record of the node's pods one of another boot. */
async function forgetBoot(cluster: Cluster): Promise<void> {
  const pods = join(cluster.dataDir, 'pods');
  for (const name of readdirSync(pods, { recursive: true, encoding: 'utf8' })) {
    if (!/(sandbox|attempt)\.json$/.test(name)) continue;
    const text = readFileSync(join(pods, name), 'utf8');
    const other = text.replace(/("boot(?:ID|Id)":")[0-9a-f]/, (_, key: string) => `${key}x`);
    expect(other).not.toBe(text);
    await writeFile(join(pods, name), other);
  }
}

describe('with the node under load', () => {
  let cluster: Cluster;
  const crowd = Array.from({ length: 20 }, (_, i) => `crowd-${i}`);
  beforeAll(async () => {
    cluster = await startCluster();
    await cluster.apply(...crowd.map(name => sleeper(name)));
    await ready(cluster, ...crowd);
  });
  afterAll(async () => cluster[Symbol.asyncDispose]());

  test('the agent is killed: no pod changes, logs and exec go on', async () => {
    const before = await story(cluster);
    await cluster.crash('agent');
    await served(cluster, 'crowd-3');
    expect(await story(cluster)).toEqual(before);
    expect((await cluster.tryKubectl(['exec', '-i', 'crowd-3', '--', 'cat'], 'still here')).stdout).toBe('still here');
  });

  test('a container that ends while no agent is there is reported with its true exit code', async () => {
    const shared = join(cluster.directory, 'shared');
    await mkdir(shared);
    const volumes = [{ name: 'shared', hostPath: { path: shared, type: 'Directory' } }];
    const command = ['sh', '-c', 'while [ ! -e /shared/now ]; do sleep 0.1; done; echo last words; exit 7'];
    const container = {
      name: 'app',
      image: 'localhost/busybox:1',
      command,
      volumeMounts: [{ name: 'shared', mountPath: '/shared' }],
    };
    await cluster.apply(script('mortal', '', { restartPolicy: 'Never', volumes, containers: [container] }));
    await ready(cluster, 'mortal');
    const { uid } = (await podOf(cluster, 'mortal')).metadata;
    // stopped, so that `up` does not start another one meanwhile
    const agent = cluster.pidOf('agent');
    process.kill(agent, 'SIGSTOP');
    await writeFile(join(shared, 'now'), '');
    await eventually('it has ended', async () =>
      groupsOfPod(cluster, uid).every(([path, pids]) => path.includes('/sandbox.') || pids.length === 0),
    );
    await eventually(
      'its shim has gone',
      async () => groupsOfPod(cluster, uid).flatMap(([, pids]) => pids).length === 1,
    );
    process.kill(agent, 'SIGKILL');
    await cluster.kubectl('wait', '--for=jsonpath={.status.phase}=Failed', 'pod/mortal', '--timeout=30s');
    expect((await appOf(cluster, 'mortal'))?.state?.terminated).toMatchObject({ exitCode: 7, reason: 'Error' });
    expect((await appOf(cluster, 'mortal'))?.restartCount).toBe(0);
    expect(await cluster.kubectl('logs', 'mortal')).toBe('last words\n');
    await cluster.kubectl('delete', 'pod', 'mortal');
  });

  test('the agent is killed: logs -f goes on afterwards from where the container is, and a pod can be deleted', async () => {
    await cluster.apply(script('talker', 'i=0; while :; do i=$((i+1)); echo line $i; sleep 0.2; done'));
    await ready(cluster, 'talker');
    await cluster.crash('agent');
    await served(cluster, 'talker');
    const count = async () => (await cluster.kubectl('logs', 'talker')).trim().split('\n').length;
    const before = await count();
    await eventually('the log grows', async () => (await count()) > before);
    const lines = (await cluster.kubectl('logs', 'talker')).trim().split('\n');
    expect(lines).toEqual(lines.map((_, i) => `line ${i + 1}`));
    const { uid } = (await podOf(cluster, 'talker')).metadata;
    await cluster.kubectl('delete', 'pod', 'talker');
    expect(groupsOfPod(cluster, uid)).toEqual([]);
    expect(existsSync(join(cluster.dataDir, 'pods', uid ?? ''))).toBe(false);
  });

  test('the controller is killed: pods go on, the agent finds back, nothing is made twice, watches resume', async () => {
    const before = await story(cluster);
    const [leasesBefore, vethsBefore] = [leases(cluster), await veths(cluster)];
    await cluster.apply(sleeper('just-made'));
    await cluster.crash('controller');
    await eventually('the API answers', async () => (await cluster.tryKubectl(['get', 'pods'])).code === 0);
    await ready(cluster, 'just-made');
    await served(cluster, 'just-made');
    const { uid } = (await podOf(cluster, 'just-made')).metadata;
    expect(
      groupsOfPod(cluster, uid)
        .map(([path, pids]) => [path.split('/')[2], pids.length])
        .sort(),
    ).toEqual([
      ['app.0', expect.any(Number)],
      ['sandbox.0', 2],
    ]);
    await cluster.kubectl('delete', 'pod', 'just-made');
    expect(await story(cluster)).toEqual(before);
    expect(leases(cluster)).toEqual(leasesBefore);
    await eventually('its link is gone', async () => (await veths(cluster)) === vethsBefore);
  });

  test('both at once', async () => {
    const before = await story(cluster);
    const pids = [cluster.pidOf('agent'), cluster.pidOf('controller')];
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    await eventually(
      'both are back',
      async () => !pids.includes(cluster.pidOf('agent')) && !pids.includes(cluster.pidOf('controller')),
    );
    await eventually('the API answers', async () => (await cluster.tryKubectl(['get', 'pods'])).code === 0);
    await served(cluster, 'crowd-0');
    expect(await story(cluster)).toEqual(before);
  });

  test('a pod deleted while no agent is there goes away, also when its object is gone already', async () => {
    await cluster.apply(sleeper('deleted'), sleeper('forced'));
    await ready(cluster, 'deleted', 'forced');
    const uids = [(await podOf(cluster, 'deleted')).metadata.uid, (await podOf(cluster, 'forced')).metadata.uid];
    const agent = cluster.pidOf('agent');
    process.kill(agent, 'SIGSTOP');
    await cluster.kubectl('delete', 'pod', 'deleted', '--wait=false');
    await cluster.kubectl('delete', 'pod', 'forced', '--grace-period=0', '--force');
    process.kill(agent, 'SIGKILL');
    await gone(cluster, 'deleted');
    for (const uid of uids) {
      await eventually(
        'nothing of it is left',
        async () => groupsOfPod(cluster, uid).length === 0 && !existsSync(join(cluster.dataDir, 'pods', uid ?? '')),
      );
    }
    expect(leases(cluster).length).toBe(20);
  });

  test('an agent killed in the middle of a termination goes on with what is left of the grace', async () => {
    await cluster.apply(
      script('slow', "trap 'echo asked' TERM; while :; do sleep 0.1; done", { terminationGracePeriodSeconds: 8 }),
    );
    await ready(cluster, 'slow');
    const { uid } = (await podOf(cluster, 'slow')).metadata;
    const started = Date.now();
    await cluster.kubectl('delete', 'pod', 'slow', '--wait=false');
    await eventually('it has been asked', async () =>
      (await cluster.tryKubectl(['logs', 'slow'])).stdout.includes('asked'),
    );
    await new Promise(resolve => setTimeout(resolve, 4000));
    await cluster.crash('agent');
    await gone(cluster, 'slow');
    expect(Date.now() - started).toBeGreaterThan(7000);
    // a second full grace would end after 12 s
    expect(Date.now() - started).toBeLessThan(11_500);
    expect(groupsOfPod(cluster, uid)).toEqual([]);
  });

  test('pause is killed, with and without an agent to see it: a new sandbox, the container runs again', async () => {
    for (const [name, agentDead] of [
      ['widow', false],
      ['orphan', true],
    ] as const) {
      await cluster.apply(sleeper(name));
      await ready(cluster, name);
      const { uid } = (await podOf(cluster, name)).metadata;
      const [pause = 0] = groupsOfPod(cluster, uid).find(([path]) => path.endsWith('sandbox.0'))?.[1] ?? [];
      expect(readFileSync(`/proc/${pause}/comm`, 'utf8').trim()).toBe('pause');
      const agent = cluster.pidOf('agent');
      if (agentDead) process.kill(agent, 'SIGSTOP');
      process.kill(pause, 'SIGKILL');
      if (agentDead) process.kill(agent, 'SIGKILL');
      await eventually('it runs again', async () => {
        const status = await appOf(cluster, name);
        return status?.restartCount === 1 && status.ready;
      });
      expect((await appOf(cluster, name))?.lastState?.terminated).toMatchObject({ exitCode: 137, reason: 'Error' });
      expect(
        groupsOfPod(cluster, uid)
          .map(([path]) => path.split('/')[2])
          .sort(),
      ).toEqual(['app.1', 'sandbox.1']);
      expect(leases(cluster).length).toBe(21);
      await cluster.kubectl('delete', 'pod', name);
    }
  });

  test('a static pod outlives its agent, and ends if its file has gone meanwhile', async () => {
    const file = join(cluster.dataDir, 'manifests/fixed.yaml');
    await writeFile(
      file,
      `apiVersion: v1\nkind: Pod\nmetadata:\n  name: fixed\nspec:\n  terminationGracePeriodSeconds: 1\n  containers:\n    - name: app\n      image: localhost/busybox:1\n      command: ["sleep", "1000"]\n`,
    );
    const name = `fixed-${cluster.name}`;
    await eventually(
      'it runs',
      async () =>
        (await cluster.tryKubectl(['get', 'pod', name, '-o', 'jsonpath={.status.phase}'])).stdout === 'Running',
    );
    const before = await appOf(cluster, name);
    await cluster.crash('agent');
    await served(cluster, name);
    expect(await appOf(cluster, name)).toEqual(before);
    const agent = cluster.pidOf('agent');
    process.kill(agent, 'SIGSTOP');
    await rm(file);
    process.kill(agent, 'SIGKILL');
    await gone(cluster, name);
    expect([...groupsOf(cluster).keys()].filter(path => path.includes('/sandbox.')).length).toBe(20);
  });

  test('what has ended stays ended', async () => {
    await cluster.apply(
      script('done', 'exit 0', { restartPolicy: 'Never' }),
      script('failed', 'exit 3', { restartPolicy: 'Never' }),
      script('unstartable', '', {
        restartPolicy: 'Never',
        containers: [{ name: 'app', image: 'localhost/busybox:1', command: ['/none'] }],
      }),
    );
    const names = ['done', 'failed', 'unstartable'];
    const states = () => Promise.all(names.map(async name => ({ ...(await podOf(cluster, name)).status })));
    await eventually('they have ended', async () =>
      (await states()).every(s => s.phase === 'Succeeded' || s.phase === 'Failed'),
    );
    const before = await states();
    await cluster.crash('agent');
    await served(cluster, 'crowd-1');
    expect(await states()).toEqual(before);
    await cluster.kubectl('delete', 'pod', ...names);
  });

  test('in the end nobody of the crowd has noticed anything', async () => {
    const { items } = await cluster.get<{ items: Pod[] }>('pods');
    expect(items.map(p => p.status?.containerStatuses?.[0]?.restartCount)).toEqual(crowd.map(() => 0));
    expect(leases(cluster).length).toBe(20);
    expect((await veths(cluster)).split('\n').length).toBe(20);
  });
});

describe('when `keelson up` itself ends', () => {
  test('killed with both roles, started again with the same directories: everything is taken up', async () => {
    await using cluster = await startCluster({ keep: true });
    await cluster.apply(sleeper('a'), sleeper('b'));
    await ready(cluster, 'a', 'b');
    const before = await story(cluster);
    const pids = [cluster.pidOf('agent'), cluster.pidOf('controller')];
    await cluster.down('SIGKILL');
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    await cluster.up();
    await served(cluster, 'a');
    expect(await story(cluster)).toEqual(before);
  });

  test('a pod whose records cannot be read at first is left as it is, and taken up later', async () => {
    await using cluster = await startCluster({ keep: true });
    await cluster.apply(sleeper('stays'), sleeper('goes'));
    await ready(cluster, 'stays', 'goes');
    const before = await story(cluster);
    await cluster.down();
    // both at the start, and each once more
    await cluster.up({ KEELSON_FAILPOINTS: 'adopt.pod=error:4' }, false);
    await served(cluster, 'stays');
    await served(cluster, 'goes');
    expect(cluster.log).toContain('pod could not be adopted');
    expect(await story(cluster)).toEqual(before);
    await cluster.kubectl('delete', 'pod', 'goes', '--timeout=30s');
  });

  test('after a reboot no record is believed, even where process and start time fit: everything runs again', async () => {
    await using cluster = await startCluster({ keep: true });
    await cluster.apply(sleeper('again'), sleeper('never', { ...sleeperSpec, restartPolicy: 'Never' }));
    await ready(cluster, 'again', 'never');
    await cluster.down();
    await forgetBoot(cluster);
    await cluster.up({}, false);
    const restarted = await eventually('it runs again', async () => {
      const status = await appOf(cluster, 'again');
      return status?.ready && status.restartCount === 1 && status;
    });
    expect(restarted.lastState?.terminated).toMatchObject({ exitCode: 255, reason: 'Unknown' });
    const { uid } = (await podOf(cluster, 'again')).metadata;
    expect(
      groupsOfPod(cluster, uid)
        .map(([path]) => path.split('/')[2])
        .sort(),
    ).toEqual(['app.1', 'sandbox.1']);
    await cluster.kubectl('wait', '--for=jsonpath={.status.phase}=Failed', 'pod/never', '--timeout=30s');
    expect((await appOf(cluster, 'never'))?.state?.terminated).toMatchObject({ exitCode: 255, reason: 'Unknown' });
    expect(groupsOfPod(cluster, (await podOf(cluster, 'never')).metadata.uid)).toEqual([]);
  });

  test('SIGTERM without --rm leaves pods running for the next one; with --rm nothing is left', async () => {
    await using cluster = await startCluster({ keep: true });
    await cluster.apply(sleeper('a'), sleeper('b'));
    await ready(cluster, 'a', 'b');
    const before = await story(cluster);
    const processes = [...groupsOf(cluster).values()].flat();
    expect(processes.length).toBeGreaterThanOrEqual(6);
    await cluster.down();
    expect(processes.filter(isLiving)).toEqual(processes);
    await cluster.up({}, true);
    await served(cluster, 'a');
    expect(await story(cluster)).toEqual(before);
    const { pid: holder } = JSON.parse(readFileSync(join(cluster.runDir, 'holder.json'), 'utf8')) as { pid: number };
    // the namespaces are held open, to see what is left in them
    const keeper = `/proc/${holder}/ns/net`;
    const held = openSync(keeper, 'r');
    try {
      await cluster.down();
      expect([...processes, holder].filter(isLiving)).toEqual([]);
      expect(cluster.leftovers()).toEqual([]);
      const inside = (...words: string[]) =>
        execFileSync('nsenter', [`--net=/proc/${process.pid}/fd/${held}`, ...words], { encoding: 'utf8' });
      expect(inside('nft', 'list', 'ruleset')).toBe('');
      expect(inside('ip', '-o', 'link').trim().split('\n').length).toBe(1);
      expect(leases(cluster)).toEqual([]);
      expect(readdirSync(join(cluster.dataDir, 'pods'))).toEqual([]);
    } finally {
      closeSync(held);
    }
  });
});
