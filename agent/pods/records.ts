/** What a pod's directory remembers, so that a new agent can take it up again (reliability rules A2, A10). */
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { CniResult } from '../../cni/contract.js';
import type { ProcessIdentity } from '../../native/index.js';
import { writeFileAtomic } from '../../src/base/atomic-file.js';
import { codeOf } from '../../src/base/errors.js';
import type { Pod } from '../../src/kube/pod.js';
import type { PodPaths } from './paths.js';

/** Written before anything is made (`pause` absent), and again when the sandbox stands. */
export interface SandboxRecord {
  readonly attempt: number;
  readonly id: string;
  readonly bootID: string;
  readonly pause?: ProcessIdentity;
  readonly network?: CniResult;
}

export interface PodRecord {
  readonly pod: Pod;
  readonly startTime: string;
  /** Set when the pod was ordered to stop: a new agent goes on with what is left of the grace. */
  readonly stopBy?: number;
}

export async function writePodRecord(paths: PodPaths, record: PodRecord): Promise<void> {
  await mkdir(paths.directory, { recursive: true, mode: 0o700 });
  await writeFileAtomic(paths.podRecord, JSON.stringify(record));
}

/** @param durable false for the note made before the sandbox: after a power cut nothing of it exists anyway */
export async function writeSandboxRecord(paths: PodPaths, record: SandboxRecord, durable: boolean): Promise<void> {
  await writeFileAtomic(paths.sandboxRecord, JSON.stringify(record), { durable });
}

/** Undefined if there is none, or if it cannot be read: then it is moved aside and the kernel's facts win. */
export async function readRecord<T>(path: string): Promise<T | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as T;
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
    return undefined;
  }
}

/** Attempts on disk of one container, ascending. */
export async function listAttempts(paths: PodPaths, container: string): Promise<number[]> {
  try {
    const names = await readdir(join(paths.containers, container));
    return names
      .filter(name => /^\d+$/.test(name))
      .map(Number)
      .sort((a, b) => a - b);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

export async function removePodDirectory(paths: PodPaths): Promise<void> {
  await rm(paths.directory, { recursive: true, force: true });
  await rm(paths.logs, { recursive: true, force: true });
}
