/** A configuration of foreign plugins that comes after the agent's start. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ConfWatch } from '../../agent/network/conf-watch.js';

test('it is told of, also in a folder that was not there; the one that is used is not', async () => {
  const root = mkdtempSync(join(tmpdir(), 'kt-conf-'));
  const folder = join(root, 'cni/net.d');
  const told: string[] = [];
  const watch = new ConfWatch(folder, words => told.push(words));
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'readme'), 'no configuration');
    writeFileSync(join(folder, '10-a.conflist'), '{"cniVersion":"1.0.0","name":"a","plugins":[{"type":"bridge"}]}');
    await expect.poll(() => told).toEqual([expect.stringContaining('10-a.conflist (network "a") is taken only when')]);
    writeFileSync(join(folder, '10-a.conflist'), '{');
    await expect.poll(() => told.length).toBe(2);
    expect(told[1]).toMatch(/^Cannot use .*10-a\.conflist/);
  } finally {
    watch.close();
    rmSync(root, { recursive: true });
  }
});
