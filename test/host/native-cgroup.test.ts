/** cgroup v2 through the addon, on whatever hierarchy is there. */
import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import {
  cgroupApply,
  cgroupFreeze,
  cgroupKill,
  cgroupPids,
  cgroupRemove,
  cgroupStats,
  createSandbox,
  type KernelError,
  openProcess,
} from '../../native/index.js';
import { unifiedRoot, withCgroup } from '../helpers/cgroups.js';

const sandboxIn = (cgroup: string) =>
  createSandbox({ object: 'pod test/a', cgroup, namespaces: { net: false, ipc: false, uts: false, pid: false } });

test('a group is made with its parents and its files are written in order', async () => {
  await withCgroup(async cgroup => {
    const path = `${cgroup}/qos/pod1`;
    await cgroupApply({
      root: cgroup,
      path,
      controllers: [],
      files: [
        ['cgroup.max.depth', '3'],
        ['cgroup.max.descendants', '5'],
      ],
    });
    expect(readFileSync(`${path}/cgroup.max.depth`, 'utf8')).toBe('3\n');
    expect(readFileSync(`${path}/cgroup.max.descendants`, 'utf8')).toBe('5\n');
    await cgroupApply({ root: cgroup, path, controllers: [], files: [] });
  });
});

test('what cannot be applied fails with the file, the group and the value', async () => {
  await withCgroup(async cgroup => {
    const apply = (file: string, value: string) =>
      cgroupApply({ root: cgroup, path: `${cgroup}/a`, controllers: [], files: [[file, value]] });
    await expect(apply('no.such', '1')).rejects.toThrow(`open(no.such) for ${cgroup}/a/no.such: ENOENT`);
    await expect(apply('cgroup.max.depth', 'many')).rejects.toThrow(
      `write(cgroup.max.depth) for ${cgroup}/a/cgroup.max.depth: EINVAL (value "many")`,
    );
    await expect(cgroupApply({ root: `${cgroup}/x`, path: `${cgroup}/y`, controllers: [], files: [] })).rejects.toThrow(
      `expected a path below ${cgroup}/x`,
    );
    const cpu =
      existsSync(`${unifiedRoot()}/cgroup.controllers`) &&
      readFileSync(`${unifiedRoot()}/cgroup.controllers`, 'utf8').includes('cpu');
    if (!cpu)
      await expect(apply('cpu.max', '1000 100000')).rejects.toMatchObject({
        code: 'ENOENT',
        syscall: 'open(cpu.max)',
      } satisfies Partial<KernelError>);
  });
});

test('kill resolves when nobody lives in the group or below it any more', async () => {
  await withCgroup(async cgroup => {
    const pods = await Promise.all([1, 2, 3, 4, 5].map(i => sandboxIn(`${cgroup}/pod${i}/leaf`)));
    expect(await cgroupPids(`${cgroup}/pod1/leaf`)).toEqual([pods[0]!.pid]);
    await cgroupKill(cgroup);
    expect((await cgroupStats([cgroup]))[0]).toMatchObject({ populated: false });
    for (const pod of pods) expect(await pod.wait()).toEqual({ signal: 9 });
    await cgroupRemove(cgroup);
    expect(existsSync(cgroup)).toBe(false);
  });
});

test('a frozen group is frozen when told, can be thawed, and can be killed frozen', async () => {
  await withCgroup(async cgroup => {
    const pod = await sandboxIn(`${cgroup}/leaf`);
    await cgroupFreeze(cgroup, true);
    expect(readFileSync(`${cgroup}/cgroup.events`, 'utf8')).toContain('frozen 1');
    pod.signal(15);
    await cgroupFreeze(cgroup, false);
    expect(await pod.wait()).toEqual({ code: 0 });
    const second = await sandboxIn(`${cgroup}/leaf`);
    await cgroupFreeze(cgroup, true);
    await cgroupKill(cgroup);
    expect(await second.wait()).toEqual({ signal: 9 });
  });
});

test('a group that still has a process is not removed, and says why', async () => {
  await withCgroup(async cgroup => {
    const pod = await sandboxIn(`${cgroup}/leaf`);
    await expect(cgroupRemove(cgroup)).rejects.toThrow(`rmdir for ${cgroup}/leaf: EBUSY (a process lives in it)`);
    pod.signal(9);
    await pod.wait();
  });
});

test('a missing group: kill, freeze and remove succeed, statistics are null, pids are an error', async () => {
  const path = `${unifiedRoot()}/keelson-test-missing`;
  await cgroupKill(path);
  await cgroupFreeze(path, true);
  await cgroupRemove(path);
  expect(await cgroupStats([path])).toEqual([null]);
  await expect(cgroupPids(path)).rejects.toMatchObject({ code: 'ENOENT', object: `${path}/cgroup.procs` });
});

test('statistics of many groups come in one call, -1 where there is no controller', async () => {
  await withCgroup(async cgroup => {
    const paths = Array.from({ length: 50 }, (_, i) => `${cgroup}/g${i}`);
    await Promise.all(paths.map(path => cgroupApply({ root: cgroup, path, controllers: [], files: [] })));
    const pod = await sandboxIn(paths[7]!);
    const stats = await cgroupStats(paths);
    expect(stats.map(group => group?.populated)).toEqual(paths.map((_, i) => i === 7));
    expect(stats[7]!.cpuUsageUsec).toBeGreaterThanOrEqual(0);
    expect(openProcess(pod)?.pid).toBe(pod.pid);
    await cgroupKill(cgroup);
  });
});
