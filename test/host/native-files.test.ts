/** writeFiles: several steps on the file system in one trip of the addon. */
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { KernelError, writeFiles } from '../../native/index.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keelson-files-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const modeOf = (path: string) => statSync(path).mode & 0o7777;

test('directories with their parents, files with exactly their mode, in order', async () => {
  await writeFiles([
    { op: 'directory', path: join(folder, 'a/b'), mode: 0o700 },
    { op: 'write', path: join(folder, 'a/b/words'), data: 'first', mode: 0o666 },
    { op: 'write', path: join(folder, 'a/b/words'), data: 'æ', mode: 0o666 },
    { op: 'sync', path: join(folder, 'a/b/words') },
    { op: 'sync', path: join(folder, 'a/b') },
  ]);
  expect(readFileSync(join(folder, 'a/b/words'), 'utf8')).toBe('æ');
  expect(modeOf(join(folder, 'a/b/words'))).toBe(0o666);
  expect(modeOf(join(folder, 'a'))).toBe(0o700);
});

test('replace leaves no temporary file, also when many replace one file at once', async () => {
  const path = join(folder, 'record.json');
  const texts = Array.from({ length: 50 }, (_, i) => String(i).repeat(1000));
  await Promise.all(texts.map(data => writeFiles([{ op: 'replace', path, data, mode: 0o600 }])));
  expect(texts).toContain(readFileSync(path, 'utf8'));
  expect(readdirSync(folder)).toEqual(['record.json']);
});

test('write keeps the inode, replace gives a new one', async () => {
  const path = join(folder, 'hosts');
  writeFileSync(path, 'a longer text than the next');
  const { ino } = statSync(path);
  await writeFiles([{ op: 'write', path, data: 'short', mode: 0o644 }]);
  expect(readFileSync(path, 'utf8')).toBe('short');
  expect(statSync(path).ino).toBe(ino);
  await writeFiles([{ op: 'replace', path, data: 'new', mode: 0o644 }]);
  expect(statSync(path).ino).not.toBe(ino);
});

test('the first failure ends it, names the call and the path, and leaves nothing half-made', async () => {
  const failed = await writeFiles([
    { op: 'replace', path: join(folder, 'missing/record.json'), data: '{}', mode: 0o600 },
    { op: 'write', path: join(folder, 'never'), data: '', mode: 0o600 },
  ]).catch((error: unknown) => error);
  expect(failed).toBeInstanceOf(KernelError);
  expect(failed).toMatchObject({ syscall: 'open', code: 'ENOENT' });
  expect(existsSync(join(folder, 'never'))).toBe(false);
  await expect(writeFiles([{ op: 'replace', path: folder, data: '', mode: 0o600 }])).rejects.toMatchObject({
    syscall: 'rename',
  });
  expect(
    readdirSync(join(folder, '..')).filter(name => name.includes('.tmp') && name.includes(folder.split('/').pop()!)),
  ).toEqual([]);
});

test('a symbolic link is not written through', async () => {
  writeFileSync(join(folder, 'target'), 'kept');
  symlinkSync('target', join(folder, 'link'));
  await expect(writeFiles([{ op: 'write', path: join(folder, 'link'), data: 'x', mode: 0o600 }])).rejects.toMatchObject(
    { code: 'ELOOP' },
  );
  expect(readFileSync(join(folder, 'target'), 'utf8')).toBe('kept');
});
