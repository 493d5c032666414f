/** Removal of trees that containers have made (native/addon/remove_tree.cc). */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { removeTrees } from '../../native/index.js';

let root: string;
beforeEach(() => {
  root = mkdtempSync('/tmp/keelson-remove-');
});
afterEach(() => rm(root, { recursive: true, force: true }));

test('files, directories without rights, sockets and links go; what links point to stays', async () => {
  mkdirSync(join(root, 'outside'));
  writeFileSync(join(root, 'outside/kept'), 'x');
  mkdirSync(join(root, 'tree/a/b'), { recursive: true });
  writeFileSync(join(root, 'tree/a/file'), 'x');
  linkSync(join(root, 'outside/kept'), join(root, 'tree/a/hard'));
  symlinkSync(join(root, 'outside'), join(root, 'tree/a/link'));
  symlinkSync('nowhere', join(root, 'tree/dangling'));
  execFileSync('mkfifo', [join(root, 'tree/fifo')]);
  chmodSync(join(root, 'tree/a/b'), 0);
  await removeTrees([join(root, 'tree'), join(root, 'missing'), join(root, 'missing/below')]);
  expect(readdirSync(root)).toEqual(['outside']);
  expect(readdirSync(join(root, 'outside'))).toEqual(['kept']);
});

test('a path that is a link goes itself, not what it leads to', async () => {
  mkdirSync(join(root, 'outside'));
  symlinkSync(join(root, 'outside'), join(root, 'link'));
  await removeTrees([join(root, 'link')]);
  expect(readdirSync(root)).toEqual(['outside']);
});

test('a tree deeper than a path can be long', async () => {
  // perl, because a shell looks at the whole path with every step
  const script = 'for (1..3000) { mkdir "dd"; chdir "dd"; open(F, ">half") if $_ == 1500; } open(F, ">bottom");';
  mkdirSync(join(root, 'deep'));
  execFileSync('perl', ['-e', script], { cwd: join(root, 'deep') });
  await removeTrees([join(root, 'deep')]);
  expect(existsSync(join(root, 'deep'))).toBe(false);
});

test('a mount in the way is detached, and what is in it stays', async () => {
  mkdirSync(join(root, 'tree/point'), { recursive: true });
  mkdirSync(join(root, 'data'));
  writeFileSync(join(root, 'data/kept'), 'x');
  execFileSync('mount', ['--bind', join(root, 'data'), join(root, 'tree/point')]);
  await removeTrees([join(root, 'tree')]);
  expect(readdirSync(root)).toEqual(['data']);
  expect(readdirSync(join(root, 'data'))).toEqual(['kept']);
});

test('what cannot go is named, with the call and the reason', async () => {
  mkdirSync(join(root, 'tree'));
  writeFileSync(join(root, 'tree/fixed'), 'x');
  execFileSync('chattr', ['+i', join(root, 'tree/fixed')]);
  try {
    await expect(removeTrees([join(root, 'tree')])).rejects.toThrow(/unlinkat for .*tree.*fixed: EPERM/);
  } finally {
    execFileSync('chattr', ['-i', join(root, 'tree/fixed')]);
  }
});
