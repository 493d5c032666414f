import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createMemoryStore } from '../../src/store/memory.js';
import { openSqliteStore } from '../../src/store/sqlite.js';
import { storeSuite } from '../suites/store.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keelson-store-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

storeSuite('memory', async () => createMemoryStore());
storeSuite('sqlite', () => openSqliteStore({ file: join(folder, 'db') }));

describe('sqlite on disk', () => {
  const commit = { compares: [], writes: [{ key: '/a', value: Buffer.from('1') }] };
  const file = () => join(folder, 'db');

  test('content, revision and incarnation survive closing', async () => {
    const first = await openSqliteStore({ file: file() });
    await first.commit(commit);
    await first.commit({ compares: [], writes: [{ key: '/a', delete: true }] });
    const { revision, incarnation } = first;
    await first.compact(revision);
    await first.close();
    const second = await openSqliteStore({ file: file() });
    expect([second.revision, second.incarnation, second.get('/a')]).toEqual([revision, incarnation, undefined]);
    await second.close();
  });

  test('a second opener is refused by name', async () => {
    const first = await openSqliteStore({ file: file() });
    await expect(openSqliteStore({ file: file() })).rejects.toThrow(/in use by another process/);
    await first.close();
  });

  test('a copied database is another incarnation', async () => {
    const first = await openSqliteStore({ file: file() });
    await first.commit(commit);
    await first.close();
    copyFileSync(file(), join(folder, 'copy'));
    rmSync(file());
    copyFileSync(join(folder, 'copy'), join(folder, 'db2'));
    const second = await openSqliteStore({ file: join(folder, 'db2') });
    expect(second.incarnation).not.toBe(first.incarnation);
    expect(second.get('/a')).toBeDefined();
    await second.close();
  });

  test('another schema version, a damaged file and a lost file are told apart', async () => {
    await (await openSqliteStore({ file: file() })).close();
    const db = new BetterSqlite3(file());
    db.pragma('user_version = 9');
    db.close();
    await expect(openSqliteStore({ file: file() })).rejects.toThrow(/schema version 9; this program reads version 1/);
    writeFileSync(join(folder, 'junk'), 'x'.repeat(5000));
    await expect(openSqliteStore({ file: join(folder, 'junk') })).rejects.toThrow(/not a database/);
    writeFileSync(join(folder, 'lost-wal'), 'x');
    await expect(openSqliteStore({ file: join(folder, 'lost') })).rejects.toThrow(/is missing, but/);
  });

  test('writes after closing are refused', async () => {
    const store = await openSqliteStore({ file: file() });
    await store.close();
    await expect(store.commit(commit)).rejects.toThrow(/closed/);
    await store.close();
  });
});
