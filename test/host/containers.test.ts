import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { ContainerConfigError, StartError } from '../../agent/containers/contract.js';
import { ContainerRig } from '../helpers/container-rig.js';

const read = (stream: NodeJS.ReadableStream) => text(stream as Readable);

/** Reading on later: leaving the loop does not end the stream. */
const keep = (stream: NodeJS.ReadableStream) => (stream as Readable).iterator({ destroyOnReturn: false });

/** Reads until `wanted` has been seen. */
async function readUntil(stream: AsyncIterable<Buffer>, wanted: string): Promise<string> {
  let seen = '';
  for await (const chunk of stream) {
    seen += String(chunk);
    if (seen.includes(wanted)) return seen;
  }
  throw new Error(`stream ended before ${JSON.stringify(wanted)}: ${JSON.stringify(seen)}`);
}

/** The lines that a script printed, without time, stream and tag. */
function linesOf(logPath: string): string[] {
  return readFileSync(logPath, 'utf8')
    .trimEnd()
    .split('\n')
    .map(line => line.split(' ').slice(3).join(' '));
}

/** Runs a script to its end. */
async function run(rig: ContainerRig, script: string, changes: Parameters<ContainerRig['shell']>[1] = {}) {
  const container = await rig.shell(script, changes);
  const exit = await container.exited();
  return { exit, lines: linesOf(container.request.logPath) };
}

