/** Sandboxes and programs through the addon: namespaces, handles, errors, and that nothing is left open. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { Socket } from 'node:net';
import { expect, test } from 'vitest';
import {
  cgroupKill,
  cgroupRemove,
  createSandbox,
  KernelError,
  openProcess,
  type Process,
  type SandboxSpec,
  spawnProgram,
} from '../../native/index.js';
import { withCgroup } from '../helpers/cgroups.js';

const none = { net: false, ipc: false, uts: false, pid: false };
const all = { net: true, ipc: true, uts: true, pid: true };
const statusOf = (pid: number) => readFileSync(`/proc/${pid}/status`, 'utf8');
const specIn = (cgroup: string, spec: Partial<SandboxSpec> = {}): SandboxSpec => ({
  object: 'pod test/a',
  cgroup: `${cgroup}/leaf`,
  namespaces: all,
  ...spec,
});

async function end(process: Process): Promise<void> {
  process.signal(9);
  await process.wait();
  process.close();
}

async function withSandbox(
  spec: Partial<SandboxSpec>,
  body: (sandbox: Process, cgroup: string) => unknown,
): Promise<void> {
  await withCgroup(async cgroup => {
    const sandbox = await createSandbox(specIn(cgroup, spec));
    try {
      await body(sandbox, cgroup);
    } finally {
      await end(sandbox);
    }
  });
}

const combinations = Array.from({ length: 16 }, (_, bits) => ({
  net: (bits & 1) !== 0,
  ipc: (bits & 2) !== 0,
  uts: (bits & 4) !== 0,
  pid: (bits & 8) !== 0,
}));

test.each(combinations)('pause has exactly the namespaces asked for: %o', async namespaces => {
  await withSandbox({ namespaces }, sandbox => {
    for (const [name, own] of Object.entries(namespaces)) {
      const same = readlinkSync(`/proc/${sandbox.pid}/ns/${name}`) === readlinkSync(`/proc/self/ns/${name}`);
      expect(same, name).toBe(!own);
    }
  });
});

test('hostname, sysctls and score are set before the promise resolves, and only in there', async () => {
  const sysctls = [{ name: 'net.ipv4.ip_unprivileged_port_start', value: '7' }];
  const before = readFileSync('/proc/sys/kernel/hostname', 'utf8');
  const scoreBefore = readFileSync('/proc/self/oom_score_adj', 'utf8');
  await withSandbox({ hostname: 'web-0', sysctls, oomScoreAdj: 500 }, sandbox => {
    const inside = (path: string) => inNamespaces(sandbox.pid, ['cat', path]);
    expect(inside('/proc/sys/kernel/hostname')).toBe('web-0\n');
    expect(inside('/proc/sys/net/ipv4/ip_unprivileged_port_start')).toBe('7\n');
    expect(readFileSync(`/proc/${sandbox.pid}/oom_score_adj`, 'utf8')).toBe('500\n');
  });
  expect(readFileSync('/proc/sys/kernel/hostname', 'utf8')).toBe(before);
  expect(readFileSync('/proc/self/oom_score_adj', 'utf8')).toBe(scoreBefore);
});

function inNamespaces(pid: number, command: string[]): string {
  return execFileSync('nsenter', ['-t', String(pid), '-n', '-u', ...command], { encoding: 'utf8' });
}

test('pause holds no file of the agent, ignores nothing and sits in its cgroup', async () => {
  await withSandbox({}, (sandbox, cgroup) => {
    const fds = readdirSync(`/proc/${sandbox.pid}/fd`).map(fd => readlinkSync(`/proc/${sandbox.pid}/fd/${fd}`));
    expect(fds).toEqual(['/dev/null', '/dev/null', '/dev/null']);
    expect(statusOf(sandbox.pid)).toMatch(/SigIgn:\t0+\n/);
    expect(statusOf(sandbox.pid)).toMatch(/NSpid:\t\d+\t1\n/);
    const group = readFileSync(`/proc/${sandbox.pid}/cgroup`, 'utf8').match(/^0::(.*)$/m)![1]!;
    expect(cgroup.endsWith(group.replace(/\/leaf$/, ''))).toBe(true);
  });
});

test('SIGTERM ends pause even when it is PID 1 and only just born', async () => {
  for (let i = 0; i < 20; i++) {
    await withCgroup(async cgroup => {
      const sandbox = await createSandbox(specIn(cgroup));
      expect(sandbox.signal(15)).toBe(true);
      expect(await sandbox.wait()).toEqual({ code: 0 });
      sandbox.close();
    });
  }
});

test('pause reaps what is orphaned in its process namespace', async () => {
  await withSandbox({}, async sandbox => {
    // The child's `&` job is orphaned to PID 1 when its shell ends; then it ends itself.
    execFileSync('nsenter', ['-t', String(sandbox.pid), '-p', 'sh', '-c', 'sleep 0.05 & exit 0'], { stdio: 'ignore' });
    await expect
      .poll(() => readFileSync(`/proc/${sandbox.pid}/task/${sandbox.pid}/children`, 'utf8').trim(), { interval: 10 })
      .toBe('');
  });
});

test('a killed sandbox is reaped, for any number of waiters, and says how it ended', async () => {
  await withCgroup(async cgroup => {
    const sandbox = await createSandbox(specIn(cgroup));
    expect(sandbox.ended).toBe(false);
    const waits = [sandbox.wait(), sandbox.wait()];
    expect(sandbox.signal(9)).toBe(true);
    expect(await Promise.all(waits)).toEqual([{ signal: 9 }, { signal: 9 }]);
    expect(await sandbox.wait()).toEqual({ signal: 9 });
    expect(sandbox.ended).toBe(true);
    expect(sandbox.signal(9)).toBe(false);
    expect(() => statusOf(sandbox.pid)).toThrow('ENOENT');
    sandbox.close();
    expect(() => sandbox.signal(9)).toThrow(`The handle of pid ${sandbox.pid} is closed.`);
  });
});

test('a child whose handle was closed is reaped all the same', async () => {
  await withCgroup(async cgroup => {
    const { pid, startTime } = await createSandbox(specIn(cgroup)).then(sandbox => {
      sandbox.close();
      return sandbox;
    });
    await cgroupKill(cgroup);
    await expect.poll(() => openProcess({ pid, startTime }), { interval: 5 }).toBeUndefined();
  });
});

test('an adopted process resolves without a status, and its pid is not trusted without its start time', async () => {
  const child = spawn('sleep', ['100']);
  const startTime = Number(readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]!.split(' ')[19]);
  expect(openProcess({ pid: child.pid!, startTime: startTime - 1 })).toBeUndefined();
  expect(openProcess({ pid: 2 ** 22 - 1, startTime })).toBeUndefined();
  const adopted = openProcess({ pid: child.pid!, startTime })!;
  expect(adopted.ended).toBe(false);
  const waited = adopted.wait();
  adopted.signal(9);
  expect(await waited).toEqual({});
  adopted.close();
  if (child.signalCode === null) await once(child, 'exit');
  expect(child.signalCode).toBe('SIGKILL'); // libuv's child stays libuv's to reap
});

test('errors name the call, the pod, the code and the next step', async () => {
  await withCgroup(async cgroup => {
    const attempt = (spec: Partial<SandboxSpec>) =>
      createSandbox(specIn(cgroup, spec)).then(
        () => expect.unreachable(),
        (error: KernelError) => error,
      );
    const tooLong = await attempt({ hostname: 'x'.repeat(65) });
    expect(tooLong).toBeInstanceOf(KernelError);
    expect(tooLong).toMatchObject({ errno: 22, code: 'EINVAL', object: 'pod test/a', hint: 'at most 64 bytes' });
    expect((await attempt({ sysctls: [{ name: 'net.no.such', value: '1' }] })).message).toBe(
      'write(/proc/sys/net/no/such) for pod test/a: ENOENT (value "1")',
    );
    expect((await attempt({ cgroup: '/proc/version/x' })).message).toBe('mkdir for /proc/version/x: ENOTDIR');
  });
});

test('a cgroup that was once killed is refused with the reason', async () => {
  await withCgroup(async cgroup => {
    await end(await createSandbox(specIn(cgroup)));
    await cgroupKill(cgroup);
    const again = await createSandbox(specIn(cgroup)).catch((error: KernelError) => error);
    if (!(again instanceof KernelError)) return end(again); // a kernel without that trait (6.1)
    expect(again.message).toMatch(
      /^clone3\(CLONE_INTO_CGROUP\) for pod test\/a: ESRCH \(killed before it ran: .*use a new directory\)$/,
    );
    await cgroupRemove(cgroup);
    await end(await createSandbox(specIn(cgroup)));
  });
});

test('200 sandboxes leave no descriptor, no zombie and no cgroup', async () => {
  const descriptors = () => readdirSync('/proc/self/fd').length;
  const children = () => readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim();
  await withSandbox({ namespaces: none }, () => undefined); // the programs' memfds and /dev/null stay open from now on
  const before = { descriptors: descriptors(), children: children() };
  await withCgroup(async cgroup => {
    for (let batch = 0; batch < 20; batch++) {
      const names = Array.from({ length: 10 }, (_, i) => `${cgroup}/b${batch}-${i}`);
      const sandboxes = await Promise.all(
        names.map(name => createSandbox(specIn(cgroup, { cgroup: name, namespaces: all }))),
      );
      await Promise.all(sandboxes.map(end));
      await Promise.all(names.map(cgroupRemove));
    }
    expect(readdirSync(cgroup, { withFileTypes: true }).filter(entry => entry.isDirectory())).toEqual([]);
  });
  expect({ descriptors: descriptors(), children: children() }).toEqual(before);
}, 30_000);

test('a program gets its configuration and sockets from descriptor 3 on, and only these', async () => {
  await withCgroup(async cgroup => {
    const config = Buffer.from('{"hello":1}');
    const spawned = await spawnProgram({
      object: 'program test',
      program: 'pause',
      args: ['a'],
      config,
      sockets: 2,
      cgroup: `${cgroup}/program`,
    });
    const sockets = spawned.sockets.map(fd => new Socket({ fd }));
    const closed = sockets.map(socket => once(socket.resume(), 'close'));
    // pause closes what it is given: our ends see the end of the stream.
    await Promise.all(closed);
    expect(readFileSync(`/proc/${spawned.process.pid}/cmdline`, 'utf8')).toBe('pause\0a\0');
    await end(spawned.process);
  });
});
