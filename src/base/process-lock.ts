/**
 * One process per directory: a lock file that names its holder by pid and start time, so that a crash leaves no lock
 * that a person has to remove, and a reused pid is not taken for the holder.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { codeOf, UserError } from './errors.js';

export interface ProcessLock {
  release(): void;
}

interface Holder {
  readonly pid: number;
  readonly startTime: number;
}

/** Start time of a living process in clock ticks since boot (field 22 of /proc/PID/stat), or undefined. */
export function processStartTime(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // the command may hold spaces and brackets: count from the last one; field 3 is the state
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : Number(fields[19]);
  } catch {
    return undefined;
  }
}

/** @param what said when it is taken: `data directory /var/lib/keelson`. Throws UserError naming the holder. */
export function acquireLock(path: string, what: string): ProcessLock {
  const own: Holder = { pid: process.pid, startTime: processStartTime(process.pid) ?? 0 };
  for (let tries = 0; tries < 3; tries++) {
    try {
      writeFileSync(path, JSON.stringify(own), { flag: 'wx', mode: 0o600 });
      return heldLock(path);
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
      const holder = lockHolder(path);
      if (holder !== undefined) {
        throw new UserError(`${what} is in use by process ${holder}`, 'stop that one, or choose another --data-dir');
      }
      rmSync(path, { force: true });
    }
  }
  throw new UserError(`${what}: the lock ${path} cannot be taken`, 'another start is under way; try again');
}

/** Let go of by hand, or at the latest when the process exits: a start that failed leaves no lock behind. */
function heldLock(path: string): ProcessLock {
  const release = (): void => {
    process.removeListener('exit', release);
    rmSync(path, { force: true });
  };
  process.once('exit', release);
  return { release };
}

/** The living process that holds a lock, or undefined. */
export function lockHolder(path: string): number | undefined {
  const holder = readHolder(path);
  return holder && processStartTime(holder.pid) === holder.startTime ? holder.pid : undefined;
}

function readHolder(path: string): Holder | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Holder;
  } catch {
    return undefined;
  }
}
