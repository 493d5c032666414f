/** Killed at any moment, the store loses nothing that it acknowledged: 50 rounds of SIGKILL in the middle of writing. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSqliteStore } from '../../src/store/sqlite.js';
import { bundleProgram, type Program } from '../helpers/program.js';

const rounds = 50;
let program: Program;
let folder: string;

beforeAll(async () => {
  program = await bundleProgram('store-writer');
  folder = mkdtempSync(join(tmpdir(), 'keelson-crash-'));
});
afterAll(() => {
  program?.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs one writer and kills it after it has told `acks` acknowledgements. Its complete lines. */
function writeAndKill(
  file: string,
  round: number,
  acks: number,
  environment: NodeJS.ProcessEnv = {},
): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program.path, file, String(round)], {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let text = '';
    let errors = '';
    let heard = 0;
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      heard += part.split('ack ').length - 1;
      if (heard >= acks) child.kill('SIGKILL');
    });
    child.stderr.setEncoding('utf8').on('data', (part: string) => (errors += part));
    child.on('close', (code, signal) => {
      if (signal !== 'SIGKILL') reject(new Error(`writer ended by itself (${code}): ${errors}`));
      // the last line may be cut: then it was not told
      else resolve(text.split('\n').slice(0, -1));
    });
  });
}

/** What must be true after a round, given what was told before. */
function check(lines: readonly string[], before: number): { latest: Map<string, [string, number]>; highest: number } {
  const latest = new Map<string, [string, number]>();
  let saw = before;
  let highest = before;
  for (const line of lines) {
    const [what, ...rest] = line.split(' ');
    if (what === 'open') {
      expect(Number(rest[0]), 'the revision never goes back').toBeGreaterThanOrEqual(before);
      saw = Number(rest[0]);
      highest = Math.max(highest, saw);
    } else if (what === 'saw') {
      expect(Number(rest[0]), 'a watcher sees every revision once').toBe(saw + 1);
      saw++;
    } else {
      const [key = '', value = '', revision = ''] = rest;
      highest = Math.max(highest, Number(revision));
      latest.set(key, [value, Number(revision)]);
    }
  }
  return { latest, highest };
}

test(`${rounds} kills lose nothing acknowledged`, { timeout: 110_000 }, async () => {
  const file = join(folder, 'db');
  let highest = 1;
  let told = 0;
  for (let round = 0; round < rounds; round++) {
    // from the very first acknowledgement to thousands: every phase of writing, compacting and checkpointing
    const lines = await writeAndKill(file, round, 1 + ((round * 37) % 400));
    const result = check(lines, highest);
    highest = result.highest;
    told += lines.length;
    const store = await openSqliteStore({ file });
    expect(store.revision).toBeGreaterThanOrEqual(highest);
    for (const [key, [value, revision]] of result.latest) {
      const entry = store.get(key)!;
      expect(entry, `${key} was acknowledged at ${revision}`).toBeDefined();
      if (entry.modRevision === revision) expect(entry.value.toString()).toBe(value);
      else expect(entry.modRevision, `${key} is at least as new as acknowledged`).toBeGreaterThan(revision);
    }
    const seen: number[] = [];
    store.subscribe(store.compacted, changes => seen.push(changes[0]!.revision)).close();
    expect(seen, 'the stored stream has no gap').toEqual(seen.map((_, i) => store.revision - seen.length + 1 + i));
    highest = store.revision;
    await store.close();
  }
  expect(told).toBeGreaterThan(5000);
});

test.each(['store.beforeCommit', 'store.afterFsync'])(
  'a crash at %s leaves a sound store',
  { timeout: 30_000 },
  async point => {
    const file = join(folder, point);
    await (await openSqliteStore({ file })).close();
    const lines = await writeAndKill(file, 0, Number.POSITIVE_INFINITY, { KEELSON_FAILPOINTS: `${point}=crash` });
    expect(lines.filter(line => line.startsWith('ack'))).toEqual([]);
    const store = await openSqliteStore({ file });
    // after the fsync the commit is there, although nobody was told
    expect(store.revision > 1).toBe(point === 'store.afterFsync');
    await store.close();
  },
);
