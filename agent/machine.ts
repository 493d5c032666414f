/** This machine as the node sees it: read straight from /proc, /sys and statfs (platform §1.3: microseconds each). */
import { accessSync, constants, readFileSync, statfsSync } from 'node:fs';
import { arch, availableParallelism, networkInterfaces, release } from 'node:os';
import { codeOf, UserError } from '../src/base/errors.js';
import { version } from '../src/base/version.js';
import type { NodeSystemInfo } from '../src/kube/node.js';

export interface CgroupTree {
  readonly mount: string;
  readonly controllers: ReadonlySet<string>;
}

/** Where cgroup2 is mounted and what it controls. Throws UserError where there is none. */
export function cgroupTree(mountinfo = readFileSync('/proc/self/mountinfo', 'utf8')): CgroupTree {
  const mounts = cgroup2Mounts(mountinfo);
  const mount = mounts[0];
  if (!mount)
    throw new UserError(
      'no cgroup v2 hierarchy is mounted here',
      'mount one: mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 none /sys/fs/cgroup/unified',
    );
  if (!isWritable(mount))
    throw new UserError(`cgroup v2 at ${mount} is mounted read-only`, `remount it: mount -o remount,rw ${mount}`);
  const controllers = readFileSync(`${mount}/cgroup.controllers`, 'utf8').trim().split(/\s+/).filter(Boolean);
  return { mount, controllers: new Set(controllers.filter(c => usedControllers.has(c))) };
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch (error) {
    return codeOf(error) !== 'EROFS';
  }
}

const usedControllers = new Set(['cpu', 'cpuset', 'io', 'memory', 'pids', 'hugetlb']);

/** Mount points of type cgroup2 in /proc/PID/mountinfo text (proc(5): fields after ` - ` are type, source, options). */
export function cgroup2Mounts(mountinfo: string): string[] {
  return mountinfo
    .split('\n')
    .map(line => line.split(' - '))
    .filter(([, tail]) => tail?.startsWith('cgroup2 '))
    .map(([head]) => head?.split(' ')[4] ?? '')
    .filter(Boolean);
}

export const bootID = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();

/** Bytes of a line of /proc/meminfo. */
export function memoryBytes(
  field: 'MemTotal' | 'MemAvailable',
  meminfo = readFileSync('/proc/meminfo', 'utf8'),
): number {
  const match = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(meminfo);
  return Number(match?.[1] ?? 0) * 1024;
}

export interface Disk {
  readonly totalBytes: number;
  readonly availableBytes: number;
  readonly inodes: number;
  readonly freeInodes: number;
}

export function diskOf(path: string): Disk {
  const s = statfsSync(path);
  return { totalBytes: s.blocks * s.bsize, availableBytes: s.bavail * s.bsize, inodes: s.files, freeInodes: s.ffree };
}

export const cpuCount = (): number => availableParallelism();

/**
 * The first address of a family on an interface that is neither loopback nor ours, for others to reach this node by;
 * undefined in a namespace without an uplink.
 */
export function nodeAddress(
  family: 4 | 6,
  interfaces = networkInterfaces(),
  passed = /^(lo|cni\d|veth|docker|br-|keelson\.|kube-)/,
): string | undefined {
  for (const [name, addresses] of Object.entries(interfaces)) {
    if (passed.test(name)) continue;
    const found = addresses?.find(a => a.family === `IPv${family}` && !a.internal && !isLinkLocal(a.address));
    if (found) return found.address;
  }
  return undefined;
}

/** A bridge's address will do, whoever has made it: in a namespace without an uplink there is no other. */
export const anyAddress = (family: 4 | 6): string | undefined =>
  nodeAddress(family, networkInterfaces(), /^(lo|keelson\.|kube-)/);

const isLinkLocal = (address: string): boolean => /^fe[89ab]/i.test(address);

export function systemInfo(): NodeSystemInfo {
  const osRelease = read('/etc/os-release') ?? '';
  const machineID = read('/etc/machine-id')?.trim() ?? '';
  return {
    machineID,
    systemUUID: read('/sys/class/dmi/id/product_uuid')?.trim().toLowerCase() ?? machineID,
    bootID: bootID(),
    kernelVersion: release(),
    osImage: /^PRETTY_NAME="?([^"\n]*)"?/m.exec(osRelease)?.[1] ?? 'Linux',
    containerRuntimeVersion: `keelson://${version}`,
    kubeletVersion: `v1.35.0+keelson-${version}`,
    kubeProxyVersion: '',
    operatingSystem: 'linux',
    architecture: arch() === 'x64' ? 'amd64' : arch(),
  };
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
