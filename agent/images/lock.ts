/**
 * One process at a time changes the image store. The lock is a file that names its owner by pid and start time; one
 * whose owner has died is taken over. It is held only to publish or to collect, never while unpacking.
 */
import { randomBytes } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from '../../src/base/errors.js';

/** Publishing takes milliseconds; collecting a big image a few seconds. */
const waitMs = 60_000;
const retryMs = 10;

/** Field 22 of /proc/PID/stat, or undefined if there is no such process. */
async function startTimeOf(pid: number | 'self'): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}

/** `<pid> <start time>`: who this process is, for locks and for the names of its temporary directories. */
export async function processMark(): Promise<string> {
  return `${process.pid}-${await startTimeOf('self')}`;
}

/** False for a mark whose process has ended, or that is none. */
export async function isAlive(mark: string): Promise<boolean> {
  const [pid, start] = mark.split('-');
  return pid !== undefined && start !== undefined && (await startTimeOf(Number(pid))) === start;
}

async function tryLink(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Takes a dead owner's lock away. Two may try: only one rename finds the file that was looked at. */
async function breakStale(path: string, aside: string): Promise<void> {
  const owner = await readFile(path, 'utf8').catch(() => undefined);
  if (owner === undefined || (await isAlive(owner))) return;
  await rename(path, aside).catch(() => {});
  const taken = await readFile(aside, 'utf8').catch(() => undefined);
  // somebody was quicker, and this is the new owner's lock: give it back
  if (taken !== undefined && taken !== owner) await tryLink(aside, path);
  await rm(aside, { force: true });
}

export async function withLock<T>(directory: string, work: () => Promise<T>): Promise<T> {
  const path = join(directory, '.lock');
  const own = join(directory, `.lock-${randomBytes(6).toString('hex')}`);
  await writeFile(own, await processMark(), { mode: 0o600 });
  try {
    for (const deadline = Date.now() + waitMs; !(await tryLink(own, path)); ) {
      if (Date.now() > deadline)
        throw new Error(
          `the image store "${directory}" is locked by process ${await readFile(path, 'utf8').catch(() => '?')}`,
        );
      await breakStale(path, `${own}-stale`);
      await new Promise(resolve => setTimeout(resolve, retryMs));
    }
    try {
      return await work();
    } finally {
      await rm(path, { force: true });
    }
  } finally {
    await rm(own, { force: true });
  }
}
