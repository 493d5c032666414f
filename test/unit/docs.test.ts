/** What the documents say of the sources must be so. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { version } from '../../src/base/version.js';
import { repository } from '../helpers/cluster.js';

const read = (path: string) => readFileSync(join(repository, path), 'utf8');

test('every file that docs/architecture.md names on the way of a Pod exists', () => {
  const way = read('docs/architecture.md').split('## The way of one Pod')[1]?.split('\n## ')[0] ?? '';
  const named = [...way.matchAll(/`((?:src|agent|native|cni)\/[\w./-]+)`/g)].map(m => m[1] ?? '');
  expect(named.length).toBeGreaterThan(25);
  expect(named.filter(path => !existsSync(join(repository, path)))).toEqual([]);
});

test('every folder of the import table exists', () => {
  const table = read('docs/architecture.md').split('## Folders')[1]?.split('\n## ')[0] ?? '';
  const folders = [...table.matchAll(/^\| `([\w/]+\/)`/gm)].map(m => m[1] ?? '');
  expect(folders.length).toBeGreaterThan(10);
  expect(folders.filter(path => !existsSync(join(repository, path)))).toEqual([]);
});

test('every dependency has its reason in docs/dependencies.md, and the versions agree', () => {
  const manifest = JSON.parse(read('package.json')) as {
    version: string;
    dependencies: object;
    devDependencies: object;
  };
  const text = read('docs/dependencies.md');
  const names = [...Object.keys(manifest.dependencies), ...Object.keys(manifest.devDependencies)];
  expect(names.filter(name => !text.includes(name.startsWith('@types/') ? '@types/' : name))).toEqual([]);
  expect(version).toBe(manifest.version);
});

test('links between the documents lead somewhere', () => {
  for (const file of [
    'README.md',
    'CONTRIBUTING.md',
    'docs/architecture.md',
    'docs/dependencies.md',
    'docs/store.md',
    'docs/adding-a-kind.md',
  ]) {
    const targets = [...read(file).matchAll(/\]\((?!https?:)([^)#]+)/g)].map(m => m[1] ?? '');
    const base = file.startsWith('docs/') ? 'docs' : '.';
    expect(
      targets.filter(target => !existsSync(join(repository, base, target))),
      file,
    ).toEqual([]);
  }
});