describe('a run', () => {
  test('logs in the CRI format and leaves an exit record', async () => {
    await using rig = await ContainerRig.create();
    const container = await rig.shell('echo hello; echo oops >&2; printf rest; exit 3');
    const exit = await container.exited();
    expect(exit).toMatchObject({ code: 3, oomKilled: false });
    expect(exit.finishedAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
    const log = readFileSync(container.request.logPath, 'utf8');
    expect(log).toMatch(/^\S+Z stdout F hello$/m);
    expect(log).toMatch(/^\S+Z stderr F oops$/m);
    expect(log).toMatch(/^\S+Z stdout F rest$/m);
    expect(readdirSync(rig.runDirectory)).toEqual([]);
    await rig.runtime.remove(container.directory);
    await rig.runtime.remove(container.directory);
    expect(existsSync(container.directory)).toBe(false);
  });

  test('cuts a line over 16 KiB into parts', async () => {
    await using rig = await ContainerRig.create();
    const container = await rig.shell("head -c 40000 /dev/zero | tr '\\0' x; echo end");
    await container.exited();
    const parts = readFileSync(container.request.logPath, 'utf8')
      .trimEnd()
      .split('\n')
      .map(line => line.split(' '));
    expect(parts.map(part => [part[2], part[3]?.length])).toEqual([
      ['P', 16384],
      ['P', 16384],
      ['F', 7235],
    ]);
  });

  test('ended by a signal says so', async () => {
    await using rig = await ContainerRig.create();
    const container = await rig.shell('exec sleep 1000');
    expect(await rig.runtime.signal(container, 9)).toBe(true);
    expect(await container.exited()).toMatchObject({ signal: 9 });
    expect(await rig.runtime.signal(container, 9)).toBe(false);
  });

  test('sees its own world: pid 1, host name, mounts, no way back', async () => {
    await using rig = await ContainerRig.create();
    const { lines } = await run(
      rig,
      "echo $$; hostname; ls /; cat /proc/1/comm; awk '{print $5}' /proc/self/mountinfo; ls -l /dev/null; readlink /dev/ptmx",
    );
    expect(lines.slice(0, 2)).toEqual(['1', 'rig']);
    expect(lines).toContain('/dev/pts');
    expect(lines).toContain('/sys/fs/cgroup');
    expect(lines.filter(line => line.includes('keelson') || line.includes(rig.directory))).toEqual([]);
    expect(lines.at(-1)).toBe('pts/ptmx');
  });

  test('has read-only and masked parts in /proc and /sys', async () => {
    await using rig = await ContainerRig.create();
    const { lines } = await run(
      rig,
      'for f in /proc/sys/kernel/hostname /proc/sysrq-trigger /sys/kernel/mm/ksm/run /sys/fs/cgroup/cgroup.procs; do (echo 1 > $f) 2>/dev/null && echo "wrote $f"; done; wc -c < /proc/keys 2>/dev/null; ls /sys/firmware; echo done',
    );
    expect(lines.filter(line => line.startsWith('wrote'))).toEqual([]);
    expect(lines.at(-1)).toBe('done');
    expect(lines.filter(line => line !== '0').length).toBe(1);
  });

  test('has exactly the default capabilities, no inheritable ones, a seccomp filter, closed descriptors', async () => {
    await using rig = await ContainerRig.create();
    const { lines } = await run(
      rig,
      'grep -E "Cap|NoNewPrivs|Seccomp:" /proc/self/status; ls /proc/self/fd; cat /proc/self/oom_score_adj; ulimit -n',
    );
    const status = Object.fromEntries(lines.map(line => line.split(':\t')));
    expect(status).toMatchObject({
      CapInh: '0000000000000000',
      CapPrm: '00000000a80425fb',
      CapEff: '00000000a80425fb',
      CapBnd: '00000000a80425fb',
      CapAmb: '0000000000000000',
      NoNewPrivs: '0',
      Seccomp: '2',
    });
    // `ls` itself holds the directory that it lists
    expect(lines.filter(line => /^\d$/.test(line))).toEqual(['0', '1', '2', '3']);
    expect(lines.slice(-2)).toEqual(['500', '1024']);
  });

  test('cannot mount, unshare or make a new namespace, but runs ordinary programs', async () => {
    await using rig = await ContainerRig.create();
    const { lines } = await run(
      rig,
      'mount -t tmpfs x /tmp 2>&1; unshare -m true 2>&1; unshare -U true 2>&1; echo a | sed s/a/b/; sleep 0; date +%Y >/dev/null && echo fine',
      { capabilities: [] },
    );
    expect(lines.slice(0, 3).every(line => /not permitted|denied/.test(line))).toBe(true);
    expect(lines.slice(3)).toEqual(['b', 'fine']);
  });

  test('privileged has everything', async () => {
    await using rig = await ContainerRig.create();
    const { allCapabilities } = await import('../../agent/containers/capabilities.js');
    const { lines } = await run(
      rig,
      'mount -t tmpfs x /tmp && echo mounted; grep Seccomp: /proc/self/status; test -e /dev/vda && echo devices',
      { privileged: true, capabilities: allCapabilities, seccomp: 'unconfined', maskProc: false },
    );
    expect(lines.slice(0, 2)).toEqual(['mounted', 'Seccomp:\t0']);
  });

  test('no_new_privs and a read-only root when asked', async () => {
    await using rig = await ContainerRig.create();
    const { lines } = await run(rig, 'grep NoNewPrivs /proc/self/status; touch /x 2>&1; touch /dev/shm/y && echo shm', {
      noNewPrivileges: true,
      readOnlyRootfs: true,
    });
    expect(lines).toEqual(['NoNewPrivs:\t1', 'touch: /x: Read-only file system', 'shm']);
  });

  test('makes a missing working directory, also below a link of the image', async () => {
    await using rig = await ContainerRig.create();
    symlinkSync('/srv/real', join(rig.layer, 'link'));
    mkdirSync(join(rig.layer, 'srv/real'), { recursive: true });
    const { lines } = await run(rig, 'pwd -P', { cwd: '/link/a/b' });
    expect(lines).toEqual(['/srv/real/a/b']);
  });

  test("in the pod's shared pid namespace is not pid 1, and leaves nothing behind", async () => {
    await using rig = await ContainerRig.create({ sharePid: true });
    const container = await rig.shell('sleep 1000 & echo $$; cat /proc/1/comm', { sharePid: true });
    await container.exited();
    const [pid, first] = linesOf(container.request.logPath);
    expect(Number(pid)).toBeGreaterThan(1);
    expect(first).not.toBe('sh');
    // the kill is sent before the record is written; the kernel needs a moment to carry it out
    const events = join(container.request.cgroup, 'cgroup.events');
    await expect.poll(() => readFileSync(events, 'utf8')).toContain('populated 0');
  });
});

describe('users', () => {
  const id = (user: string, changes = {}) =>
    ContainerRig.create().then(async rig => {
      await using _ = rig;
      return (
        await run(rig, 'id -u; id -g; id -G; echo $HOME; grep CapEff /proc/self/status; echo x > /dev/stdout', {
          user,
          ...changes,
        })
      ).lines;
    });

  test('are looked up in the image', async () => {
    expect(await id('app')).toEqual(['1000', '1001', '1001 1002', '/home/app', 'CapEff:\t0000000000000000', 'x']);
    expect((await id('1000')).slice(0, 4)).toEqual(['1000', '1001', '1001 1002', '/home/app']);
    expect((await id('4000')).slice(0, 4)).toEqual(['4000', '0', '0', '/']);
    expect((await id('app:extra', { supplementalGroups: [7] })).slice(0, 3)).toEqual(['1000', '1002', '1002 7']);
    expect((await id('1000:5', { runAsGroup: 6 })).slice(0, 3)).toEqual(['1000', '6', '6 1002']);
  });

  test.each([
    ['nope', 'unable to find user nope: no matching entries in passwd file'],
    ['app:nope', 'unable to find group nope: no matching entries in group file'],
    ['4294967296', 'user or group "4294967296": uids and gids must be in range 0-2147483647'],
    ['2147483648', 'user or group "2147483648": uids and gids must be in range 0-2147483647'],
  ])('%s is refused', async (user, message) => {
    await using rig = await ContainerRig.create();
    await expect(rig.shell('true', { user })).rejects.toThrow(new ContainerConfigError(message));
    expect(readdirSync(join(rig.directory, 'attempts'))).toEqual([]);
  });

  test('root is refused with runAsNonRoot', async () => {
    await using rig = await ContainerRig.create();
    await expect(rig.shell('true', { runAsNonRoot: true })).rejects.toThrow(ContainerConfigError);
  });
});

describe('a start that fails', () => {
  test.each([
    [['nope'], 'exec: "nope": executable file not found in $PATH'],
    [['/nope'], 'exec: "/nope": stat /nope: no such file or directory'],
    [['/etc/passwd'], 'exec: "/etc/passwd": permission denied'],
  ])('%s says why and leaves nothing', async (argv, message) => {
    await using rig = await ContainerRig.create();
    await expect(rig.start({ argv })).rejects.toThrow(new StartError(message));
    expect(readdirSync(join(rig.directory, 'attempts'))).toEqual([]);
    expect(readdirSync(rig.runDirectory)).toEqual([]);
  });

  test('in a cgroup that was killed before says so', async () => {
    await using rig = await ContainerRig.create();
    const request = rig.request(rig.spec());
    writeFileSync(join(request.cgroup, 'cgroup.kill'), '1');
    await expect(rig.runtime.start(request)).rejects.toThrow(/setup for container app .*signal 9/);
  });

  test.each(['proc', 'sys', 'dev'])('an image whose /%s is a link is refused', async name => {
    await using rig = await ContainerRig.create();
    symlinkSync('/etc', join(rig.layer, name));
    await expect(rig.start()).rejects.toThrow(new RegExp(`"?${name}"?`));
  });
});

describe('mounts', () => {
  test('directories and files, read-only, at places that are made inside the root', async () => {
    await using rig = await ContainerRig.create();
    const volume = join(rig.directory, 'volume');
    mkdirSync(volume);
    writeFileSync(join(volume, 'file'), 'content\n');
    symlinkSync('/../../../../tmp', join(rig.layer, 'escape'));
    const mount = { source: volume, readOnly: false, propagation: 'private' } as const;
    const { lines } = await run(
      rig,
      'cat /data/file /etc/conf/one; echo new > /data/new; touch /ro/x 2>&1; ls /escape; ls /tmp',
      {
        mounts: [
          { ...mount, target: '/data' },
          { ...mount, target: '/ro', readOnly: true },
          { ...mount, source: join(volume, 'file'), target: '/etc/conf/one' },
          { ...mount, target: '/escape/in' },
        ],
      },
    );
    expect(lines).toEqual(['content', 'content', 'touch: /ro/x: Read-only file system', 'in', 'in']);
    expect(readFileSync(join(volume, 'new'), 'utf8')).toBe('new\n');
  });

  test('never in /proc, and a missing source says so', async () => {
    await using rig = await ContainerRig.create();
    const mount = { source: rig.runDirectory, readOnly: false, propagation: 'private' } as const;
    await expect(rig.start({ mounts: [{ ...mount, target: '/proc/sys' }] })).rejects.toThrow(
      '"/proc/sys" cannot be mounted because it is inside /proc',
    );
    await expect(rig.start({ mounts: [{ ...mount, source: '/nowhere', target: '/x' }] })).rejects.toThrow(
      'error mounting "/nowhere": no such file or directory',
    );
  });
});

describe('exec', () => {
  test('relays stdio and the exit status, confined like the container', async () => {
    await using rig = await ContainerRig.create();
    const container = await rig.shell('exec sleep 1000', { user: 'app' });
    const streams = await rig.runtime.exec({
      container,
      cgroup: container.request.cgroup,
      command: [
        'sh',
        '-c',
        'cat; id -u >&2; grep -E "CapBnd|Seccomp:" /proc/self/status; cat /proc/self/cgroup; exit 7',
      ],
      stdin: true,
      tty: false,
    });
    streams.stdin?.end('from outside\n');
    const [out, err] = await Promise.all([read(streams.stdout), read(streams.stderr!)]);
    expect(out).toBe(
      'from outside\nCapBnd:\t00000000a80425fb\nSeccomp:\t2\n0::/\n'.replace(
        '0::/\n',
        out.slice(out.indexOf('Seccomp:\t2\n') + 11),
      ),
    );
    expect(out).toContain('0::/\n');
    expect(err).toBe('1000\n');
    expect(await streams.exited).toEqual({ code: 7 });
    await rig.runtime.signal(container, 9);
  });

  test('carries megabytes in both directions', async () => {
    await using rig = await ContainerRig.create();
    const container = await rig.shell('exec sleep 1000');
    const streams = await rig.runtime.exec({
      container,
      cgroup: container.request.cgroup,
      command: ['cat'],
      stdin: true,
      tty: false,
    });
    const data = 'x'.repeat(5_000_000);
    streams.stdin?.end(data);
    expect((await read(streams.stdout)).length).toBe(data.length);
    expect(await streams.exited).toEqual({ code: 0 });
  });

  test('a terminal that is resized until the command has ended: its result is heard all the same', async () => {
    await using rig = await ContainerRig.create();
    const container = await rig.shell('exec sleep 1000');
    for (let i = 0; i < 40; i++) {
      const streams = await rig.runtime.exec({
        container,
        cgroup: container.request.cgroup,
        command: ['sh', '-c', 'exit 7'],
        stdin: false,
        tty: true,
      });
      const resizing = setInterval(() => streams.resize(80, 24), 0);
      streams.stdout.on('data', () => streams.resize(81, 25));
      expect(await streams.exited.finally(() => clearInterval(resizing))).toMatchObject({ code: 7 });
      streams.close();
    }
  });

  test('with a terminal: a tty of the given size, resized', async () => {
    await using rig = await ContainerRig.create();
    const container = await rig.shell('exec sleep 1000');
    const streams = await rig.runtime.exec({
      container,
      cgroup: container.request.cgroup,
      command: ['sh', '-c', 'tty; echo $TERM; stty size; read x; stty size; test -t 2 && echo yes'],
      stdin: true,
      tty: true,
    });
    expect(streams.stderr).toBeUndefined();
    expect(await readUntil(keep(streams.stdout), '24 80')).toContain('/dev/pts/0');
    streams.resize(132, 43);
    streams.stdin?.write('\n');
    expect(await read(streams.stdout)).toMatch(/43 132\s+yes/);
    expect(await streams.exited).toEqual({ code: 0 });
  });

  test('that cannot start rejects, and closing ends the command', async () => {
    await using rig = await ContainerRig.create();
    const container = await rig.shell('exec sleep 1000');
    const exec = (command: string[]) =>
      rig.runtime.exec({ container, cgroup: container.request.cgroup, command, stdin: false, tty: false });
    await expect((await exec(['nope'])).exited).rejects.toThrow(
      new StartError('exec: "nope": executable file not found in $PATH'),
    );
    const streams = await exec(['sh', '-c', 'echo up; sleep 999']);
    await readUntil(keep(streams.stdout), 'up');
    streams.close();
    await expect
      .poll(() => readFileSync(join(container.request.cgroup, 'cgroup.procs'), 'utf8').trim().split('\n').length)
      .toBe(1);
  });
});

describe('attach', () => {
  test('fans output out and feeds stdin; stdinOnce ends it', async () => {
    await using rig = await ContainerRig.create();
    const container = await rig.shell('echo ready; cat; echo bye', { stdin: true, stdinOnce: true });
    const [one, two] = await Promise.all([
      rig.runtime.attach(container, { stdin: true, tty: false }),
      rig.runtime.attach(container, { stdin: false, tty: false }),
    ]);
    one.stdin?.end('words\n');
    const outputs = await Promise.all([read(one.stdout), read(two.stdout)]);
    expect(outputs.every(output => output.endsWith('words\nbye\n'))).toBe(true);
    expect(await one.exited).toEqual({ code: 0 });
  });

  test('a client that does not read is dropped, and the container goes on', async () => {
    await using rig = await ContainerRig.create();
    const container = await rig.shell('read x; head -c 8000000 /dev/zero; exit 4', { stdin: true });
    const client = await rig.runtime.attach(container, { stdin: true, tty: false });
    client.stdin?.write('go\n');
    expect(await container.exited()).toMatchObject({ code: 4 });
    client.close();
    await expect(client.exited).rejects.toThrow('detached');
  });

  test('to a terminal', async () => {
    await using rig = await ContainerRig.create();
    const container = await rig.shell('read x; stty size; tty; ls /dev/console', { tty: true, stdin: true });
    const client = await rig.runtime.attach(container, { stdin: true, tty: true });
    client.resize(100, 50);
    client.stdin?.write('go\n');
    const output = await read(client.stdout);
    expect(output).toContain('50 100');
    expect(output).toContain('/dev/pts/0');
    expect(await client.exited).toEqual({ code: 0 });
  });
});

describe('after a restart of the agent', () => {
  test('a running container is adopted and its exit is seen', async () => {
    await using rig = await ContainerRig.create();
    const container = await rig.shell('read x; exit 5', { stdin: true });
    const again = await rig.runtime.adopt(container.directory);
    expect(again).toMatchObject({ id: container.id, process: container.process, startedAt: container.startedAt });
    const client = await rig.runtime.attach(again, { stdin: true, tty: false });
    client.stdin?.write('\n');
    expect(await again.exited()).toMatchObject({ code: 5 });
    client.close();
  });

  test('an ended one has its record', async () => {
    await using rig = await ContainerRig.create();
    const container = await rig.shell('exit 6');
    const exit = await container.exited();
    expect(await (await rig.runtime.adopt(container.directory)).exited()).toEqual(exit);
  });

  test('one whose shim died is lost, and does not run on', async () => {
    await using rig = await ContainerRig.create();
    const container = await rig.shell('exec sleep 1000');
    const shim = JSON.parse(readFileSync(join(container.directory, 'started.json'), 'utf8')).shimPid;
    process.kill(shim, 'SIGKILL');
    expect(await container.exited()).toMatchObject({ code: 255, lost: true });
    const again = await rig.runtime.adopt(container.directory);
    expect(await again.exited()).toMatchObject({ lost: true });
  });

  test('broken records are a lost container, not an error', async () => {
    await using rig = await ContainerRig.create();
    const container = await rig.shell('exit 0');
    await container.exited();
    writeFileSync(
      join(container.directory, 'exit.json'),
      readFileSync(join(container.directory, 'exit.json'), 'utf8').replace('"code":0', '"code":1'),
    );
    expect(await (await rig.runtime.adopt(container.directory)).exited()).toMatchObject({ lost: true });
    writeFileSync(join(container.directory, 'attempt.json'), '{');
    expect(await (await rig.runtime.adopt(container.directory)).exited()).toMatchObject({ lost: true });
    expect(await (await rig.runtime.adopt('/nowhere')).exited()).toMatchObject({ lost: true });
  });
});

test('the log is opened anew after it was renamed', async () => {
  await using rig = await ContainerRig.create();
  const container = await rig.shell('echo one; read x; echo two', { stdin: true });
  const path = container.request.logPath;
  await expect.poll(() => readFileSync(path, 'utf8')).toContain('one');
  renameSync(path, `${path}.1`);
  await rig.runtime.reopenLog(container);
  const client = await rig.runtime.attach(container, { stdin: true, tty: false });
  client.stdin?.write('\n');
  await container.exited();
  expect(linesOf(path)).toEqual(['two']);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  client.close();
});
