/**
 * Reading a container's log: `0.log` and its rotated elders `0.log.<time>`, oldest first, as kubectl logs wants it. With
 * follow it waits for the directory to change (fs.watch), never polls, and goes on across rotation.
 */
import { type FSWatcher, watch } from 'node:fs';
import { type FileHandle, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { codeOf } from '../../src/base/errors.js';
import { type LineFilter, LogLines, tailStart } from './log-lines.js';

export interface LogOptions extends LineFilter {
  readonly follow?: boolean;
  /** Only the last so many lines. */
  readonly tailLines?: number;
  readonly limitBytes?: number;
}

const chunkBytes = 65536;

/** Rotated files of `path`, oldest first: their names sort by time. */
export async function rotatedLogs(path: string): Promise<string[]> {
  const prefix = `${basename(path)}.`;
  const names = await readdir(dirname(path)).catch(() => [] as string[]);
  return names
    .filter(name => name.startsWith(prefix))
    .sort()
    .map(name => join(dirname(path), name));
}

async function openLog(path: string): Promise<FileHandle | undefined> {
  return open(path, 'r').catch(error => {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  });
}

/** Resolves at the next change of a directory, or when the signal comes. A change while nobody waits is remembered. */
class DirectoryWatch {
  readonly #watcher: FSWatcher;
  #changed = false;
  #wake: (() => void) | undefined;

  constructor(directory: string, signal: AbortSignal | undefined) {
    this.#watcher = watch(directory, { persistent: false }, () => this.#notify());
    this.#watcher.on('error', () => this.#notify());
    signal?.addEventListener('abort', () => this.#notify(), { once: true });
  }
  #notify(): void {
    this.#changed = true;
    this.#wake?.();
  }
  async next(): Promise<void> {
    if (!this.#changed) await new Promise<void>(resolve => (this.#wake = resolve));
    this.#changed = false;
  }
  close(): void {
    this.#watcher.close();
  }
}

/** Everything of an open file from `position` on, in pieces. Returns the position reached. */
async function* readOn(file: FileHandle, position: number): AsyncGenerator<Buffer, number> {
  for (;;) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(chunkBytes), 0, chunkBytes, position);
    if (bytesRead === 0) return position;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** True if another file has taken the name: this one was rotated away, and its writer has let go of it soon after. */
async function isReplaced(file: FileHandle, path: string): Promise<boolean> {
  const [own, named] = await Promise.all([file.stat(), stat(path).catch(() => undefined)]);
  return named !== undefined && named.ino !== own.ino;
}

/** The current log, followed: what is appended, then the next file of that name, until the signal. */
async function* follow(path: string, start: number, signal: AbortSignal | undefined): AsyncGenerator<Buffer> {
  const changes = new DirectoryWatch(dirname(path), signal);
  let file = await openLog(path);
  let position = start;
  try {
    while (!signal?.aborted) {
      const replaced = file && (await isReplaced(file, path));
      if (file) position = yield* readOn(file, position);
      if (file && !replaced) {
        await changes.next();
        continue;
      }
      await file?.close();
      file = await openLog(path);
      position = 0;
      if (!file) await changes.next();
    }
    // what was written before the signal came
    if (file) yield* readOn(file, position);
  } finally {
    changes.close();
    await file?.close();
  }
}

async function* readWhole(path: string, start: number): AsyncGenerator<Buffer> {
  const file = await openLog(path);
  if (!file) return;
  try {
    yield* readOn(file, start);
  } finally {
    await file.close();
  }
}

async function* rawLog(path: string, options: LogOptions, signal: AbortSignal | undefined): AsyncGenerator<Buffer> {
  const files = [...(await rotatedLogs(path)), path];
  const start = options.tailLines === undefined ? { file: 0, position: 0 } : await tailStart(files, options.tailLines);
  for (const [index, name] of files.entries()) {
    if (index < start.file) continue;
    const position = index === start.file ? start.position : 0;
    yield* index === files.length - 1 && options.follow ? follow(name, position, signal) : readWhole(name, position);
  }
}

/**
 * The container's output as it wrote it (with `timestamps`, each line after its time). Ends with the log, with
 * `limitBytes`, or at the signal; a missing log is empty.
 */
export async function* readLogs(path: string, options: LogOptions = {}, signal?: AbortSignal): AsyncGenerator<Buffer> {
  const lines = new LogLines(options);
  let left = options.limitBytes ?? Number.POSITIVE_INFINITY;
  for await (const chunk of rawLog(path, options, signal)) {
    const text = lines.push(chunk);
    if (text.length === 0) continue;
    yield text.subarray(0, left);
    left -= text.length;
    if (left <= 0) return;
  }
}

export interface RotationLimits {
  readonly maxBytes: number;
  /** Including the current one. */
  readonly maxFiles: number;
}

/** Rule A9: 10 MiB, 5 files, looked at every 10 s. */
export const defaultRotation: RotationLimits = { maxBytes: 10 * 2 ** 20, maxFiles: 5 };

/** `20260102-030405.678`: sorts by time. */
const stamp = (now: Date) => now.toISOString().replace(/[-:Z]/g, '').replace('T', '-');

/**
 * Renames the log if it is too large, has the shim open a new one, and removes the oldest.
 * @param reopen asks the shim; if it fails, the log is called as before
 * @returns whether it was rotated
 */
export async function rotateLog(
  path: string,
  reopen: () => Promise<void>,
  limits: RotationLimits = defaultRotation,
  now = new Date(),
): Promise<boolean> {
  const { size } = await stat(path).catch(() => ({ size: 0 }));
  if (size <= limits.maxBytes) return false;
  const aside = `${path}.${stamp(now)}`;
  await rename(path, aside);
  try {
    await reopen();
  } catch (error) {
    await rename(aside, path);
    throw error;
  }
  const old = (await rotatedLogs(path)).slice(0, -(limits.maxFiles - 1) || undefined);
  await Promise.all(old.map(name => rm(name, { force: true })));
  return true;
}
