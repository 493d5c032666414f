/** Linux capabilities: names and numbers (linux/capability.h), and the set that a container has by default (rule B5). */
import { ContainerConfigError } from './contract.js';

const names = `CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
  NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE
  SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL
  SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE`.split(
  /\s+/,
);

export const allCapabilities: readonly string[] = names;

export const defaultCapabilities: readonly string[] = `CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID
  SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE`.split(/\s+/);

/** `CAP_NET_ADMIN` or `net_admin` → `NET_ADMIN`. Throws for a name that is none. */
function parseCapability(name: string): string {
  const short = name.toUpperCase().replace(/^CAP_/, '');
  if (!names.includes(short)) throw new ContainerConfigError(`unknown capability "${name}" to add or drop`);
  return short;
}

const isAll = (name: string) => name.toUpperCase() === 'ALL';

/** Kubernetes' order: `drop` (perhaps ALL) is taken from the default set, or `add: [ALL]`, then `add` comes on top. */
export function resolveCapabilities(
  change: { readonly add?: readonly string[]; readonly drop?: readonly string[] } = {},
): string[] {
  const { add = [], drop = [] } = change;
  const start = add.some(isAll) ? allCapabilities : defaultCapabilities;
  const dropped = new Set(drop.filter(name => !isAll(name)).map(parseCapability));
  const kept = drop.some(isAll) && !add.some(isAll) ? [] : start.filter(name => !dropped.has(name));
  const added = add.filter(name => !isAll(name)).map(parseCapability);
  return [...new Set([...kept, ...added])];
}

/** Bit mask for capset(2). */
export function capabilityMask(capabilities: readonly string[]): bigint {
  return capabilities.reduce((mask, name) => mask | (1n << BigInt(names.indexOf(parseCapability(name)))), 0n);
}
