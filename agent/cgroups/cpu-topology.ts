/** The machine's cores, from sysfs: which hardware threads share one. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseCpuList } from './cpu-list.js';

export function readCores(root = '/sys/devices/system/cpu'): number[][] {
  const online = parseCpuList(readFileSync(join(root, 'online'), 'utf8'));
  const cores = new Map<string, number[]>();
  for (const cpu of online) {
    const siblings = siblingsOf(root, cpu).filter(other => online.includes(other));
    cores.set(siblings.join(), siblings);
  }
  return [...cores.values()].sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0));
}

/** A machine that does not tell has one thread per core. */
function siblingsOf(root: string, cpu: number): number[] {
  const directory = join(root, `cpu${cpu}`, 'topology');
  try {
    const file = readdirSync(directory).includes('core_cpus_list') ? 'core_cpus_list' : 'thread_siblings_list';
    const siblings = parseCpuList(readFileSync(join(directory, file), 'utf8'));
    return siblings.includes(cpu) ? siblings : [cpu];
  } catch {
    return [cpu];
  }
}
