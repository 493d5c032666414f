/**
 * The writing half of the SQLite store: one connection, one thread, every transaction and every fsync.
 *
 * `runWriter` is started from its own source text (see sqlite.ts), so that the same code runs from `dist`, from a bundle
 * and under the test runner: it may use nothing but its parameters. It answers each batch with one message, after the
 * transaction's fsync, and never throws to the outside.
 */

import type { MessagePort } from 'node:worker_threads';
import type BetterSqlite3 from 'better-sqlite3';

export interface WriterOptions {
  readonly file: string;
  readonly lockFile: string;
  /** Absolute path from which better-sqlite3 is resolved. */
  readonly requireFrom: string;
}

export interface WireWrite {
  readonly key: string;
  /** Absent: delete. */
  readonly value?: Uint8Array;
}
export interface WireCommit {
  readonly compares: readonly { readonly key: string; readonly modRevision: number }[];
  readonly writes: readonly WireWrite[];
}
export interface WireEntry {
  readonly key: string;
  readonly value: Uint8Array;
  readonly createRevision: number;
  readonly modRevision: number;
}
export type WireResult =
  | {
      readonly ok: true;
      readonly revision: number;
      readonly changes: readonly {
        readonly write: number;
        readonly createRevision: number;
        readonly previous?: WireEntry;
      }[];
    }
  | { readonly ok: false; readonly key: string; readonly current?: WireEntry };

export type ToWriter =
  | { readonly do: 'commit'; readonly commits: readonly WireCommit[] }
  | { readonly do: 'compact'; readonly revision: number }
  | { readonly do: 'close' };

export type FromWriter =
  | { readonly t: 'open'; readonly incarnation: string; readonly revision: number; readonly compacted: number }
  | { readonly t: 'done'; readonly results: readonly WireResult[] }
  | { readonly t: 'compacted'; readonly revision: number }
  | { readonly t: 'closed' }
  /** `passing`: the next commit may do better; otherwise this writer takes no more. */
  | { readonly t: 'failed'; readonly code: string; readonly message: string; readonly passing?: boolean };

interface Modules {
  readonly Database: typeof BetterSqlite3;
  readonly fs: typeof import('node:fs');
  readonly crypto: typeof import('node:crypto');
  /** The next message that already waits, of `worker_threads`. */
  readonly receive: (port: MessagePort) => { message: ToWriter } | undefined;
}

