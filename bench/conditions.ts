/** Under what conditions a run was made: a figure without them means nothing. */
import { existsSync, readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';

export interface Conditions {
  readonly date: string;
  readonly processors: string;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly system: string;
  readonly node: string;
  /** File system that holds the clusters' state. */
  readonly state: string;
  /** Load averages of 1, 5 and 15 minutes, before the first part. */
  readonly load: readonly number[];
}

/** @param state folder of the clusters' state */
export function conditionsNow(state: string): Conditions {
  const processors = cpus();
  return {
    date: new Date().toISOString(),
    processors: `${processors.length} × ${processors[0]?.model.trim() ?? 'unknown'}`,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    system: /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'unknown',
    node: process.version,
    state: fileSystemOf(state),
    load: loadavg().map(value => Math.round(value * 100) / 100),
  };
}

export function describeConditions(c: Conditions): string {
  return `${c.date}; ${c.processors}; ${c.memoryGiB} GiB; Linux ${c.kernel}; ${c.system}; Node.js ${c.node}; state on ${c.state}; load average before ${c.load.join(', ')}`;
}

/** Type and what matters of it: without a journal ext4 looks for a free inode past all that were deleted of late. */
function fileSystemOf(folder: string): string {
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map(line => line.split(' '))
    .filter(([, at = '-']) => `${folder}/`.startsWith(at === '/' ? '/' : `${at}/`));
  const [device = '', , type = 'unknown'] = mounts.sort((a, b) => b[1]!.length - a[1]!.length)[0] ?? [];
  if (type !== 'ext4') return type;
  return existsSync(`/proc/fs/jbd2/${device.split('/').pop()}-8`) ? 'ext4 with a journal' : 'ext4 without a journal';
}
