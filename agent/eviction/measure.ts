/** What the machine has left, read from /proc and statfs: microseconds each, so that memory can be looked at every second. */
import { readFileSync } from 'node:fs';
import { diskOf } from '../machine.js';
import type { Measured, Measurements } from './thresholds.js';

/**
 * As kubelet computes it: capacity less the working set, which is what is used but inactive file pages. So less than
 * MemAvailable, which counts active ones as free, too. Pure.
 */
export function memoryMeasured(meminfo: string): Measured | undefined {
  const kibi = (field: string): number => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(meminfo)?.[1] ?? -1);
  const [total, free, inactive] = ['MemTotal', 'MemFree', 'Inactive\\(file\\)'].map(kibi) as [number, number, number];
  if (Math.min(total, free, inactive) < 0) return undefined;
  return { capacity: total * 1024, available: (free + inactive) * 1024 };
}

export const measureMemory = (): Measurements => present('memory.available', memoryMeasured(read('/proc/meminfo')));

/** @param nodeDirectory where pods live, and @param imageDirectory where images do: perhaps on another filesystem */
export function measureDisks(nodeDirectory: string, imageDirectory: string): Measurements {
  return { ...measureDisk('nodefs', nodeDirectory), ...measureDisk('imagefs', imageDirectory) };
}

function measureDisk(name: 'nodefs' | 'imagefs', directory: string): Measurements {
  const { totalBytes, availableBytes, inodes, freeInodes } = diskOf(directory);
  const bytes = { capacity: totalBytes, available: availableBytes };
  return {
    [`${name}.available`]: bytes,
    // a filesystem that makes inodes as it needs them counts none (statfs(2))
    ...(inodes > 0 && { [`${name}.inodesFree`]: { capacity: inodes, available: freeInodes } }),
  };
}

/** /proc/loadavg: `0.20 0.18 0.12 1/80 11206`, the fourth is running/all (proc(5)). Pure. */
export function pidsMeasured(loadavg: string, limits: readonly number[]): Measured | undefined {
  const all = Number(/\/(\d+)/.exec(loadavg)?.[1] ?? Number.NaN);
  const capacity = Math.min(...limits.filter(limit => limit > 0));
  return Number.isFinite(all - capacity) ? { capacity, available: Math.max(0, capacity - all) } : undefined;
}

export function measurePids(): Measurements {
  const limits = ['pid_max', 'threads-max'].map(name => Number(read(`/proc/sys/kernel/${name}`)));
  return present('pid.available', pidsMeasured(read('/proc/loadavg'), limits));
}

const present = (signal: keyof Measurements, value: Measured | undefined): Measurements =>
  value ? { [signal]: value } : {};

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
