/** A cgroup folder of one test file's own below the unified hierarchy, removed with everything in it after the test. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cgroupKill, cgroupRemove } from '../../native/index.js';

/** Where cgroup2 is mounted: /sys/fs/cgroup, or its `unified` folder on a hybrid host. */
export function unifiedRoot(): string {
  const line = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .find(mount => mount.split(' ')[2] === 'cgroup2');
  if (!line) throw new Error('No cgroup2 is mounted.');
  return line.split(' ')[1]!;
}

let count = 0;

/** Runs `body` with the path of a group that does not exist yet. */
export async function withCgroup<T>(body: (path: string) => Promise<T>): Promise<T> {
  const path = `${unifiedRoot()}/keelson-test-${process.pid}-${count++}`;
  try {
    return await body(path);
  } finally {
    await cgroupKill(path);
    await cgroupRemove(path);
  }
}

/** What `ip -j` says, as an independent witness. */
export function ip(...args: string[]): Record<string, unknown>[] {
  return JSON.parse(execFileSync('ip', ['-j', '-d', ...args], { encoding: 'utf8' }) || '[]');
}
