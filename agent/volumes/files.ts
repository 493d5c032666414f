/**
 * Volumes that are files made by the node: one timestamped directory, reached through the `..data` symlink that is
 * switched by one rename, so that a reader sees all old or all new (reliability rule A15; kubelet's AtomicWriter). All of
 * it is one trip of the addon: ten trips through the pool cost more than the pod's other files together.
 */
import { createHash } from 'node:crypto';
import { lstat } from 'node:fs/promises';
import { join, normalize } from 'node:path';
import { writeFiles as perform } from '../../native/index.js';
import { failpoint } from '../../src/base/failpoint.js';
import type { Pod } from '../../src/kube/pod.js';
import { VolumeError } from './contract.js';

export interface FileContent {
  readonly path: string;
  readonly data: Buffer;
  readonly mode: number;
  /** User ID; root without it. */
  readonly owner?: number;
}

/** The path of a file below its volume. Throws VolumeError for one that leaves it, or that hides what we keep there. */
export function pathInVolume(volume: string, path: string): string {
  const clean = normalize(path);
  if (clean === '.' || clean.startsWith('/') || clean.startsWith('..') || clean.endsWith('/'))
    throw new VolumeError(`volume "${volume}": items path "${path}" must be relative and must not start with ".."`);
  return clean;
}

/** Group that all files of the pod's volumes belong to (spec.securityContext.fsGroup). */
export const fsGroupOf = (pod: Pod): number | undefined => pod.spec.securityContext?.fsGroup;

/** What a group may do with files that the node makes: read them, as kubelet has it. */
const groupReads = 0o440;

/** Per directory, the write under way: two of them must not take away what the other makes. */
const underWay = new Map<string, Promise<void>>();

/** Per directory, the digest of what it shows: what has not changed is not switched, so nobody who watches it is woken. */
const shown = new Map<string, string>();

/** Switches the directory's content to exactly `files`; with a group they are readable for it, as kubelet makes them. */
export async function writeFiles(directory: string, files: readonly FileContent[], group?: number): Promise<void> {
  await failpoint('volume.beforeWrite');
  const before = underWay.get(directory) ?? Promise.resolve();
  const now = before.catch(() => {}).then(() => switchTo(directory, files, group));
  underWay.set(directory, now);
  try {
    await now;
  } finally {
    if (underWay.get(directory) === now) underWay.delete(directory);
  }
}

async function switchTo(directory: string, files: readonly FileContent[], group: number | undefined): Promise<void> {
  const digest = digestOf(files);
  if (shown.get(directory) === digest && (await isMade(directory))) return;
  await perform([memory(directory), volumeOp(directory, files, group)]);
  shown.set(directory, digest);
}

function digestOf(files: readonly FileContent[]): string {
  const hash = createHash('sha256');
  for (const { path, data, mode, owner = 0 } of files)
    hash.update(JSON.stringify([path, mode, owner, data.length])).update(data);
  return hash.digest('hex');
}

/** Whether a directory has been written at all. */
export const isMade = (directory: string): Promise<boolean> =>
  lstat(join(directory, '..data')).then(
    () => true,
    () => false,
  );

/** A pod's volumes go: nothing of them is to be remembered. @param volumes directory of all of them */
export function forgetFiles(volumes: string): void {
  for (const directory of shown.keys()) if (directory.startsWith(`${volumes}/`)) shown.delete(directory);
}

/** As kubelet does for secrets: they never reach the disk. Making an inode of ext4 took 1.1 ms besides, of tmpfs 10 µs. */
const memory = (path: string) => ({ op: 'mount', path, type: 'tmpfs', options: 'mode=0755' }) as const;

function volumeOp(directory: string, files: readonly FileContent[], group: number | undefined) {
  if (group === undefined) return { op: 'volume', path: directory, files } as const;
  const readable = files.map(file => ({ ...file, mode: file.mode | groupReads }));
  return { op: 'volume', path: directory, files: readable, group } as const;
}
