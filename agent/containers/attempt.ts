/**
 * The files of one attempt, the truth from which it is adopted after a restart:
 *   attempt.json   written by the shim, first of all, as the runtime composed it: what, where, in which boot
 *   started.json   written by the shim when the entrypoint runs: who
 *   exit.json      written by the shim when it has ended: how
 * The shim's records end with the CRC-32 of what stands before it (native/shim/record.c).
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { ContainerSpec, ExitRecord } from './contract.js';

export interface AttemptRecord {
  readonly version: 1;
  /** 64 hex digits. */
  readonly id: string;
  readonly bootId: string;
  readonly cgroup: string;
  readonly shimCgroup: string;
  readonly logPath: string;
  readonly socketPath: string;
  readonly spec: ContainerSpec;
}

export interface StartedRecord {
  readonly pid: number;
  readonly startTime: number;
  readonly shimPid: number;
  readonly shimStartTime: number;
  readonly startedAt: string;
}

let bootId: Promise<string> | undefined;
/** Changes with every boot: nothing recorded under another one can be running. */
export function currentBootId(): Promise<string> {
  bootId ??= readFile('/proc/sys/kernel/random/boot_id', 'utf8').then(text => text.trim());
  return bootId;
}

async function readText(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined);
}

/** Undefined if it is missing or damaged. */
export async function readAttempt(directory: string): Promise<AttemptRecord | undefined> {
  return parseObject<AttemptRecord>(await readText(join(directory, 'attempt.json')));
}

export async function readStarted(directory: string): Promise<StartedRecord | undefined> {
  return parseChecked<StartedRecord>(await readText(join(directory, 'started.json')));
}

export async function readExit(directory: string): Promise<ExitRecord | undefined> {
  const found = parseChecked<ExitRecord>(await readText(join(directory, 'exit.json')));
  if (!found) return undefined;
  const { code, signal, finishedAt, oomKilled } = found;
  return { finishedAt, oomKilled, ...(code !== undefined && { code }), ...(signal !== undefined && { signal }) };
}

function parseObject<T>(text: string | undefined): T | undefined {
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as T) : undefined;
  } catch {
    return undefined;
  }
}

/** `{…,"check":"<crc32 of everything before this comma>"}` */
export function parseChecked<T>(text: string | undefined): T | undefined {
  const at = text?.lastIndexOf(',"check":"') ?? -1;
  if (text === undefined || at < 0) return undefined;
  const check = text.slice(at + 10, at + 18);
  return crc32(text.slice(0, at)).toString(16).padStart(8, '0') === check ? parseObject<T>(text) : undefined;
}
