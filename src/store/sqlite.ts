/**
 * The embedded store: SQLite in WAL mode with `synchronous=FULL`, written by one thread (sqlite-writer.ts), read on this
 * one. A commit is acknowledged only after the fsync of its transaction; commits that arrive while one is under way share
 * the next. Reads go through a second, read-only connection that sees durable data only.
 */
import { chmodSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { Worker } from 'node:worker_threads';
import BetterSqlite3 from 'better-sqlite3';
import { UserError } from '../base/errors.js';
import { failpoint } from '../base/failpoint.js';
import type { Change, Commit, CommitResult, Entry, Store } from './contract.js';
import { CompactedError, StoreFullError, StoreUnavailableError } from './contract.js';
import { Feed } from './feed.js';
import { type FromWriter, runWriter, type ToWriter, type WireEntry, type WireResult } from './sqlite-writer.js';

export interface SqliteOptions {
  /** The database file; its folder is made with mode 0700. */
  readonly file: string;
  /** Called once when the disk has failed in a way that only a restart can clear (a failed fsync must not be retried). */
  readonly onFatal?: (error: Error) => void;
}

interface Pending {
  readonly commit: Commit;
  readonly resolve: (result: CommitResult) => void;
  readonly reject: (error: unknown) => void;
}

/** At most this many commits share a transaction, so that the first does not wait for thousands. */
const batchLimit = 512;
/** So many batches are on their way at once: enough that the disk never waits for this thread. */
const pipelineDepth = 4;

/** Opens or makes the database. Throws UserError for a database in use, damaged, or of another version. */
export async function openSqliteStore(options: SqliteOptions): Promise<Store> {
  mkdirSync(dirname(options.file), { recursive: true, mode: 0o700 });
  const writer = new Writer(options.file);
  const opened = await writer.opened();
  for (const suffix of ['', '-wal', '-shm']) chmodSync(`${options.file}${suffix}`, 0o600);
  return new SqliteStore(options, writer, opened);
}

const userErrors: Record<string, string> = {
  LOCKED: 'stop the other keelson controller, or give this one its own --data-dir',
  CORRUPT:
    'put back a backup of the file, or move it away to begin with an empty cluster (its nodes stop their pods then)',
  SQLITE_FULL: 'make room on the disk, or name a directory on another one with --data-dir',
  SQLITE_IOERR:
    'is the disk full or failing? `df` and `dmesg` tell; or name a directory on another one with --data-dir',
  SQLITE_CANTOPEN: 'is it a file that this user may write? run as root, or name another --data-dir',
  SQLITE_READONLY: 'that filesystem is read-only: remount it, or name another --data-dir',
  SQLITE_CORRUPT: 'put back a backup of the file',
  SQLITE_NOTADB: 'the file is not a Keelson database: put back a backup, or give another --data-dir',
  VERSION: 'use the version of keelson that wrote it, or the newer one that can read it',
};

/** SQLite's extended codes (`SQLITE_IOERR_SHMSIZE`) mean what their first word means. */
function hintOf(code: string): string | undefined {
  return userErrors[code] ?? userErrors[code.split('_').slice(0, 2).join('_')];
}

/** Messages to the writer; its answers come in the same order. */
class Writer {
  readonly #worker: Worker;
  #waiting: { resolve: (message: FromWriter) => void; reject: (error: Error) => void }[] = [];
  #dead: Error | undefined;

  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
    const require = createRequire(import.meta.url);
    const source = `
      const { parentPort, workerData, receiveMessageOnPort: receive } = require('node:worker_threads');
      const __name = value => value;
      try {
        (${runWriter.toString()})(parentPort, workerData, {
          Database: require(workerData.requireFrom), fs: require('node:fs'), crypto: require('node:crypto'), receive });
      } catch (error) {
        parentPort.postMessage({ t: 'failed', code: error.code ?? 'ERROR', message: error.message });
      }`;
    const workerData = { file, lockFile: `${file}.lock`, requireFrom: require.resolve('better-sqlite3') };
    this.#worker = new Worker(source, { eval: true, workerData, name: 'store' });
    this.#worker.on('message', (message: FromWriter) => this.#settle(message));
    this.#worker.on('error', error => this.#die(error));
    this.#worker.on('exit', () => this.#die(new Error('the store thread has ended')));
  }

  async opened(): Promise<FromWriter & { t: 'open' }> {
    const message = await this.#next();
    if (message.t === 'open') return message;
    await this.#worker.terminate();
    const failed = message as FromWriter & { t: 'failed' };
    const hint = hintOf(failed.code);
    if (hint && failed.code.startsWith('SQLITE_'))
      throw new UserError(`database ${this.#file}: ${failed.message} (${failed.code})`, hint);
    if (hint) throw new UserError(failed.message, hint);
    throw new Error(`open database: ${failed.code}: ${failed.message}`);
  }

  ask(message: ToWriter): Promise<FromWriter> {
    const answer = this.#next();
    this.#worker.postMessage(message);
    return answer;
  }

  async end(): Promise<void> {
    await this.ask({ do: 'close' }).catch(() => {});
    await this.#worker.terminate();
  }

  #next(): Promise<FromWriter> {
    if (this.#dead) return Promise.reject(this.#dead);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
    });
  }

  #settle(message: FromWriter): void {
    this.#waiting.shift()?.resolve(message);
  }

  #die(error: Error): void {
    this.#dead ??= error;
    for (const { reject } of this.#waiting.splice(0)) reject(this.#dead);
  }
}

