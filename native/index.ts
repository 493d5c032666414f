/**
 * The typed face of the addon: the only file that loads the .node, the only place with raw fds. Mechanism without
 * policy. Every call that can block runs on a libuv worker thread and settles a promise; failures become KernelError.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type {
  AddressInfo,
  CgroupFiles,
  CgroupStats,
  DeviceRule,
  ExitStatus,
  FileOp,
  ForgetConnections,
  IpvsOp,
  IpvsState,
  LinkInfo,
  NetlinkOp,
  NetNs,
  NfFamily,
  NftCount,
  NftElements,
  ProcessIdentity,
  RouteInfo,
  SandboxSpec,
  SpawnSpec,
  TableFamily,
  VethInfo,
  VethSpec,
} from './types.js';

export type * from './types.js';

/** A system call that failed. Reads like `clone3(CLONE_NEWNET) for pod default/web-0: EPERM (run as root)`. */
export class KernelError extends Error {
  constructor(
    /** The call with what matters of its arguments: `clone3(CLONE_NEWNET)`, `write(memory.max)`, `RTM_NEWLINK`. */
    readonly syscall: string,
    /** What it was done for or to: `pod default/web-0`, `/sys/fs/cgroup/…`, `eth0`. */
    readonly object: string,
    readonly errno: number,
    /** `EPERM` */
    readonly code: string,
    /** A person's next step, or the kernel's own extended message. */
    readonly hint?: string,
  ) {
    super(`${syscall} for ${object}: ${code}${hint ? ` (${hint})` : ''}`);
    this.name = 'KernelError';
  }
}

/** A process held by pidfd. Closed once, by `close()` or the collector. */
export interface Process extends ProcessIdentity {
  /**
   * Resolves when it has ended: with its exit status if it is our child (and reaps it), with `{}` if it is somebody
   * else's (an adopted one). Any number of callers.
   */
  wait(): Promise<ExitStatus>;
  /** pidfd_send_signal. False if it has already ended. */
  signal(signal: number): boolean;
  readonly ended: boolean;
  close(): void;
}

export type NetlinkResult = null | LinkInfo[] | AddressInfo[] | RouteInfo[];

export interface CgroupApplySpec {
  readonly root: string;
  readonly path: string;
  readonly controllers: readonly string[];
  readonly files: CgroupFiles;
}

/** What the addon hands over for a process: an opaque handle that the collector also closes. */
interface RawProcess extends ProcessIdentity {
  readonly handle: object;
}

/** The addon's functions, as native/addon/binding.cc lists them. */
interface Binding {
  setKernelErrorClass(errorClass: typeof KernelError): void;
  setProgramDirectory(path: string): void;
  createSandbox(spec: SandboxSpec): Promise<RawProcess>;
  spawnProgram(spec: SpawnSpec): Promise<RawProcess & { sockets: number[] }>;
  processOpen(pid: number, startTime: number): RawProcess | undefined;
  processWait(handle: object): Promise<ExitStatus>;
  processSignal(handle: object, signal: number): boolean;
  processEnded(handle: object): boolean;
  processClose(handle: object): void;
  cgroupApply(spec: CgroupApplySpec): Promise<void>;
  cgroupKill(path: string): Promise<void>;
  cgroupFreeze(path: string, frozen: boolean): Promise<void>;
  cgroupRemove(path: string): Promise<void>;
  cgroupStats(paths: readonly string[]): Promise<(CgroupStats | null)[]>;
  cgroupPids(path: string): Promise<number[]>;
  cgroupDevices(path: string, rules: readonly DeviceRule[]): Promise<void>;
  diskUsage(paths: readonly string[]): Promise<number[]>;
  netlink(netns: NetNs, ops: readonly NetlinkOp[]): Promise<NetlinkResult[]>;
  removeTrees(paths: readonly string[]): Promise<void>;
  writeFiles(ops: readonly FileOp[]): Promise<void>;
  makeNode(path: string, mode: number, major: number, minor: number): void;
  setXattr(path: string, name: string, value: Uint8Array): void;
  vethAttach(spec: VethSpec): Promise<VethInfo>;
  netnsConnect(spec: { netns: string; port: number; object: string }): Promise<number>;
  nftElements(family: NfFamily, table: string, ops: readonly NftElements[]): Promise<void>;
  nftGeneration(): Promise<number>;
  nftCount(family: TableFamily, table: string, sets: readonly string[]): Promise<NftCount>;
  conntrackDelete(family: NfFamily, protocol: number, wanted: readonly ForgetConnections[]): Promise<number>;
  ipvs(ops: readonly IpvsOp[]): Promise<void>;
  ipvsList(): Promise<IpvsState[]>;
  dummyLink(name: string): Promise<void>;
}

