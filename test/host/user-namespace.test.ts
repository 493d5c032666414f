/** Pods with a user namespace: who they are inside and on the node, what their disk looks like, what they can do. */
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { ContainerRig } from '../helpers/container-rig.js';

const idBase = 7 * 65536;

async function run(rig: ContainerRig, script: string, changes: Parameters<ContainerRig['shell']>[1] = {}) {
  const container = await rig.shell(script, { idBase, ...changes });
  const exit = await container.exited();
  const lines = readFileSync(container.request.logPath, 'utf8')
    .trimEnd()
    .split('\n')
    .map(line => line.split(' ').slice(3).join(' '));
  return { exit, lines, upper: join(container.directory, 'upper') };
}

for (const sharePid of [false, true]) {
  test(`root inside is nobody outside; files of the image are root's (shared processes: ${sharePid})`, async () => {
    await using rig = await ContainerRig.create({ sharePid, idBase });
    const { lines, exit, upper } = await run(
      rig,
      'id -u; cat /proc/self/uid_map; stat -c "%u:%g" / /bin/busybox /etc /proc/1 /sys /dev/null; echo $$; touch /made; chown 5:6 /made; hostname x && hostname; mount -t tmpfs t /tmp && echo mounted',
      { sharePid, capabilities: ['SYS_ADMIN', 'CHOWN'], seccomp: 'unconfined' },
    );
    const [uid, map, ...owners] = lines;
    expect([uid, map?.trim().split(/\s+/)]).toEqual(['0', ['0', String(idBase), '65536']]);
    expect(owners.slice(0, 4)).toEqual(['0:0', '0:0', '0:0', '0:0']);
    // the node's own device
    expect(owners[5]).toBe('65534:65534');
    if (!sharePid) expect(owners[6]).toBe('1');
    expect(owners.slice(7)).toEqual(['x', 'mounted']);
    expect(exit.code).toBe(0);
    expect(statSync('/dev/null').uid).toBe(0);
    const made = statSync(join(upper, 'made'));
    expect([made.uid, made.gid]).toEqual([idBase + 5, idBase + 6]);
  });
}

test('volumes keep the IDs that they have on disk', async () => {
  await using rig = await ContainerRig.create({ idBase });
  const source = join(rig.directory, 'volume');
  mkdirSync(source);
  chmodSync(source, 0o777);
  writeFileSync(join(source, 'old'), 'x', { mode: 0o600 });
  const { lines } = await run(rig, 'stat -c "%u" /v/old; cat /v/old; echo; touch /v/new; stat -c "%u:%g" /v/new', {
    user: '1000:1001',
    mounts: [{ source, target: '/v', readOnly: false, propagation: 'private' }],
  });
  expect(lines[0]).toBe('0');
  expect(lines[1]).toMatch(/Permission denied/);
  expect(lines.at(-1)).toBe('1000:1001');
  const { uid, gid } = statSync(join(source, 'new'));
  expect([uid, gid]).toEqual([1000, 1001]);
});

test('a command in it runs as the container does, with a terminal too', async () => {
  await using rig = await ContainerRig.create({ idBase });
  const container = await rig.shell('sleep 1000', { idBase, user: '1000' });
  for (const tty of [false, true]) {
    const streams = await rig.runtime.exec({
      container,
      cgroup: container.request.cgroup,
      command: ['sh', '-c', 'id -u; readlink /proc/self/ns/user; readlink /proc/1/ns/user'],
      stdin: false,
      tty,
    });
    const [uid, own, first] = (await text(streams.stdout as Readable)).trim().split(/\r?\n/);
    expect([uid, own]).toEqual(['1000', first]);
    expect((await streams.exited).code).toBe(0);
  }
});

test('its terminal and its stdin work', async () => {
  await using rig = await ContainerRig.create({ idBase });
  const { exit, lines } = await run(rig, 'tty; test -t 1 && echo terminal; echo again > /dev/stdout', { tty: true });
  expect(lines.map(line => line.trim())).toEqual(
    ['/dev/console', 'terminal', 'again'].map(line => expect.stringContaining(line.slice(0, 4))),
  );
  expect(exit.code).toBe(0);
});

test('a start that fails says why and leaves nothing', async () => {
  await using rig = await ContainerRig.create({ idBase });
  await expect(rig.start({ idBase, argv: ['/missing'] })).rejects.toThrow(/no such file/);
  await expect(rig.start({ idBase, user: 'nobody-here' })).rejects.toThrow(/unable to find user/);
});
