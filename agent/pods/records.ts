/** What a pod's directory remembers, so that a new agent can take it up again (reliability rules A2, A10). */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CniResult } from '../../cni/contract.js';
import { type FileOp, type ProcessIdentity, removeTrees, writeFiles } from '../../native/index.js';
import { writeFileAtomic } from '../../src/base/atomic-file.js';
import { codeOf } from '../../src/base/errors.js';
import type { Pod } from '../../src/kube/pod.js';
import { removeAttemptTree } from '../containers/remove.js';
import { forgetFiles } from '../volumes/files.js';
import type { Termination } from './facts.js';
import { attemptDirectory, failedStartFile, logPath, type PodPaths, terminationFile } from './paths.js';

/** Written before anything is made (`pause` absent), and again when the sandbox stands. */
export interface SandboxRecord {
  readonly attempt: number;
  readonly id: string;
  readonly bootID: string;
  readonly pause?: ProcessIdentity;
  readonly network?: CniResult;
  /** Of its user namespace, if it has one. */
  readonly idBase?: number;
}

export interface PodRecord {
  readonly pod: Pod;
  readonly startTime: string;
}

/** Written when the pod is ordered to stop: a new agent goes on with what is left of the grace. */
export interface StopRecord {
  readonly termination: Termination;
  readonly stopBy: number;
}

/** Atomic, and not yet durable: `syncPodRecord`. */
export const podRecordFiles = (paths: PodPaths, record: PodRecord): readonly FileOp[] => [
  { op: 'directory', path: paths.directory, mode: 0o700 },
  { op: 'replace', path: paths.podRecord, data: JSON.stringify(record), mode: 0o600 },
];

/**
 * Makes the pod's record durable: before its first container starts, because a pod without a record that has attempts on
 * disk could not be started again after a power cut. Its sandbox need not wait: that is gone after a power cut anyway.
 */
export function syncPodRecord(paths: PodPaths): Promise<void> {
  return writeFiles([
    { op: 'sync', path: paths.podRecord },
    { op: 'sync', path: paths.directory },
  ]);
}

/** Never fsynced: it tells of processes and namespaces, of which a power cut leaves nothing (the boot id says so). */
export const sandboxRecordFile = (paths: PodPaths, record: SandboxRecord): FileOp => ({
  op: 'replace',
  path: paths.sandboxRecord,
  data: JSON.stringify(record),
  mode: 0o600,
});

/** Not durable: after a power cut nothing of the pod runs, and whoever ordered the stop says so again. */
export async function writeStopRecord(paths: PodPaths, record: StopRecord): Promise<void> {
  await writeFileAtomic(paths.stopRecord, JSON.stringify(record), { durable: false });
}

/**
 * Undefined if there is none, or if it is not what we wrote: then the kernel's facts win.
 * @throws when the disk or this process cannot read now (EIO, EMFILE): that says nothing of what is in it
 */
export async function readRecord<T>(path: string): Promise<T | undefined> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (['ENOENT', 'ENOTDIR', 'EISDIR'].includes(codeOf(error) ?? '')) return undefined;
    throw error;
  });
  try {
    return text === undefined ? undefined : (JSON.parse(text) as T);
  } catch {
    return undefined;
  }
}

/** Attempts on disk of one container, ascending; those whose start failed have left only the record of that. */
export async function listAttempts(paths: PodPaths, container: string): Promise<number[]> {
  try {
    const names = await readdir(join(paths.containers, container));
    const numbers = names.flatMap(name => /^(\d+)(\.failed\.json)?$/.exec(name)?.[1] ?? []);
    return [...new Set(numbers.map(Number))].sort((a, b) => a - b);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** What an ended attempt has left: writable layer, records, termination message, log. Repeating is success. */
export async function removeAttempt(paths: PodPaths, container: string, attempt: number): Promise<void> {
  const directory = attemptDirectory(paths, container, attempt);
  await removeAttemptTree(directory);
  await removeTrees([terminationFile(directory), failedStartFile(directory), logPath(paths, container, attempt)]);
}

/** What volumes of a pod that has ended hold, on disk or in memory: nobody will read it any more (kubelet does so, too). */
export async function removeVolumes(paths: PodPaths): Promise<void> {
  forgetFiles(paths.volumes);
  await removeTrees([paths.volumes]);
}

/**
 * The record, by which an agent would find the rest again, goes with the last of them.
 * @param sockets of shims that may have been killed
 */
export async function removePodDirectory(paths: PodPaths, sockets: readonly string[]): Promise<void> {
  forgetFiles(paths.volumes);
  await removeTrees([...sockets, paths.logs, paths.containers, paths.volumes, paths.directory]);
}