export function runWriter(port: MessagePort, options: WriterOptions, { Database, fs, crypto, receive }: Modules): void {
  // No imports at run time: everything is inside.
  /** The schema's version, in SQLite's `user_version`. */
  const version = 1;
  const schema = `
    CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
    CREATE TABLE log (id INTEGER PRIMARY KEY, revision INTEGER NOT NULL, created INTEGER NOT NULL, previous INTEGER, key TEXT NOT NULL, value BLOB);
    CREATE INDEX log_revision ON log (revision);
    CREATE TABLE live (key TEXT PRIMARY KEY, id INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE garbage (revision INTEGER NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (revision, id)) WITHOUT ROWID;`;

  const fail = (code: string, message: string): never => {
    throw Object.assign(new Error(message), { code });
  };

  /** An exclusive SQLite lock on a file beside the database: the kernel lets go of it when the process dies. */
  function lock(): BetterSqlite3.Database {
    const held = new Database(options.lockFile, { timeout: 0 });
    try {
      held.pragma('locking_mode = EXCLUSIVE');
      held.exec('BEGIN EXCLUSIVE');
      return held;
    } catch (error) {
      held.close();
      if ((error as { code?: string }).code !== 'SQLITE_BUSY') throw error;
      return fail('LOCKED', `database ${options.file} is in use by another process`);
    }
  }

  function openDatabase(): BetterSqlite3.Database {
    const exists = fs.existsSync(options.file) && fs.statSync(options.file).size > 0;
    // A log without its database would be thrown away by SQLite: that is lost data, not a new cluster.
    if (!exists && fs.existsSync(`${options.file}-wal`))
      fail('CORRUPT', `database ${options.file} is missing, but ${options.file}-wal is there`);
    if (!exists) fs.closeSync(fs.openSync(options.file, 'a', 0o600));
    const opened = new Database(options.file, { timeout: 5000 });
    opened.pragma('journal_mode = WAL');
    opened.pragma('synchronous = FULL');
    opened.pragma('foreign_keys = ON');
    if (exists) check(opened);
    else create(opened);
    return opened;
  }

  function create(opened: BetterSqlite3.Database): void {
    opened.transaction(() => {
      opened.exec(schema);
      opened.pragma(`user_version = ${version}`);
      const put = opened.prepare('INSERT INTO meta VALUES (?, ?)');
      put.run('incarnation', crypto.randomUUID());
      put.run('revision', 1);
      put.run('compacted', 1);
    })();
    remember(opened);
  }

  /** A copied or restored file is another inode: its revisions may have been given out differently since. */
  function remember(opened: BetterSqlite3.Database): void {
    const { dev, ino, birthtimeMs } = fs.statSync(options.file);
    const file = `${dev}:${ino}:${birthtimeMs}`;
    const known = opened.prepare("SELECT value FROM meta WHERE name = 'file'").pluck().get();
    if (known === file) return;
    opened.transaction(() => {
      opened.prepare("INSERT OR REPLACE INTO meta VALUES ('file', ?)").run(file);
      if (known !== undefined)
        opened.prepare("UPDATE meta SET value = ? WHERE name = 'incarnation'").run(crypto.randomUUID());
    })();
  }

  function check(opened: BetterSqlite3.Database): void {
    const found = opened.pragma('user_version', { simple: true }) as number;
    // version 0 without tables: the process died between making the file and the first transaction
    if (found === 0 && opened.prepare('SELECT count(*) FROM sqlite_schema').pluck().get() === 0) {
      create(opened);
      return;
    }
    if (found !== version)
      fail('VERSION', `database ${options.file} has schema version ${found}; this program reads version ${version}`);
    const verdict = opened.pragma('quick_check', { simple: true });
    if (verdict !== 'ok') fail('CORRUPT', `database ${options.file} is damaged: ${String(verdict)}`);
    remember(opened);
  }

  const held = lock();
  let db: BetterSqlite3.Database;
  try {
    db = openDatabase();
  } catch (error) {
    held.close();
    throw error;
  }
  const read = (name: string) =>
    db.prepare('SELECT value FROM meta WHERE name = ?').pluck().get(name) as number | string;
  let revision = read('revision') as number;
  const find = db.prepare(
    'SELECT log.id, log.revision, log.created, log.value FROM live JOIN log ON log.id = live.id WHERE live.key = ?',
  );
  const insert = db.prepare('INSERT INTO log (revision, created, previous, key, value) VALUES (?, ?, ?, ?, ?)');
  const setLive = db.prepare(
    'INSERT INTO live (key, id) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET id = excluded.id',
  );
  const dropLive = db.prepare('DELETE FROM live WHERE key = ?');
  const addGarbage = db.prepare('INSERT INTO garbage VALUES (?, ?)');
  const setMeta = db.prepare('UPDATE meta SET value = ? WHERE name = ?');

  type Row = { id: number; revision: number; created: number; value: Uint8Array };
  const entryOf = (key: string, row: Row): WireEntry => ({
    key,
    value: row.value,
    createRevision: row.created,
    modRevision: row.revision,
  });

  function applyOne(commit: WireCommit): WireResult {
    for (const { key, modRevision } of commit.compares) {
      const row = find.get(key) as Row | undefined;
      if ((row?.revision ?? 0) !== modRevision) return { ok: false, key, ...(row && { current: entryOf(key, row) }) };
    }
    const next = revision + 1;
    const changes: { write: number; createRevision: number; previous?: WireEntry }[] = [];
    for (const [index, { key, value }] of commit.writes.entries()) {
      const row = find.get(key) as Row | undefined;
      if (value === undefined && !row) continue;
      const created = value === undefined ? 0 : (row?.created ?? next);
      const id = insert.run(next, created, row?.id ?? null, key, value ?? null).lastInsertRowid;
      if (row) addGarbage.run(next, row.id);
      if (value === undefined) {
        dropLive.run(key);
        addGarbage.run(next, id);
      } else setLive.run(key, id);
      changes.push({ write: index, createRevision: created, ...(row && { previous: entryOf(key, row) }) });
    }
    if (changes.length > 0) revision = next;
    return { ok: true, revision, changes };
  }

  /** All commits in one transaction, each at its own revision: one fsync for all of them. */
  function applyAll(commits: readonly WireCommit[]): WireResult[] {
    const before = revision;
    try {
      db.exec('BEGIN IMMEDIATE');
      const results = commits.map(applyOne);
      if (revision !== before) setMeta.run(revision, 'revision');
      db.exec('COMMIT');
      return results;
    } catch (error) {
      revision = before;
      if (db.inTransaction) db.exec('ROLLBACK');
      throw error;
    }
  }

  /** Rows that were replaced or deleted at or before `upTo`, a piece at a time so that commits need not wait long. */
  function compact(upTo: number): void {
    db.transaction(() => setMeta.run(upTo, 'compacted'))();
    const some = db.prepare('SELECT revision, id FROM garbage WHERE revision <= ? ORDER BY revision, id LIMIT 500');
    const dropRow = db.prepare('DELETE FROM log WHERE id = ?');
    const dropGarbage = db.prepare('DELETE FROM garbage WHERE revision = ? AND id = ?');
    const piece = db.transaction(() => {
      const rows = some.all(upTo) as { revision: number; id: number }[];
      for (const row of rows) {
        dropRow.run(row.id);
        dropGarbage.run(row.revision, row.id);
      }
      return rows.length;
    });
    while (piece() === 500);
  }

  /** What may pass by itself; anything else (a failed fsync above all) leaves the file in a state that nobody knows. */
  const passing = [
    'SQLITE_FULL',
    'SQLITE_READONLY',
    'SQLITE_CANTOPEN',
    'SQLITE_BUSY',
    'SQLITE_IOERR_WRITE',
    'SQLITE_TOOBIG',
  ];
  let broken: FromWriter | undefined;

  function guarded(work: () => FromWriter[], count: number): FromWriter[] {
    const all = (reply: FromWriter): FromWriter[] => Array.from({ length: count }, () => reply);
    if (broken) return all(broken);
    try {
      return work();
    } catch (error) {
      const code = (error as { code?: string }).code ?? 'ERROR';
      const isPassing = passing.some(known => code.startsWith(known));
      const reply: FromWriter = { t: 'failed', code, message: (error as Error).message, passing: isPassing };
      if (!isPassing) broken = reply;
      return all(reply);
    }
  }

  /** Batches that came while the last transaction was under way share the next. */
  function commitAll(batches: readonly (readonly WireCommit[])[]): FromWriter[] {
    const results = applyAll(batches.flat());
    let at = 0;
    return batches.map(batch => ({ t: 'done', results: results.slice(at, (at += batch.length)) }));
  }

  function answer(message: Exclude<ToWriter, { do: 'commit' }>): FromWriter {
    if (message.do === 'compact') {
      compact(message.revision);
      return { t: 'compacted', revision: message.revision };
    }
    db.close();
    held.close();
    return { t: 'closed' };
  }

  /** In order; neighbouring commits together. */
  function answerAll(messages: readonly ToWriter[]): FromWriter[] {
    const replies: FromWriter[] = [];
    let batches: (readonly WireCommit[])[] = [];
    const flush = (): void => {
      const taken = batches;
      batches = [];
      if (taken.length > 0) replies.push(...guarded(() => commitAll(taken), taken.length));
    };
    for (const message of messages) {
      if (message.do === 'commit') batches.push(message.commits);
      else {
        flush();
        // whatever has happened, it can be closed
        replies.push(...(message.do === 'close' ? [answer(message)] : guarded(() => [answer(message)], 1)));
      }
    }
    flush();
    return replies;
  }

  port.on('message', (message: ToWriter) => {
    const messages = [message];
    for (let more = receive(port); more; more = receive(port)) messages.push(more.message);
    for (const reply of answerAll(messages)) {
      port.postMessage(reply);
      if (reply.t === 'closed') port.close();
    }
  });
  port.postMessage({
    t: 'open',
    incarnation: read('incarnation') as string,
    revision,
    compacted: read('compacted') as number,
  } satisfies FromWriter);
}
