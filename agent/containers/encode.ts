/**
 * The shim's configuration as bytes: magic, then records of u16 key, u32 length, value (little endian). The one writer
 * for the one parser, native/shim/config.c; keys and flags are the same numbers there.
 */
import type { ProcessIdentity } from '../../native/index.js';
import { capabilityMask } from './capabilities.js';
import { ContainerConfigError, type ContainerSpec, type MountSpec } from './contract.js';
import { defaultSeccomp } from './seccomp.js';

const magic = Buffer.from('KSHIM01\n');

const key = {
  object: 1,
  argv: 2,
  env: 3,
  cwd: 4,
  user: 5,
  group: 6,
  supplemental: 7,
  layer: 8,
  flags: 9,
  mount: 10,
  capabilities: 11,
  seccomp: 12,
  oomScoreAdj: 13,
  directory: 14,
  cgroup: 15,
  log: 16,
  socket: 17,
  targetPid: 18,
  targetStart: 19,
  namespaces: 20,
  limit: 21,
  failpoint: 22,
  record: 23,
  idBase: 24,
} as const;

const flag = {
  readOnlyRoot: 1,
  privileged: 2,
  noNewPrivileges: 4,
  tty: 8,
  stdin: 16,
  stdinOnce: 32,
  mask: 64,
  sharePid: 128,
  nonRoot: 256,
  hostPid: 512,
  strictGroups: 1024,
} as const;

const mountFlag = { readOnly: 1, slave: 2, shared: 4, recursive: 8 } as const;

/** Flags of clone(2), for the namespaces to enter. */
const namespaceFlag = {
  mnt: 0x20000,
  cgroup: 0x2000000,
  uts: 0x4000000,
  ipc: 0x8000000,
  pid: 0x20000000,
  net: 0x40000000,
};

/** RLIMIT_NOFILE; systemd's defaults, because Node raises its own soft limit and children would inherit that. */
const openFiles = { resource: 7, soft: 1024n, hard: 524288n };

class Encoder {
  readonly #parts: Buffer[] = [magic];

