/**
 * Volumes that are files made by the node: one timestamped directory, reached through the `..data` symlink that is
 * switched by one rename, so that a reader sees all old or all new (reliability rule A15; kubelet's AtomicWriter).
 */
import { chmod, chown, lstat, mkdir, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { failpoint } from '../../src/base/failpoint.js';
import type { Pod } from '../../src/kube/pod.js';
import { VolumeError } from './contract.js';

export interface FileContent {
  readonly path: string;
  readonly data: Buffer;
  readonly mode: number;
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

/** Switches the directory's content to exactly `files`; with a group they are readable for it, as kubelet makes them. */
export async function writeFiles(directory: string, files: readonly FileContent[], group?: number): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o755 });
  const name = `..${new Date().toISOString().replace(/[-:T]/g, '_').replace('Z', '')}_${process.hrtime.bigint() % 1_000_000n}`;
  for (const file of files) await writeOne(join(directory, name, file.path), file, group);
  await mkdir(join(directory, name), { recursive: true, mode: 0o755 });
  // left by a writer that died here
  await rm(join(directory, '..data_tmp'), { force: true });
  await symlink(name, join(directory, '..data_tmp'));
  await failpoint('volume.beforeRename');
  await rename(join(directory, '..data_tmp'), join(directory, '..data'));
  const tops = new Set(files.map(f => f.path.split('/')[0] ?? ''));
  for (const top of tops) {
    const link = join(directory, top);
    if (!(await lstat(link).catch(() => undefined))) await symlink(`..data/${top}`, link);
  }
  for (const old of (await readdir(directory)).filter(n => /^\.\.\d/.test(n) && n !== name))
    await rm(join(directory, old), { recursive: true, force: true });
}

async function writeOne(target: string, { data, mode }: FileContent, group: number | undefined): Promise<void> {
  await mkdir(dirname(target), { recursive: true, mode: 0o755 });
  await writeFile(target, data);
  if (group !== undefined) await chown(target, 0, group);
  await chmod(target, group === undefined ? mode : mode | 0o440);
}
