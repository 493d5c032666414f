/** A full disk: in a small tmpfs of a private mount namespace. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bundleProgram } from '../helpers/program.js';

test('a full disk refuses writes, keeps reads, and recovers by itself', { timeout: 60_000 }, async () => {
  const program = await bundleProgram('store-full');
  const folder = mkdtempSync(join(tmpdir(), 'keelson-full-'));
  try {
    const script = `mount -t tmpfs -o size=4m none "${folder}" && exec "${process.execPath}" "${program.path}" "${folder}"`;
    const output = execFileSync('unshare', ['-m', 'sh', '-c', script], { encoding: 'utf8', timeout: 50_000 });
    expect(JSON.parse(output)).toEqual({
      refused: expect.stringContaining('the disk of the store is full'),
      readable: true,
      again: true,
    });
  } finally {
    program.remove();
    rmSync(folder, { recursive: true, force: true });
  }
});
