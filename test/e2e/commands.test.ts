/** The commands beside the cluster: sandbox, doctor, reset, image, inspect, help. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { processStartTime } from '../../src/base/process-lock.js';
import { Cluster, cgroupMount, eventually, repository } from '../helpers/cluster.js';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.create({});
  await cluster.importImages();
});
afterAll(async () => cluster[Symbol.asyncDispose]());

describe('keelson sandbox run', () => {
  const sandbox = (...words: string[]) =>
    cluster.keelson('sandbox', 'run', '--image', 'localhost/busybox:1', '--data-dir', cluster.dataDir, ...words);

  test('runs a command in namespaces of its own, passes output and exit code, leaves nothing', async () => {
    const result = await sandbox(
      '--hostname',
      'lonely',
      '--',
      'sh',
      '-c',
      'hostname; ip -o link | wc -l; echo $$; exit 9',
    );
    expect(result).toMatchObject({ code: 9, stdout: 'lonely\n1\n1\n' });
    expect(result.stderr).toMatch(/net\s+net:\[\d+\]\s+net:\[\d+\]/);
    expect(readdirSync(cgroupMount()).filter(name => name.startsWith('keelson-sandbox'))).toEqual([]);
    expect(readdirSync('/tmp').filter(name => name.startsWith('keelson-sandbox'))).toEqual([]);
  });

  test('an image that is not there is said in one line', async () => {
    const { code, stderr } = await cluster.keelson(
      'sandbox',
      'run',
      '--image',
      'none:1',
      '--data-dir',
      cluster.dataDir,
      '--',
      'true',
    );
    expect(code).toBe(1);
    expect(stderr).toBe('keelson: image "none:1" is not here\n  bring it with: keelson image import FILE\n');
  });
});

test('keelson doctor tells what this kernel has, for people and for scripts', async () => {
  const { stdout } = await cluster.keelson('doctor', '-o', 'json');
  const { findings } = JSON.parse(stdout) as { findings: { what: string; level: string }[] };
  expect(findings.map(f => f.what)).toEqual(
    expect.arrayContaining(['kernel', 'namespaces', 'cgroup v2', 'overlayfs', 'nftables', 'ip_vs']),
  );
  expect(findings.filter(f => f.level === 'missing')).toEqual([]);
  expect((await cluster.keelson('doctor')).stdout).toMatch(/^ok\s+machine/);
});

test('keelson image ls lists what was imported', async () => {
  const { stdout } = await cluster.keelson('image', 'ls', '--data-dir', cluster.dataDir, '-o', 'json');
  expect(JSON.parse(stdout)).toMatchObject([{ references: ['localhost/busybox:1'] }]);
});

describe('keelson reset', () => {
  test('shows what it would remove, and removes it only with --yes', async () => {
    const kept = mkdtempSync('/tmp/kt-reset-');
    const flags = ['reset', '--isolated', 'kt-none', '--data-dir', join(kept, 'data'), '--run-dir', join(kept, 'run')];
    await cluster.ok(
      cluster.keelson('image', 'import', join(repository, '.cache/images/busybox'), '--data-dir', join(kept, 'data')),
    );
    expect((await cluster.keelson(...flags)).stdout).toContain(`would remove ${join(kept, 'data')}`);
    expect(existsSync(join(kept, 'data'))).toBe(true);
    expect((await cluster.keelson(...flags, '--yes')).stdout).toContain('nothing of Keelson is left');
    expect(existsSync(join(kept, 'data'))).toBe(false);
    // again is success
    expect((await cluster.keelson(...flags, '--yes')).code).toBe(0);
    rmSync(kept, { recursive: true });
  });

  test('takes away a node whose processes were all killed', async () => {
    await using doomed = await Cluster.create({});
    await doomed.up();
    await doomed.importImages();
    await doomed.apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p' },
      spec: { containers: [{ name: 'c', image: 'localhost/busybox:1', command: ['sleep', '1000'] }] },
    });
    await doomed.kubectl('wait', '--for=condition=Ready', 'pod/p', '--timeout=60s');
    const refused = await doomed.keelson('reset', ...doomed.flags, '--yes');
    expect(refused.stderr).toMatch(/process \d+ still works in/);
    const roles = [doomed.pidOf('controller'), doomed.pidOf('agent')];
    await doomed.down('SIGKILL');
    for (const pid of roles) process.kill(pid, 'SIGKILL');
    await eventually('both are dead', async () => roles.every(pid => processStartTime(pid) === undefined));
    const done = await doomed.keelson('reset', ...doomed.flags, '--yes');
    expect(done.stdout).toContain('nothing of Keelson is left');
    expect(doomed.leftovers()).toEqual([]);
  });
});

/** Names in the list of commands of a help text. */
function commandsOf(help: string): string[] {
  const list = help.split('Commands:\n')[1]?.split('\n\n')[0] ?? '';
  return [...list.matchAll(/^ {2}([a-z]+)(?: |$)/gm)].map(m => m[1] ?? '').filter(name => name !== 'help');
}

test('every command has --help with an example', async () => {
  const help = async (...words: string[]) => (await cluster.keelson(...words, '--help')).stdout;
  const names = commandsOf(await help());
  expect(names).toEqual(
    expect.arrayContaining([
      'up',
      'controller',
      'agent',
      'image',
      'inspect',
      'doctor',
      'enter',
      'sandbox',
      'token',
      'reset',
    ]),
  );
  for (const name of names) {
    const text = await help(name);
    const inner = commandsOf(text);
    const texts = inner.length > 0 ? await Promise.all(inner.map(word => help(name, word))) : [text];
    for (const each of texts) expect(each, name).toContain('Example:');
  }
});
