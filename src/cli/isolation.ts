/**
 * Namespaces of a whole node (`--isolated NAME`): a pause process holds its network and mount namespace, so that they
 * outlive the agent. Commands enter them with nsenter, because a Node process cannot enter a mount namespace itself.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeFileAtomic } from '../base/atomic-file.js';
import { UserError } from '../base/errors.js';
import { processStartTime } from '../base/process-lock.js';

export interface Holder {
  readonly pid: number;
  readonly startTime: number;
}

const holderFile = (runDir: string): string => join(runDir, 'holder.json');

/** Root of the checkout or package, seen from dist/src/cli. */
export const packageRoot = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');

/** The living holder of an isolated node, if there is one. */
export function findHolder(runDir: string): Holder | undefined {
  if (!existsSync(holderFile(runDir))) return undefined;
  const holder = JSON.parse(readFileSync(holderFile(runDir), 'utf8')) as Holder;
  return processStartTime(holder.pid) === holder.startTime ? holder : undefined;
}

/** @returns whether it had to be made: then a start that fails has to end it again */
export async function ensureHolder(runDir: string): Promise<{ readonly holder: Holder; readonly made: boolean }> {
  const found = findHolder(runDir);
  return found ? { holder: found, made: false } : { holder: await makeHolder(runDir), made: true };
}

async function makeHolder(runDir: string): Promise<Holder> {
  mkdirSync(runDir, { recursive: true, mode: 0o700 });
  const pause = join(packageRoot, 'build/Release/pause');
  // pause must not be a child that dies with the terminal: a session of its own
  // cut off from the host's mounts first, then a peer group of its own, as / is on a host: mountPropagation needs one
  const share = ['sh', '-c', 'mount --make-rshared / && exec "$0"', pause];
  const child = spawn('unshare', ['--net', '--mount', '--propagation', 'private', '--', ...share], {
    detached: true,
    stdio: 'ignore',
  });
  child.unref();
  const pid = await new Promise<number>((resolve, reject) => {
    child.once('spawn', () => resolve(child.pid ?? 0));
    child.once('error', error =>
      reject(
        new UserError('cannot make namespaces: the command "unshare" (util-linux) failed', undefined, { cause: error }),
      ),
    );
  });
  await execed(pid, 'pause');
  const holder = { pid, startTime: processStartTime(pid) ?? 0 };
  await writeFileAtomic(holderFile(runDir), JSON.stringify(holder));
  return holder;
}

/** Resolves when the process has become `name`: its namespaces are made by then. */
async function execed(pid: number, name: string): Promise<void> {
  const until = Date.now() + 5000;
  while (Date.now() < until) {
    if (processStartTime(pid) === undefined)
      throw new UserError('cannot make namespaces', 'run as root; `keelson doctor` says what this kernel allows');
    if (readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === name) return;
    await new Promise(resolve => setTimeout(resolve, 2));
  }
  throw new UserError(`namespaces of the isolated node did not come up: process ${pid}`);
}

/** Ends the namespaces, if nothing else lives in them. */
export function endHolder(runDir: string): void {
  const holder = findHolder(runDir);
  if (holder) process.kill(holder.pid, 'SIGTERM');
  rmSync(holderFile(runDir), { force: true });
}

/** The words before a command that make it run where the node lives. */
export function enterWords(holder: Holder): string[] {
  return ['nsenter', '--target', String(holder.pid), '--net', '--mount', '--'];
}
