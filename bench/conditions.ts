/** Under what conditions a run was made: a figure without them means nothing. */
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';

export interface Conditions {
  readonly date: string;
  readonly processors: string;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly system: string;
  readonly node: string;
  /** Load averages of 1, 5 and 15 minutes, before the first part. */
  readonly load: readonly number[];
}

export function conditionsNow(): Conditions {
  const processors = cpus();
  return {
    date: new Date().toISOString(),
    processors: `${processors.length} × ${processors[0]?.model.trim() ?? 'unknown'}`,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    system: /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'unknown',
    node: process.version,
    load: loadavg().map(value => Math.round(value * 100) / 100),
  };
}

export function describeConditions(c: Conditions): string {
  return `${c.date}; ${c.processors}; ${c.memoryGiB} GiB; Linux ${c.kernel}; ${c.system}; Node.js ${c.node}; load average before ${c.load.join(', ')}`;
}