class SqliteStore implements Store {
  readonly incarnation: string;
  revision: number;
  compacted: number;
  readonly #writer: Writer;
  readonly #reader: BetterSqlite3.Database;
  readonly #feed = new Feed();
  readonly #onFatal: (error: Error) => void;
  readonly #one: BetterSqlite3.Statement;
  readonly #many: BetterSqlite3.Statement;
  readonly #past: BetterSqlite3.Statement;
  #queue: Pending[] = [];
  #compactTo: { revision: number; resolve: () => void; reject: (error: unknown) => void }[] = [];
  /** Batches and compactions that the writer has not answered yet. */
  #underway = 0;
  #isWaking = false;
  #whenIdle: (() => void)[] = [];
  /** Answers are worked off one after the other, in the order of revisions. */
  #answers: Promise<unknown> = Promise.resolve();
  #ended: Error | undefined;

  constructor(options: SqliteOptions, writer: Writer, opened: FromWriter & { t: 'open' }) {
    this.#writer = writer;
    this.incarnation = opened.incarnation;
    this.revision = opened.revision;
    this.compacted = opened.compacted;
    this.#onFatal = options.onFatal ?? (() => {});
    this.#reader = new BetterSqlite3(options.file, { readonly: true });
    const columns = 'log.key, log.value, log.created AS createRevision, log.revision AS modRevision';
    this.#one = this.#reader.prepare(`SELECT ${columns} FROM live JOIN log ON log.id = live.id WHERE live.key = ?`);
    this.#many = this.#reader.prepare(
      `SELECT ${columns} FROM live JOIN log ON log.id = live.id WHERE live.key >= ? AND live.key < ? ORDER BY live.key LIMIT ?`,
    );
    this.#past = this.#reader.prepare(
      `SELECT ${columns}, before.key AS beforeKey, before.value AS beforeValue, before.created AS beforeCreated, before.revision AS beforeRevision
       FROM log LEFT JOIN log AS before ON before.id = log.previous WHERE log.revision > ? AND log.revision <= ? ORDER BY log.revision, log.id`,
    );
  }

  commit(commit: Commit): Promise<CommitResult> {
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      this.#queue.push({ commit, resolve, reject });
      this.#start();
    });
  }

  get(key: string): Entry | undefined {
    return this.#one.get(key) as Entry | undefined;
  }

  range(from: string, to: string, limit = -1): Entry[] {
    return this.#many.all(from, to, limit) as Entry[];
  }

  subscribe(since: number, listener: (changes: readonly Change[]) => void): { close(): void } {
    if (since < this.compacted) throw new CompactedError(since, this.compacted);
    const rows = this.#past.all(since, this.revision) as PastRow[];
    return this.#feed.add(byRevision(rows.map(changeOf)), listener);
  }

  compact(revision: number): Promise<void> {
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      this.#compactTo.push({ revision: Math.min(revision, this.revision), resolve, reject });
      this.#start();
    });
  }

  async close(): Promise<void> {
    if (this.#ended && !this.#reader.open) return;
    this.#ended ??= new StoreUnavailableError('the store is closed');
    await this.#idle();
    // the reader first: the last connection to close folds the write-ahead log into the database
    this.#reader.close();
    await this.#writer.end();
  }

  /** After one turn of the event loop: requests that the kernel delivered together make one batch. */
  #start(): void {
    if (this.#isWaking) return;
    this.#isWaking = true;
    setImmediate(() => {
      this.#isWaking = false;
      this.#send();
    });
  }

  /** The writer always has the next batch at hand when it ends one, and puts together what has gathered meanwhile. */
  #send(): void {
    while (this.#queue.length > 0 && this.#underway < pipelineDepth)
      this.#track(this.#commitBatch(this.#queue.splice(0, batchLimit)));
    if (this.#queue.length === 0)
      for (const request of this.#compactTo.splice(0)) this.#track(this.#compactOne(request));
  }

  #track(work: Promise<void>): void {
    this.#underway++;
    void work.finally(() => {
      this.#underway--;
      this.#send();
      if (this.#underway === 0) for (const resolve of this.#whenIdle.splice(0)) resolve();
    });
  }

  async #idle(): Promise<void> {
    while (this.#underway + this.#queue.length + this.#compactTo.length > 0) {
      this.#start();
      await new Promise<void>(resolve => this.#whenIdle.push(resolve));
    }
  }

  async #commitBatch(batch: readonly Pending[]): Promise<void> {
    try {
      await failpoint('store.beforeCommit');
      const commits = batch.map(({ commit }) => ({
        compares: commit.compares,
        writes: commit.writes.map(write =>
          'delete' in write ? { key: write.key } : { key: write.key, value: write.value },
        ),
      }));
      const answer = this.#writer.ask({ do: 'commit', commits });
      const handled = this.#answers.then(() => answer).then(message => this.#settle(batch, message));
      this.#answers = handled.catch(() => {});
      await handled;
    } catch (error) {
      const shown = error instanceof StoreUnavailableError ? error : this.#die(error);
      for (const pending of batch) pending.reject(shown);
    }
  }

  async #settle(batch: readonly Pending[], answer: FromWriter): Promise<void> {
    await failpoint('store.afterFsync');
    if (answer.t !== 'done') throw this.#refusal(answer as FromWriter & { t: 'failed' });
    for (const [index, result] of answer.results.entries()) this.#acknowledge(batch[index]!, result);
  }

  /** Subscribers hear of a commit before its caller does: whoever was told "stored" finds it in every cache. */
  #acknowledge({ commit, resolve }: Pending, result: WireResult): void {
    if (!result.ok) {
      resolve({ ok: false, key: result.key, current: result.current && entryOf(result.current) });
      return;
    }
    this.revision = result.revision;
    const changes = result.changes.map(({ write, createRevision, previous }): Change => {
      const { key, ...rest } = commit.writes[write]!;
      const entry =
        'value' in rest ? { key, value: rest.value, createRevision, modRevision: result.revision } : undefined;
      return {
        revision: result.revision,
        key,
        ...(entry && { entry }),
        ...(previous && { previous: entryOf(previous) }),
      };
    });
    if (changes.length > 0) this.#feed.publish(changes);
    resolve({ ok: true, revision: result.revision });
  }

  async #compactOne({
    revision,
    resolve,
    reject,
  }: {
    revision: number;
    resolve: () => void;
    reject: (error: unknown) => void;
  }): Promise<void> {
    if (revision <= this.compacted) return resolve();
    this.compacted = revision;
    try {
      const answer = await this.#writer.ask({ do: 'compact', revision });
      if (answer.t !== 'compacted') throw this.#refusal(answer as FromWriter & { t: 'failed' });
      resolve();
    } catch (error) {
      reject(error);
    }
  }

  /** What the writer could not do: passing (no space, read-only) or final. */
  #refusal({ code, message, passing }: FromWriter & { t: 'failed' }): Error {
    if (code.startsWith('SQLITE_FULL'))
      return new StoreFullError('the disk of the store is full: nothing can be written until there is room again');
    if (passing) return new StoreUnavailableError(`the store cannot write now: ${message} (${code})`);
    return this.#die(new Error(`${message} (${code})`));
  }

  #die(cause: unknown): Error {
    if (this.#ended) return this.#ended;
    this.#ended = new StoreUnavailableError('the store has failed and takes no more writes until a restart', { cause });
    this.#onFatal(this.#ended);
    return this.#ended;
  }
}

interface PastRow extends Omit<Entry, 'value'> {
  readonly value: Buffer | null;
  readonly beforeKey: string | null;
  readonly beforeValue: Buffer | null;
  readonly beforeCreated: number;
  readonly beforeRevision: number;
}

function changeOf(row: PastRow): Change {
  const { key, value, createRevision, modRevision } = row;
  const previous = row.beforeValue && {
    key,
    value: row.beforeValue,
    createRevision: row.beforeCreated,
    modRevision: row.beforeRevision,
  };
  return {
    revision: modRevision,
    key,
    ...(value && { entry: { key, value, createRevision, modRevision } }),
    ...(previous && { previous }),
  };
}

/** Groups changes of the same revision; they are already in order. */
function byRevision(changes: readonly Change[]): Change[][] {
  const groups: Change[][] = [];
  for (const change of changes) {
    const last = groups.at(-1);
    if (last?.[0]?.revision === change.revision) last.push(change);
    else groups.push([change]);
  }
  return groups;
}

/** Buffers arrive from the other thread as plain Uint8Arrays. */
function entryOf(entry: WireEntry): Entry {
  const { buffer, byteOffset, byteLength } = entry.value;
  return { ...entry, value: Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength) };
}