  bytes(name: keyof typeof key, value: Uint8Array): void {
    const header = Buffer.alloc(6);
    header.writeUInt16LE(key[name], 0);
    header.writeUInt32LE(value.length, 2);
    this.#parts.push(header, Buffer.from(value));
  }
  /** @throws ContainerConfigError for a text with a NUL, which no argument, variable or path can have */
  text(name: keyof typeof key, value: string): void {
    this.bytes(name, Buffer.from(`${checked(name, value)}\0`));
  }
  u32(name: keyof typeof key, value: number): void {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value >>> 0);
    this.bytes(name, bytes);
  }
  u64(name: keyof typeof key, value: bigint): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(value);
    this.bytes(name, bytes);
  }
  end(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

function checked(name: string, value: string): string {
  if (value.includes('\0'))
    throw new ContainerConfigError(`the ${name} ${JSON.stringify(value)} contains a NUL character`);
  return value;
}

function mountBytes(mount: MountSpec): Buffer {
  const propagation = { private: 0, slave: mountFlag.slave, shared: mountFlag.shared }[mount.propagation];
  const flags = Buffer.alloc(4);
  flags.writeUInt32LE(
    (mount.readOnly ? mountFlag.readOnly : 0) | (mount.recursiveReadOnly ? mountFlag.recursive : 0) | propagation,
  );
  return Buffer.concat([
    flags,
    Buffer.from(`${checked('mount source', mount.source)}\0${checked('mount target', mount.target)}\0`),
  ]);
}

function flagsOf(spec: ContainerSpec): number {
  const wanted: readonly (readonly [keyof typeof flag, boolean])[] = [
    ['readOnlyRoot', spec.readOnlyRootfs],
    ['privileged', spec.privileged],
    ['noNewPrivileges', spec.noNewPrivileges],
    ['tty', spec.tty],
    ['stdin', spec.stdin],
    ['stdinOnce', spec.stdinOnce],
    ['mask', spec.maskProc],
    ['sharePid', spec.sharePid],
    ['nonRoot', spec.runAsNonRoot],
    ['hostPid', spec.hostPID],
    ['strictGroups', spec.strictGroups],
  ];
  return wanted.reduce((sum, [name, on]) => (on ? sum | flag[name] : sum), 0);
}

/** What a container and a command executed in it have in common: who they are and what they may do. */
function encodeProcess(out: Encoder, spec: ContainerSpec, argv: readonly string[]): void {
  out.text('object', spec.object);
  for (const argument of argv) out.text('argv', argument);
  for (const variable of spec.env) out.text('env', variable);
  out.text('cwd', spec.cwd);
  out.text('user', spec.user);
  if (spec.runAsGroup !== undefined) out.u32('group', spec.runAsGroup);
  for (const group of spec.supplementalGroups) out.u32('supplemental', group);
  out.u64('capabilities', capabilityMask(spec.capabilities));
  if (spec.seccomp === 'default') out.bytes('seccomp', defaultSeccomp(spec.capabilities));
  else if (spec.seccomp !== 'unconfined') out.bytes('seccomp', Buffer.from(spec.seccomp.program, 'base64'));
  out.u32('oomScoreAdj', spec.oomScoreAdj);
  if (spec.idBase !== undefined) out.u32('idBase', spec.idBase);
  out.bytes('limit', limitBytes());
}

function limitBytes(): Buffer {
  const bytes = Buffer.alloc(20);
  bytes.writeUInt32LE(openFiles.resource, 0);
  bytes.writeBigUInt64LE(openFiles.soft, 4);
  bytes.writeBigUInt64LE(openFiles.hard, 12);
  return bytes;
}

function encodeTarget(out: Encoder, target: ProcessIdentity, namespaces: number): void {
  out.u32('targetPid', target.pid);
  out.u64('targetStart', BigInt(target.startTime));
  out.u32('namespaces', namespaces);
}

export interface RunConfig {
  readonly spec: ContainerSpec;
  readonly directory: string;
  readonly cgroup: string;
  readonly logPath: string;
  readonly socketPath: string;
  readonly sandbox: ProcessIdentity;
  /** attempt.json, which the shim writes before anything else. */
  readonly record: string;
  readonly failpoint?: string;
}

export function encodeRun(config: RunConfig): Buffer {
  const { spec } = config;
  const out = new Encoder();
  encodeProcess(out, spec, spec.argv);
  for (const layer of spec.layers) out.text('layer', layer);
  for (const mount of spec.mounts) out.bytes('mount', mountBytes(mount));
  out.u32('flags', flagsOf(spec));
  out.text('directory', config.directory);
  out.text('cgroup', config.cgroup);
  out.text('log', config.logPath);
  out.text('socket', config.socketPath);
  out.text('record', config.record);
  // pause has what it did not get of its own from the node: entering it is then no change
  encodeTarget(out, config.sandbox, namespaceFlag.net | namespaceFlag.ipc | namespaceFlag.uts);
  if (config.failpoint !== undefined) out.text('failpoint', config.failpoint);
  return out.end();
}

export interface ExecConfig {
  readonly spec: ContainerSpec;
  readonly command: readonly string[];
  readonly cgroup: string;
  readonly container: ProcessIdentity;
  readonly tty: boolean;
  readonly stdin: boolean;
}

/** A command runs as the container does: same user, environment, capabilities, seccomp, cgroup and namespaces. */
export function encodeExec(config: ExecConfig): Buffer {
  const { spec } = config;
  const out = new Encoder();
  encodeProcess(out, spec, config.command);
  const { noNewPrivileges, runAsNonRoot } = spec;
  const flags =
    (config.tty ? flag.tty : 0) |
    (config.stdin ? flag.stdin : 0) |
    (noNewPrivileges ? flag.noNewPrivileges : 0) |
    (spec.strictGroups ? flag.strictGroups : 0) |
    (runAsNonRoot ? flag.nonRoot : 0);
  out.u32('flags', flags);
  out.text('cgroup', config.cgroup);
  encodeTarget(
    out,
    config.container,
    Object.values(namespaceFlag).reduce((sum, bit) => sum | bit, 0),
  );
  return out.end();
}
