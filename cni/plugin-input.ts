/** What a runtime hands over to one of our executables, and what all of them do with it. */
import { existsSync } from 'node:fs';
import { access, constants, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe } from '../src/base/errors.js';
import { acquireLock, type ProcessLock } from '../src/base/process-lock.js';
import { CniError, type CniResult, type PortMapping } from './contract.js';

export interface PluginConfig {
  readonly name?: unknown;
  readonly cniVersion?: unknown;
  readonly prevResult?: CniResult;
  readonly runtimeConfig?: {
    readonly portMappings?: readonly PortMapping[];
    readonly bandwidth?: { readonly ingressRate?: number; readonly egressRate?: number };
  };
  readonly ipam?: IpamConfig;
  readonly [field: string]: unknown;
}

interface IpamConfig {
  readonly subnet?: string;
  readonly ranges?: readonly (readonly { readonly subnet?: string }[])[];
  readonly dataDir?: string;
  readonly routes?: readonly { readonly dst: string; readonly gw?: string }[];
}

export interface PluginInput {
  readonly config: PluginConfig;
  readonly containerID: string;
  readonly netns: string;
  readonly ifName: string;
}

export type Answer = Partial<CniResult>;

export interface Plugin {
  add(input: PluginInput): Promise<Answer>;
  del(input: PluginInput): Promise<void>;
  check(input: PluginInput): Promise<void>;
  gc(input: PluginInput, valid: ReadonlySet<string>): Promise<void>;
  /** @throws CniError 50 or 51 if no container could be added now */
  status(input: PluginInput): Promise<void>;
}

/** What the containers of a whole node share: of all networks. */
export const sharedFolder = '/var/lib/cni/keelson';
const lockMs = 10_000;

export const textOf = ({ config }: PluginInput, field: string, otherwise: string): string =>
  String(config[field] ?? otherwise);

export function previous({ config }: PluginInput): CniResult {
  if (config.prevResult?.ips?.[0]) return config.prevResult;
  throw new CniError(7, 'prevResult with an address is required', 'this plugin comes after one that makes the link');
}

/** @throws CniError 3: a runtime has nothing to clean up then */
export function requireNetns({ netns, containerID }: PluginInput): void {
  if (!existsSync(netns)) throw new CniError(3, `container ${containerID}: there is no network namespace "${netns}"`);
}

/** A STATUS that is not well. @param limited whether containers that are there have lost something, too */
export const unavailable = (limited: boolean, message: string, details: string): CniError =>
  new CniError(limited ? 51 : 50, message, details);

/** @throws CniError 50 for a folder in which nothing can be kept */
export async function requireFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await access(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw unavailable(false, `Cannot write to the folder "${folder}"`, describe(error));
  }
}

/** One process of this node after the other. */
export async function alone<T>(what: string, work: () => Promise<T>): Promise<T> {
  await mkdir(sharedFolder, { recursive: true, mode: 0o700 });
  const lock = await waitForLock(join(sharedFolder, 'lock'), what);
  try {
    return await work();
  } finally {
    lock.release();
  }
}

async function waitForLock(path: string, what: string): Promise<ProcessLock> {
  for (const until = Date.now() + lockMs; ; ) {
    try {
      return acquireLock(path, what);
    } catch (error) {
      if (Date.now() > until) throw new CniError(11, `${what}: no turn in ${lockMs / 1000} s`, describe(error));
      await new Promise(resolve => setTimeout(resolve, 20));
    }
  }
}