/** `build/Release` of the checkout, seen from native/index.ts or dist/native/index.js; KEELSON_NATIVE names another. */
function nativeDirectory(): string {
  const named = process.env.KEELSON_NATIVE;
  if (named) return named;
  const here = dirname(fileURLToPath(import.meta.url));
  const candidates = ['../build/Release', '../../build/Release'].map(path => join(here, path));
  return candidates.find(path => existsSync(join(path, 'keelson.node'))) ?? candidates[0]!;
}

function loadBinding(): Binding {
  const directory = nativeDirectory();
  const file = join(directory, 'keelson.node');
  if (!existsSync(file)) throw new Error(`Cannot load "${file}": it is not built; run \`npm run build\`.`);
  const binding = createRequire(import.meta.url)(file) as Binding;
  binding.setKernelErrorClass(KernelError);
  binding.setProgramDirectory(directory);
  return binding;
}

let loaded: Binding | undefined;
/** Loaded at the first call, so that types and KernelError can be used where the addon is not built. */
function addon(): Binding {
  loaded ??= loadBinding();
  return loaded;
}

class PidfdProcess implements Process {
  readonly pid: number;
  readonly startTime: number;
  readonly #handle: object;

  constructor(raw: RawProcess) {
    this.pid = raw.pid;
    this.startTime = raw.startTime;
    this.#handle = raw.handle;
  }
  wait(): Promise<ExitStatus> {
    return addon().processWait(this.#handle);
  }
  signal(signal: number): boolean {
    return addon().processSignal(this.#handle, signal);
  }
  get ended(): boolean {
    return addon().processEnded(this.#handle);
  }
  close(): void {
    addon().processClose(this.#handle);
  }
}

/** clone3 of pause into its cgroup with new namespaces; hostname, sysctls, loopback up: one trip. */
export async function createSandbox(spec: SandboxSpec): Promise<Process> {
  return new PidfdProcess(await addon().createSandbox(spec));
}

/** Takes a pidfd of a living process again and checks its start time. Undefined if that process is gone. */
export function openProcess(identity: ProcessIdentity): Process | undefined {
  const raw = addon().processOpen(identity.pid, identity.startTime);
  return raw && new PidfdProcess(raw);
}

/** Starts one of our static programs, never forking Node: clone(CLONE_VM|CLONE_VFORK) + execveat of a sealed memfd. */
export async function spawnProgram(spec: SpawnSpec): Promise<{ process: Process; sockets: number[] }> {
  const raw = await addon().spawnProgram(spec);
  return { process: new PidfdProcess(raw), sockets: raw.sockets };
}

/** Makes the directory (with parents, enabling `controllers` in each parent's subtree_control from `root` down) and writes the files. */
export function cgroupApply(spec: CgroupApplySpec): Promise<void> {
  return addon().cgroupApply(spec);
}

/** Writes `1` to cgroup.kill and resolves when the group is no longer populated. A missing group is success. */
export function cgroupKill(path: string): Promise<void> {
  return addon().cgroupKill(path);
}
/** Resolves when all of the group is frozen, or none of it is. A missing group is success. */
export function cgroupFreeze(path: string, frozen: boolean): Promise<void> {
  return addon().cgroupFreeze(path, frozen);
}
/** Removes the group and its descendants, bottom up (they must hold no process). A missing one is success. */
export function cgroupRemove(path: string): Promise<void> {
  return addon().cgroupRemove(path);
}
/** One trip for any number of groups; null for those that are gone. */
export function cgroupStats(paths: readonly string[]): Promise<(CgroupStats | null)[]> {
  return addon().cgroupStats(paths);
}
/** The pids of a group (not of its descendants). */
export function cgroupPids(path: string): Promise<number[]> {
  return addon().cgroupPids(path);
}

/** From now on the processes of a group may open and make only these devices; once per group (cgroup v2, BPF). */
export function cgroupDevices(path: string, rules: readonly DeviceRule[]): Promise<void> {
  return addon().cgroupDevices(path, rules);
}

/** Bytes that each tree takes on its filesystem; 0 for what is not there. Walks on the thread pool. */
export function diskUsage(paths: readonly string[]): Promise<number[]> {
  return addon().diskUsage(paths);
}

/**
 * Removes each path with all below it, in the order given, in one trip. No link is followed and no mount crossed: one that
 * is in the way is detached. What is missing is success.
 */
export function removeTrees(paths: readonly string[]): Promise<void> {
  return addon().removeTrees(paths);
}

/** Runs a list of rtnetlink operations in one namespace, in one trip, in order; stops at the first failure. */
export function netlink(netns: NetNs, ops: readonly NetlinkOp[]): Promise<NetlinkResult[]> {
  return addon().netlink(netns, ops);
}

/** The whole link of a pod in one trip: veth into the namespace and on the bridge, lo and eth0 up, addresses, routes. */
export function vethAttach(spec: VethSpec): Promise<VethInfo> {
  return addon().vethAttach(spec);
}

/**
 * A TCP connection to a port of another namespace's loopback, IPv4 first and IPv6 if that is refused. Resolves with a
 * non-blocking descriptor that the caller owns; where the listener is slow, it may still be connecting.
 * @param netns such as `/proc/PID/ns/net`
 */
export function connectInside(netns: string, port: number, object: string): Promise<number> {
  return addon().netnsConnect({ netns, port, object });
}

/** Directories, small files and fsyncs in the order given, in one trip; stops at the first failure. */
export function writeFiles(ops: readonly FileOp[]): Promise<void> {
  return addon().writeFiles(ops);
}

/** mknod(2): devices and FIFOs of image layers. @param mode with the file type, e.g. `S_IFCHR | 0o666` */
export function makeNode(path: string, mode: number, major: number, minor: number): void {
  addon().makeNode(path, mode, major, minor);
}

/** lsetxattr(2): never through a symbolic link. */
export function setXattr(path: string, name: string, value: Uint8Array): void {
  addon().setXattr(path, name, value);
}

/** One transaction of nftables: all of the elements are added and deleted, in this order, or none. */
export function nftElements(family: NfFamily, table: string, ops: readonly NftElements[]): Promise<void> {
  return addon().nftElements(family, table, ops);
}
/** Counts every transaction of nftables in this network namespace, whoever makes it. */
export function nftGeneration(): Promise<number> {
  return addon().nftGeneration();
}
/** How many rules a table holds, and how many elements each of its sets: at a cost of all of them. */
export function nftCount(family: TableFamily, table: string, sets: readonly string[]): Promise<NftCount> {
  return addon().nftCount(family, table, sets);
}
/** Makes the kernel forget connections; resolves with how many. @param protocol number of the IP protocol, 17 for UDP */
export function conntrackDelete(
  family: NfFamily,
  protocol: number,
  wanted: readonly ForgetConnections[],
): Promise<number> {
  return addon().conntrackDelete(family, protocol, wanted);
}

/** Changes virtual servers, in this order; all are tried, and the first failure rejects. */
export function ipvs(ops: readonly IpvsOp[]): Promise<void> {
  return addon().ipvs(ops);
}
/** Every virtual server of this network namespace. Rejects with ENOENT if the kernel has no ip_vs. */
export function ipvsList(): Promise<IpvsState[]> {
  return addon().ipvsList();
}
/** A link that holds addresses and sends nothing. One of that name is success. */
export function dummyLink(name: string): Promise<void> {
  return addon().dummyLink(name);
}
