import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freeBase, idBaseOf, idMapProblem, rangeLength } from '../../agent/pods/id-ranges.js';

test('the lowest range that nobody has, never the node’s own', () => {
  expect(freeBase(new Set())).toBe(rangeLength);
  expect(freeBase(new Set([rangeLength, 3 * rangeLength]))).toBe(2 * rangeLength);
  const all = new Set(Array.from({ length: 65_535 }, (_, i) => i * rangeLength));
  expect(() => freeBase(all)).toThrow(RangeError);
});

test('a pod keeps its range; two that come at once have different ones; one that is gone leaves its own', async () => {
  const pods = mkdtempSync(join(tmpdir(), 'keelson-ids-'));
  try {
    const directories = ['a', 'b', 'c'].map(name => join(pods, name));
    for (const directory of directories) mkdirSync(directory);
    const bases = await Promise.all(directories.map(directory => idBaseOf(pods, directory)));
    expect(new Set(bases).size).toBe(3);
    expect(await idBaseOf(pods, directories[1]!)).toBe(bases[1]);
    rmSync(directories[0]!, { recursive: true });
    mkdirSync(join(pods, 'd'));
    expect(await idBaseOf(pods, join(pods, 'd'))).toBe(bases[0]);
  } finally {
    rmSync(pods, { recursive: true });
  }
});

test.each([
  ['6.18.1', undefined],
  ['7.0.0-rc1', undefined],
  ['6.15.0', undefined],
  [
    '6.1.0-40-amd64',
    'spec.hostUsers: false needs Linux 6.15 or later for idmapped image layers; this node runs 6.1.0-40-amd64',
  ],
])('kernel %s', (release, problem) => {
  expect(idMapProblem(release)).toBe(problem);
});
