/**
 * subPath: one directory or file below a volume, found while containers may be changing what lies there. The answer is a
 * descriptor, reached component by component without following links, and the mount is made from that descriptor: there
 * is no name left that somebody could exchange in between (reliability rule B8; CVE-2017-1002101, CVE-2021-25741).
 */
import { constants } from 'node:fs';
import { chmod, type FileHandle, mkdir, open, realpath } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { codeOf } from '../../src/base/errors.js';
import { VolumeError } from './contract.js';

const { O_DIRECTORY, O_NOFOLLOW } = constants;
/** Opens the place, not the file: a pipe does not block, a device is not touched. Node has no name for it. */
const O_PATH = 0o10000000;
const permissions = 0o7777;

/** The same place for another process: `/proc/PID/fd/N` leads to what was opened, whatever its name is now. */
export const pathOf = (handle: FileHandle): string => `/proc/${process.pid}/fd/${handle.fd}`;

/** @param root the volume's source; @param subPath relative, without `..`. Missing directories are made. Throws VolumeError. */
export async function openSubPath(root: string, subPath: string): Promise<FileHandle> {
  const parts = (await resolved(root, subPath)).split('/').filter(Boolean);
  const base = await realpath(root);
  if (parts.length === 0) return open(base, O_PATH | O_NOFOLLOW);
  let here = await open(base, O_PATH | O_DIRECTORY | O_NOFOLLOW);
  const { mode } = await here.stat();
  for (const [i, part] of parts.entries()) {
    const next = await step(here, part, i === parts.length - 1, mode & permissions)
      .catch((error: unknown) => {
        throw new VolumeError(`subPath "${subPath}": ${part}: ${codeOf(error) ?? String(error)}`, { cause: error });
      })
      .finally(() => here.close());
    here = next;
  }
  return here;
}

/** Links inside the volume are allowed (a ConfigMap's files are some), links out of it are not. */
async function resolved(root: string, subPath: string): Promise<string> {
  const base = await realpath(root);
  const target = await realpath(join(base, subPath)).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return join(base, subPath);
    throw new VolumeError(`subPath "${subPath}": ${codeOf(error) ?? String(error)}`, { cause: error });
  });
  const inside = relative(base, target);
  if (inside === '..' || inside.startsWith('../'))
    throw new VolumeError(`subPath "${subPath}" leads out of its volume`);
  return inside;
}

/** @param mode of a directory that is made: the volume's own, so that whoever writes there may write here too */
async function step(parent: FileHandle, name: string, last: boolean, mode: number): Promise<FileHandle> {
  const place = `${pathOf(parent)}/${name}`;
  const flags = O_PATH | O_NOFOLLOW | (last ? 0 : O_DIRECTORY);
  const opened = await open(place, flags).catch(async (error: unknown) => {
    if (codeOf(error) !== 'ENOENT') throw error;
    await mkdir(place, 0o700);
    const made = await open(place, flags | O_DIRECTORY);
    await chmod(pathOf(made), mode);
    return made;
  });
  if (!(await opened.stat()).isSymbolicLink()) return opened;
  await opened.close();
  throw new VolumeError('is a symbolic link now');
}
