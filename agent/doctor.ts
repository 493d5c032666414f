/** Looks at the kernel the way a node will use it: each finding says what is there, and what to type if it is not. */
import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { cgroup2Mounts } from './machine.js';

export interface Finding {
  readonly what: string;
  /** `limited`: a node runs, but something it could do is not there. `missing`: no node can run. */
  readonly level: 'ok' | 'limited' | 'missing';
  readonly found: string;
  readonly hint?: string;
}

export async function kernelFindings(): Promise<Finding[]> {
  return [root(), kernel(), namespaces(), ...cgroups(), overlay(), bridge(), await nft(), await ipvs(), forwarding()];
}

function root(): Finding {
  return process.getuid?.() === 0
    ? { what: 'root', level: 'ok', found: 'running as root' }
    : { what: 'root', level: 'missing', found: `running as user ${process.getuid?.()}`, hint: 'sudo keelson doctor' };
}

/** Oldest kernel that has all that the native layer uses: cgroup.kill is from 5.14 (reliability rule B2). */
const floor = [5, 14] as const;

function kernel(): Finding {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  const ok = major > floor[0] || (major === floor[0] && minor >= floor[1]);
  return ok
    ? { what: 'kernel', level: 'ok', found: release() }
    : {
        what: 'kernel',
        level: 'missing',
        found: `${release()}: ${floor.join('.')} or newer is needed`,
        hint: 'install a newer kernel, e.g. apt install linux-image-amd64 and reboot',
      };
}

function namespaces(): Finding {
  const wanted = ['net', 'mnt', 'pid', 'ipc', 'uts', 'cgroup'];
  const missing = wanted.filter(name => !existsSync(`/proc/self/ns/${name}`));
  return missing.length === 0
    ? { what: 'namespaces', level: 'ok', found: wanted.join(' ') }
    : {
        what: 'namespaces',
        level: 'missing',
        found: `without ${missing.join(', ')}`,
        hint: 'a kernel with these namespaces is needed',
      };
}

function cgroups(): Finding[] {
  const [mount] = cgroup2Mounts(readFileSync('/proc/self/mountinfo', 'utf8'));
  if (!mount) {
    return [
      {
        what: 'cgroup v2',
        level: 'missing',
        found: 'not mounted',
        hint: 'mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 none /sys/fs/cgroup/unified',
      },
    ];
  }
  // another user's right to write there says nothing about root's
  const writable = process.getuid?.() !== 0 || canWrite(mount);
  const controllers = new Set(readFileSync(`${mount}/cgroup.controllers`, 'utf8').trim().split(/\s+/).filter(Boolean));
  const wanted = ['cpu', 'memory', 'pids', 'cpuset'];
  const without = wanted.filter(c => !controllers.has(c));
  return [
    writable
      ? { what: 'cgroup v2', level: 'ok', found: `mounted at ${mount}: grouping, kill and freeze work` }
      : { what: 'cgroup v2', level: 'missing', found: `${mount} is read-only`, hint: `mount -o remount,rw ${mount}` },
    without.length === 0
      ? { what: 'resource limits', level: 'ok', found: wanted.join(' ') }
      : {
          what: 'resource limits',
          level: 'limited',
          found: `without the v2 controllers ${without.join(', ')} (they sit on cgroup v1): pods with such limits are refused`,
          hint: 'boot with the kernel parameter systemd.unified_cgroup_hierarchy=1 cgroup_no_v1=all',
        },
  ];
}

function overlay(): Finding {
  const has = /\boverlay\b/.test(readFileSync('/proc/filesystems', 'utf8')) || moduleExists('overlay');
  return has
    ? { what: 'overlayfs', level: 'ok', found: 'container filesystems in layers' }
    : { what: 'overlayfs', level: 'missing', found: 'not in this kernel', hint: 'modprobe overlay' };
}

function bridge(): Finding {
  const has = existsSync('/sys/module/bridge') || moduleExists('bridge') || !existsSync('/proc/modules');
  return has
    ? { what: 'bridge, veth', level: 'ok', found: 'pod network' }
    : { what: 'bridge, veth', level: 'missing', found: 'no bridge module', hint: 'modprobe bridge veth' };
}

async function nft(): Promise<Finding> {
  const version = await output('nft', ['--version']);
  if (!version)
    return { what: 'nftables', level: 'missing', found: 'the command nft is not here', hint: 'apt install nftables' };
  const works = process.getuid?.() !== 0 || (await output('nft', ['list', 'tables'])) !== undefined;
  return works
    ? { what: 'nftables', level: 'ok', found: version.trim().split('\n')[0] ?? '' }
    : { what: 'nftables', level: 'missing', found: 'the kernel refuses nf_tables', hint: 'modprobe nf_tables' };
}

async function ipvs(): Promise<Finding> {
  const has = existsSync('/proc/net/ip_vs') || moduleExists('ip_vs');
  return has
    ? { what: 'ip_vs', level: 'ok', found: 'proxy mode ipvs is possible' }
    : {
        what: 'ip_vs',
        level: 'limited',
        found: 'not in this kernel: proxy mode ipvs is not possible, nftables is',
        hint: 'modprobe ip_vs (Debian kernels have it)',
      };
}

function forwarding(): Finding {
  const on = readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8').trim() === '1';
  return { what: 'ip_forward', level: 'ok', found: on ? 'on' : 'off: the agent turns it on in its network namespace' };
}

/** A module that could be loaded: listed in modules.dep of this kernel. */
function moduleExists(name: string): boolean {
  try {
    return new RegExp(`/${name}\\.ko`).test(readFileSync(`/lib/modules/${release()}/modules.dep`, 'utf8'));
  } catch {
    return false;
  }
}

function canWrite(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Standard output of a command, or undefined if it failed. */
function output(command: string, args: readonly string[]): Promise<string | undefined> {
  return new Promise(resolve =>
    execFile(command, args, { timeout: 5000 }, (error, stdout) => resolve(error ? undefined : stdout)),
  );
}
