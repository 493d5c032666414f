/** The two native calls behind devices and local storage: the device program of a group, and what a tree takes on disk. */
import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Inventory } from '../../agent/devices/allocate.js';
import { PluginFiles } from '../../agent/devices/plugin-files.js';
import { cgroupDevices, cgroupRemove, diskUsage, KernelError } from '../../native/index.js';
import { cgroupMount, eventually } from '../helpers/cluster.js';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'kt-devices-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('the device program', () => {
  const group = join(cgroupMount(), `keelson-devices-${process.pid}`);
  beforeEach(() => mkdirSync(group));
  afterEach(() => cgroupRemove(group));
  /** Exit code of a command in the group. */
  const inGroup = (command: string): boolean => {
    try {
      execFileSync('sh', ['-c', `echo $$ > ${group}/cgroup.procs && exec 2>&- && ${command}`], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  };

  test('allows what one rule allows whole, and nothing else', async () => {
    const made = join(directory, 'made');
    await cgroupDevices(group, [
      { type: 'a', access: 'm' },
      { type: 'c', major: 1, minor: 5, access: 'r' },
      { type: 'c', major: 1, minor: 3, access: 'rw' },
    ]);
    expect(inGroup('head -c 1 /dev/zero > /dev/null')).toBe(true);
    expect(inGroup('echo x > /dev/zero')).toBe(false);
    expect(inGroup('head -c 1 /dev/urandom > /dev/null')).toBe(false);
    expect(inGroup(`mknod ${made} c 1 8`)).toBe(true);
    expect(inGroup(`head -c 1 ${made} > /dev/null`)).toBe(false);
  });

  test('no rule allows nothing; a group that is not there is an error with its name', async () => {
    await cgroupDevices(group, []);
    expect(inGroup('true < /dev/null')).toBe(false);
    const error = await cgroupDevices(`${group}-none`, []).catch((e: unknown) => e as KernelError);
    expect(error).toBeInstanceOf(KernelError);
    expect(String(error)).toMatch(/keelson-devices-\d+-none: ENOENT/);
  });
});

test('disk usage: blocks, each file once, no links followed, 0 for what is not there', async () => {
  const tree = join(directory, 'tree');
  mkdirSync(join(tree, 'below'), { recursive: true });
  writeFileSync(join(tree, 'below', 'file'), Buffer.alloc(1 << 20, 1));
  linkSync(join(tree, 'below', 'file'), join(tree, 'again'));
  symlinkSync('/', join(tree, 'root'));
  const [bytes = 0, none] = await diskUsage([tree, join(directory, 'none')]);
  const expected = Number(execFileSync('du', ['-s', '-B1', tree], { encoding: 'utf8' }).split('\t')[0]);
  expect(bytes).toBe(expected);
  expect(none).toBe(0);
});

test('files and nodes are followed: what comes, what goes, what makes no sense', async () => {
  const seen: Inventory[] = [];
  const problems: string[] = [];
  const folder = join(directory, 'devices.d');
  const files = new PluginFiles({
    directory: folder,
    onChange: inventory => seen.push(inventory),
    onProblem: message => problems.push(message),
  });
  const newest = () =>
    seen
      .at(-1)
      ?.get('vendor.com/x')
      ?.map(({ id, healthy }) => `${id}:${healthy}`);
  const text = `resource: vendor.com/x\ndevices: [{ id: a, nodes: [{ hostPath: ${directory}/a }] }, { id: b }]`;
  try {
    await files.start();
    writeFileSync(join(folder, 'x.yaml'), text);
    await eventually('it is read', async () => newest()?.join() === 'a:false,b:true');
    execFileSync('mknod', [join(directory, 'a'), 'c', '1', '3']);
    await files.scan();
    expect(newest()).toEqual(['a:true', 'b:true']);
    writeFileSync(join(folder, 'x.yaml'), '{');
    writeFileSync(join(folder, 'y.yaml'), text);
    await eventually('it is told', async () => problems.length >= 2);
    expect(newest()).toEqual(['a:true', 'b:true']);
    rmSync(join(folder, 'x.yaml'));
    rmSync(join(folder, 'y.yaml'));
    await eventually('they are gone', async () => newest() === undefined);
  } finally {
    await files.close();
  }
});
