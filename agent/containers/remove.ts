/**
 * Removes an attempt's directory. What lies in its writable layer was made by a container, so: nothing is followed, no
 * mount is crossed, and a tree deeper than a path can be long goes to rm(1), which walks by descriptors.
 */
import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import { writeFiles } from '../../native/index.js';
import { codeOf } from '../../src/base/errors.js';
import { readAttempt } from './attempt.js';

const run = promisify(execFile);

/** An attempt's directory, and its shim's socket, which a shim that was killed has left. Missing is success. */
export async function removeAttemptTree(directory: string): Promise<void> {
  const record = await readAttempt(directory);
  if (record) await rm(record.socketPath, { force: true });
  await removeTree(directory);
}

/** Missing is success. */
export async function removeTree(directory: string): Promise<void> {
  try {
    await rm(directory, { recursive: true, force: true });
  } catch (error) {
    if (codeOf(error) === 'EBUSY') return removeMountPoint(error, directory);
    if (codeOf(error) !== 'ENAMETOOLONG') throw error;
    await run('rm', ['-rf', '--one-file-system', '--', directory]);
  }
}

/** A volume in memory that an agent left mounted which died before it knew the pod: it goes, and then the tree. */
async function removeMountPoint(error: unknown, directory: string): Promise<void> {
  const { path } = error as NodeJS.ErrnoException;
  if (!path?.startsWith(`${directory}/`)) throw error;
  await writeFiles([{ op: 'unmount', path }]);
  await rm(path, { recursive: true });
  await removeTree(directory);
}
