/** What a user does with pods, through real kubectl, on real namespaces. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Pod } from '../../src/kube/pod.js';
import { type Cluster, cgroupMount, eventually, repository, sleeper, startCluster } from '../helpers/cluster.js';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ images: ['busybox', 'http-echo', 'nginx'] });
});
afterAll(async () => cluster[Symbol.asyncDispose]());

const busybox = (name: string, script: string, more: object = {}, container: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: {
    restartPolicy: 'Never',
    terminationGracePeriodSeconds: 2,
    containers: [{ name: 'app', image: 'localhost/busybox:1', command: ['sh', '-c', script], ...container }],
    ...more,
  },
});
const phaseOf = async (name: string, phase: string) =>
  cluster.kubectl('wait', `--for=jsonpath={.status.phase}=${phase}`, `pod/${name}`, '--timeout=60s');
const pod = (name: string) => cluster.get<Pod>('pod', name);

test('every example runs as its comment says', async () => {
  await cluster.kubectl('apply', '-f', join(repository, 'examples'));
  await cluster.kubectl('wait', '--for=condition=Ready', 'pod/hello', 'pod/web', 'pod/steps', '--timeout=60s');
  await phaseOf('settings', 'Succeeded');
  expect(await cluster.kubectl('logs', 'settings')).toMatch(/^good morning at level info on t\d+-\d+\n28\n$/);
  expect(await cluster.kubectl('logs', 'steps')).toBe('one\ntwo\n');
  const { status } = await pod('hello');
  expect(await cluster.enter('busybox', 'wget', '-q', '-O', '-', `http://${status?.podIP}:8080/who`)).toContain(
    'hello',
  );
  expect(await cluster.kubectl('get', 'pods')).toMatch(/settings\s+0\/1\s+Completed/);
  await cluster.kubectl('delete', '-f', join(repository, 'examples'), '--now');
});

describe('network', () => {
  test('pods reach each other and their node, by their own addresses, unmasqueraded', async () => {
    await cluster.apply(
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'server' },
        spec: { containers: [{ name: 'c', image: 'localhost/http-echo:1' }] },
      },
      sleeper('client'),
    );
    await cluster.kubectl('wait', '--for=condition=Ready', 'pod/server', 'pod/client', '--timeout=60s');
    const [server, client] = [(await pod('server')).status?.podIP, (await pod('client')).status?.podIP];
    expect(server).not.toBe(client);
    expect(await cluster.kubectl('exec', 'client', '--', 'wget', '-q', '-O', '-', `http://${server}:8080/`)).toContain(
      `${client}`,
    );
    expect(await cluster.kubectl('exec', 'client', '--', 'ping', '-c', '1', '-W', '2', '10.244.0.1')).toContain(
      '1 packets received',
    );
    expect(await cluster.kubectl('exec', 'client', '--', 'cat', '/etc/hosts')).toContain(`${client}\tclient`);
    expect((await cluster.kubectl('exec', 'client', '--', 'hostname')).trim()).toBe('client');
    await cluster.kubectl('delete', 'pod', 'server', 'client', '--now');
  });

  test('traffic to the outside leaves with the address of the node', async () => {
    const rules = await cluster.enter('nft', 'list', 'table', 'ip', 'keelson');
    expect(rules).toContain('masquerade');
    // an outside host: another namespace on a link of the node, which knows no way back to pods
    await cluster.enter(
      'sh',
      '-c',
      'ip link add out0 type veth peer name out1 && ip addr add 192.0.2.1/24 dev out0 && ip link set out0 up && ip link set out1 up',
    );
    await cluster.enter(
      'sh',
      '-c',
      'unshare --net sleep 60 >/dev/null 2>&1 </dev/null & echo $! > /tmp/out.pid; sleep 0.2; ip link set out1 netns $(cat /tmp/out.pid); nsenter -t $(cat /tmp/out.pid) -n sh -c "ip addr add 192.0.2.2/24 dev out1; ip link set out1 up; ip link set lo up"',
    );
    await cluster.apply(sleeper('inside'));
    await cluster.kubectl('wait', '--for=condition=Ready', 'pod/inside', '--timeout=60s');
    try {
      expect(await cluster.kubectl('exec', 'inside', '--', 'ping', '-c', '1', '-W', '3', '192.0.2.2')).toContain(
        '1 packets received',
      );
    } finally {
      await cluster.enter('sh', '-c', 'kill $(cat /tmp/out.pid); rm /tmp/out.pid; ip link del out0 2>/dev/null; true');
      await cluster.kubectl('delete', 'pod', 'inside', '--now');
    }
  });

  test('hostNetwork shares the namespace and address of the node', async () => {
    await cluster.apply(busybox('hostnet', 'ip -o link | wc -l; sleep 60', { hostNetwork: true }));
    await cluster.kubectl('wait', '--for=condition=Ready', 'pod/hostnet', '--timeout=60s');
    const { status } = await pod('hostnet');
    expect(status?.podIP).toBe(status?.hostIP);
    expect(await cluster.kubectl('exec', 'hostnet', '--', 'ip', '-o', 'link')).toContain('cni0');
    await cluster.kubectl('delete', 'pod', 'hostnet', '--now');
  });
});

describe('exec, logs and attach', () => {
  beforeAll(async () => {
    await cluster.apply(sleeper('tools'));
    await cluster.kubectl('wait', '--for=condition=Ready', 'pod/tools', '--timeout=60s');
  });
  afterAll(async () => void (await cluster.kubectl('delete', 'pod', 'tools', '--now')));

  test('exec passes input, output, errors and the exit code', async () => {
    const result = await cluster.tryKubectl(
      ['exec', '-i', 'tools', '--', 'sh', '-c', 'cat; echo oops >&2; exit 7'],
      'over there\n',
    );
    expect(result).toMatchObject({ code: 7, stdout: 'over there\n' });
    expect(result.stderr).toContain('oops');
    expect(result.stderr).toContain('command terminated with exit code 7');
  });

  test('exec with a terminal has one', async () => {
    const out = execFileSync(
      'script',
      [
        '-qc',
        `${join(repository, '.cache/kubectl-v35/kubectl')} --kubeconfig ${cluster.kubeconfig} exec -it tools -- sh -c 'tty; echo done'`,
        '/dev/null',
      ],
      { encoding: 'utf8', input: '', env: { ...process.env, HOME: cluster.directory } },
    );
    expect(out).toMatch(/\/dev\/pts\/\d+\r\n[\s\S]*done/);
  });

  test('exec of a command that is not there says so', async () => {
    const { code, stderr } = await cluster.tryKubectl(['exec', 'tools', '--', 'no-such-command']);
    expect(code).not.toBe(0);
    expect(stderr).toContain('no-such-command');
    expect(stderr).toMatch(/executable file not found|no such file/);
  });

  test('megabytes go through exec unharmed', async () => {
    const { stdout } = await cluster.tryKubectl(
      ['exec', '-i', 'tools', '--', 'sh', '-c', 'wc -c'],
      'x'.repeat(5_000_000),
    );
    expect(stdout.trim()).toBe('5000000');
    expect((await cluster.kubectl('exec', 'tools', '--', 'head', '-c', '4000000', '/dev/zero')).length).toBe(4_000_000);
  });

  test('logs: tail, timestamps, follow to the end, previous run', async () => {
    await cluster.apply(busybox('talker', 'for i in 1 2 3; do echo line $i; done; sleep 1; echo last', {}));
    expect(await cluster.kubectl('wait', '--for=condition=Ready', 'pod/talker', '--timeout=60s')).toBeTruthy();
    expect(await cluster.kubectl('logs', '-f', 'talker')).toBe('line 1\nline 2\nline 3\nlast\n');
    expect(await cluster.kubectl('logs', 'talker', '--tail=1')).toBe('last\n');
    expect(await cluster.kubectl('logs', 'talker', '--timestamps', '--tail=1')).toMatch(
      /^\d{4}-\d\d-\d\dT[\d:.]+Z last\n$/,
    );
    const previous = await cluster.tryKubectl(['logs', 'talker', '--previous']);
    expect(previous.stderr).toContain('previous terminated container "app" in pod "talker" not found');
    await cluster.kubectl('delete', 'pod', 'talker');
  });
});

test('a log of more than ten megabytes is rotated while the container writes, and kubectl loses no line', async () => {
  const script =
    'yes 0123456789012345678901234567890123456789 | head -n 300000; while [ ! -e /go ]; do sleep 0.1; done; echo after';
  await cluster.apply(busybox('wordy', `${script}; sleep 1000`));
  await cluster.kubectl('wait', '--for=condition=Ready', 'pod/wordy', '--timeout=60s');
  const folder = join(cluster.dataDir, 'logs', `default_wordy_${(await pod('wordy')).metadata.uid}`, 'app');
  await eventually('it is rotated', async () => readdirSync(folder).length > 1);
  await cluster.kubectl('exec', 'wordy', '--', 'touch', '/go');
  await eventually('what is written next is in the new file', async () =>
    (await cluster.kubectl('logs', 'wordy', '--tail=1')).startsWith('after'),
  );
  expect((await cluster.kubectl('logs', 'wordy')).split('\n').length - 1).toBe(300_001);
  await cluster.kubectl('delete', 'pod', 'wordy', '--now');
});

describe('the life of a container', () => {
  test('exit codes and signals are reported as they were', async () => {
    await cluster.apply(
      busybox('three', 'exit 3'),
      busybox('killed', 'kill -SEGV $$'),
      busybox('fine', 'exit 0'),
      busybox('missing', '', {}, { command: ['/no/such/file'] }),
    );
    await phaseOf('three', 'Failed');
    await phaseOf('killed', 'Failed');
    await phaseOf('fine', 'Succeeded');
    await phaseOf('missing', 'Failed');
    const ended = async (name: string) => (await pod(name)).status?.containerStatuses?.[0]?.state?.terminated;
    expect(await ended('three')).toMatchObject({ exitCode: 3, reason: 'Error' });
    expect(await ended('fine')).toMatchObject({ exitCode: 0, reason: 'Completed' });
    expect(await ended('missing')).toMatchObject({
      exitCode: 128,
      reason: 'StartError',
      message: expect.stringContaining('/no/such/file'),
    });
    await cluster.kubectl('delete', 'pod', 'three', 'killed', 'fine', 'missing');
  });

  test('a failing container is restarted, its last run and its count shown', async () => {
    await cluster.apply(busybox('again', 'echo run; exit 5', { restartPolicy: 'OnFailure' }));
    await eventually(
      'CrashLoopBackOff',
      async () => (await pod('again')).status?.containerStatuses?.[0]?.state?.waiting?.reason === 'CrashLoopBackOff',
    );
    const status = (await pod('again')).status?.containerStatuses?.[0];
    expect(status).toMatchObject({ restartCount: 1, lastState: { terminated: { exitCode: 5 } }, ready: false });
    expect(await cluster.kubectl('logs', 'again', '--previous')).toBe('run\n');
    await cluster.kubectl('delete', 'pod', 'again');
  });

  test('images that are not there: ErrImageNeverPull, ErrImagePull then ImagePullBackOff, InvalidImageName', async () => {
    await cluster.apply(
      busybox('never', '', {}, { image: 'localhost/none:1', imagePullPolicy: 'Never' }),
      busybox('absent', '', {}, { image: 'localhost/none:2', imagePullPolicy: 'IfNotPresent' }),
      busybox('badname', '', {}, { image: 'Not A Name' }),
    );
    const waiting = async (name: string) => (await pod(name)).status?.containerStatuses?.[0]?.state?.waiting?.reason;
    await eventually('ErrImageNeverPull', async () => (await waiting('never')) === 'ErrImageNeverPull');
    await eventually('ErrImagePull', async () => (await waiting('absent')) === 'ErrImagePull');
    await eventually('InvalidImageName', async () => (await waiting('badname')) === 'InvalidImageName');
    await eventually('ImagePullBackOff', async () => (await waiting('absent')) === 'ImagePullBackOff');
    await cluster.kubectl('delete', 'pod', 'never', 'absent', 'badname');
  });

  test('deletion: SIGTERM first, SIGKILL after the grace, then nothing of it is left', async () => {
    await cluster.apply(
      busybox('polite', "trap 'echo bye; exit 0' TERM; while :; do sleep 0.1; done"),
      busybox('stubborn', "trap '' TERM; while :; do sleep 0.1; done"),
    );
    await cluster.kubectl('wait', '--for=condition=Ready', 'pod/polite', 'pod/stubborn', '--timeout=60s');
    const uids = [(await pod('polite')).metadata.uid, (await pod('stubborn')).metadata.uid];
    const started = Date.now();
    await cluster.kubectl('delete', 'pod', 'polite', '--grace-period=30');
    expect(Date.now() - started).toBeLessThan(25_000);
    await cluster.kubectl('delete', 'pod', 'stubborn', '--grace-period=1');
    const groups = readdirSync(join(cgroupMount(), `keelson-${cluster.name}`, 'besteffort'));
    for (const uid of uids) {
      expect(groups).not.toContain(`pod${uid}`);
      expect(existsSync(join(cluster.dataDir, 'pods', uid ?? ''))).toBe(false);
    }
  });

  test('a pod with a limit that this kernel cannot enforce is refused, in words', async () => {
    const controllers = readFileSync(join(cgroupMount(), 'cgroup.controllers'), 'utf8');
    await cluster.apply(busybox('limited', 'sleep 60', {}, { resources: { limits: { memory: '64Mi' } } }));
    if (controllers.includes('memory'))
      return void (await cluster.kubectl('wait', '--for=condition=Ready', 'pod/limited', '--timeout=60s'));
    await phaseOf('limited', 'Failed');
    expect((await pod('limited')).status).toMatchObject({
      reason: 'UnenforceableLimits',
      message: expect.stringContaining('limits.memory 64Mi needs the cgroup v2 controller "memory"'),
    });
    await cluster.kubectl('delete', 'pod', 'limited');
  });
});

test('keelson inspect pod shows the kernel objects', async () => {
  await cluster.apply(sleeper('seen'));
  await cluster.kubectl('wait', '--for=condition=Ready', 'pod/seen', '--timeout=60s');
  const [report] = JSON.parse(
    (await cluster.ok(cluster.keelson('inspect', 'pod', 'seen', ...cluster.flags, '-o', 'json'))).stdout,
  ) as [{ pause: { pid: number }; containers: { processes: { pid: number }[] }[]; addresses: string[] }];
  expect(report.addresses).toEqual([`${(await pod('seen')).status?.podIP}/24`]);
  const processes = report.containers[0]?.processes ?? [];
  expect(processes.length).toBeGreaterThan(0);
  expect(existsSync(`/proc/${report.pause.pid}`)).toBe(true);
  await cluster.kubectl('delete', 'pod', 'seen', '--now');
});

describe('static pods', () => {
  test('a file becomes a pod and a mirror; a change is followed; removal stops it; a broken file harms nobody', async () => {
    const { writeFile, rm } = await import('node:fs/promises');
    const file = join(cluster.dataDir, 'manifests', 'one.yaml');
    const manifest = (text: string) =>
      `apiVersion: v1\nkind: Pod\nmetadata:\n  name: fixed\nspec:\n  terminationGracePeriodSeconds: 1\n  containers:\n    - name: app\n      image: localhost/busybox:1\n      command: ["sh", "-c", "echo ${text}; sleep 1000"]\n`;
    const name = `fixed-${cluster.name}`;
    await writeFile(file, manifest('first'));
    await eventually(
      'the mirror runs',
      async () =>
        (await cluster.tryKubectl(['get', 'pod', name, '-o', 'jsonpath={.status.phase}'])).stdout === 'Running',
    );
    expect(await cluster.kubectl('logs', name)).toBe('first\n');
    await writeFile(
      join(cluster.dataDir, 'manifests', 'broken.yaml'),
      'apiVersion: v1\nkind: Pod\nmetadata:\n  name: [oops\n',
    );
    await eventually('an event names the broken file', async () =>
      (await cluster.kubectl('get', 'events', '-A')).includes('broken.yaml:'),
    );
    expect(cluster.log).toMatch(/broken\.yaml:\d+:\d+/);
    await writeFile(file, manifest('second'));
    await eventually('the change runs', async () => (await cluster.tryKubectl(['logs', name])).stdout === 'second\n');
    await cluster.kubectl('delete', 'pod', name, '--wait=false');
    await eventually(
      'the mirror comes back',
      async () =>
        (await cluster.tryKubectl(['get', 'pod', name, '-o', 'jsonpath={.status.phase}'])).stdout === 'Running',
    );
    await rm(file);
    await eventually('it goes with its file', async () =>
      (await cluster.tryKubectl(['get', 'pod', name])).stderr.includes('not found'),
    );
    await rm(join(cluster.dataDir, 'manifests', 'broken.yaml'));
  });
});
