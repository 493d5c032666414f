/**
 * What the pod worker asks of the container runtime (design §5). One *attempt* is one run of one container: it has a
 * directory of its own, a cgroup of its own that is never used again (platform fact 1), and one shim. Everything needed
 * to adopt it after a restart is in its directory.
 */
import type { ExitStatus, ProcessIdentity } from '../../native/index.js';

export interface MountSpec {
  /** Absolute path on the node: a directory or a file. */
  readonly source: string;
  /** Absolute path in the container; resolved inside its rootfs. */
  readonly target: string;
  readonly readOnly: boolean;
  /** What is mounted below it, too. */
  readonly recursiveReadOnly?: boolean;
  readonly propagation: 'private' | 'slave' | 'shared';
}

/** Everything about one run of one container; plain data, made by the pure `spec.ts`. */
export interface ContainerSpec {
  /** For errors and logs: `container app of pod default/web-0`. */
  readonly object: string;
  readonly argv: readonly string[];
  /** `K=V`, complete. */
  readonly env: readonly string[];
  readonly cwd: string;
  /** `uid`, `uid:gid`, `name`, `name:group` are looked up in the rootfs' passwd and group by the runtime. */
  readonly user: string;
  readonly runAsGroup?: number;
  readonly runAsNonRoot: boolean;
  readonly supplementalGroups: readonly number[];
  /** Only these: not also those that the image's /etc/group has for the user. */
  readonly strictGroups: boolean;
  /** The pod has a user namespace: the node's ID that is 0 inside. */
  readonly idBase?: number;
  /** Absolute layer directories, lowest first. */
  readonly layers: readonly string[];
  readonly readOnlyRootfs: boolean;
  readonly mounts: readonly MountSpec[];
  /** Effective set, names without CAP_. */
  readonly capabilities: readonly string[];
  readonly privileged: boolean;
  readonly noNewPrivileges: boolean;
  /** Or the program of a profile of the node's own, in base64: the file may be another one by the time of an exec. */
  readonly seccomp: 'default' | 'unconfined' | { readonly program: string };
  readonly maskProc: boolean;
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  readonly oomScoreAdj: number;
  /** true: the container joins pause's PID namespace; else it has one of its own. */
  readonly sharePid: boolean;
  /** Host namespaces: nothing to enter for those that pause did not get. */
  readonly hostNetwork: boolean;
  readonly hostIPC: boolean;
  readonly hostPID: boolean;
}

export interface StartRequest {
  /** The attempt's own directory, made by the runtime: `<pod dir>/containers/<name>/<attempt>`. */
  readonly directory: string;
  readonly spec: ContainerSpec;
  /** Leaf cgroup of this attempt (already made, limits written). */
  readonly cgroup: string;
  /** Where the shim itself lives. */
  readonly shimCgroup: string;
  readonly sandbox: ProcessIdentity;
  readonly logPath: string;
  /** Directory for the shim's unix socket (path length limit 108). */
  readonly runDirectory: string;
}

/** A running or ended attempt. */
export interface ContainerHandle {
  readonly directory: string;
  /** Unique, 64 hex digits, as in `containerID: keelson://<id>`. */
  readonly id: string;
  readonly startedAt: string;
  readonly process: ProcessIdentity;
  /** Resolves when it has ended and its record is durable. */
  exited(): Promise<ExitRecord>;
}

/** What the shim writes, atomically, as `exit.json` in the attempt's directory. */
export interface ExitRecord extends ExitStatus {
  /** RFC 3339 with nanoseconds. */
  readonly finishedAt: string;
  /** True if oom_kill in memory.events of its cgroup had risen: read by the shim before it publishes the exit. */
  readonly oomKilled: boolean;
  /** True if no record could be found: it must be reported as failed (255, Unknown). */
  readonly lost?: boolean;
}

/** The entrypoint could not be started: `StartError`, exit code 128, waiting reason RunContainerError. */
export class StartError extends Error {
  override name = 'StartError';
}
/** The configuration cannot be met (runAsNonRoot with root, unknown user, …): CreateContainerConfigError. */
export class ContainerConfigError extends Error {
  override name = 'ContainerConfigError';
}

/** It cannot be made as asked for on this node: CreateContainerError. */
export class CreateError extends Error {
  override name = 'CreateError';
}

export interface ExecRequest {
  readonly container: ContainerHandle;
  readonly cgroup: string;
  readonly command: readonly string[];
  readonly stdin: boolean;
  readonly tty: boolean;
}

/** Streams of a running exec or attach. Readable sides end when the process has closed them. */
export interface ContainerStreams {
  readonly stdin?: NodeJS.WritableStream;
  readonly stdout: NodeJS.ReadableStream;
  /** Absent with a TTY. */
  readonly stderr?: NodeJS.ReadableStream;
  resize(columns: number, rows: number): void;
  /** Exec: the command's own exit. Attach: the container's. Rejects with StartError if it could not be started. */
  readonly exited: Promise<ExitStatus>;
  /** Ends the session: kills an exec'ed command, detaches an attach. */
  close(): void;
}

export interface ContainerRuntime {
  /** Resolves when the entrypoint has been exec'ed; throws StartError, ContainerConfigError or KernelError, with nothing left behind. */
  start(request: StartRequest): Promise<ContainerHandle>;
  /** Takes up an attempt found on disk after a restart. Never throws for a dead or broken one: it then has ended, perhaps `lost`. */
  adopt(directory: string): Promise<ContainerHandle>;
  /** Sends a signal to the container's first process. False if it has ended. */
  signal(container: ContainerHandle, signal: number): Promise<boolean>;
  exec(request: ExecRequest): Promise<ContainerStreams>;
  attach(
    container: ContainerHandle,
    options: { readonly stdin: boolean; readonly tty: boolean },
  ): Promise<ContainerStreams>;
  /** After the log file was renamed: the shim opens `logPath` anew. */
  reopenLog(container: ContainerHandle): Promise<void>;
  /** Removes the attempt's writable layer and directory (not its log). It must have ended. Repeating is success. */
  remove(directory: string): Promise<void>;
}
