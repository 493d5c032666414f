/**
 * The container runtime (contract.ts): starts attempts through the shim, takes them up again from their directory, and
 * passes on signals, commands and streams. Owns nothing that has to outlive the agent: that is the shim's.
 */
import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  cgroupKill,
  openProcess,
  type Process,
  type ProcessIdentity,
  removeTrees,
  spawnProgram,
} from '../../native/index.js';
import { failpoint, failpointsVariable } from '../../src/base/failpoint.js';
import { askShim, attachToContainer } from './attach.js';
import { type AttemptRecord, currentBootId, readAttempt, readExit, readStarted } from './attempt.js';
import {
  ContainerConfigError,
  type ContainerHandle,
  type ContainerRuntime,
  type ContainerStreams,
  type ExecRequest,
  type ExitRecord,
  type StartRequest,
} from './contract.js';
import { encodeRun } from './encode.js';
import { execInContainer } from './exec.js';
import { failureError } from './failure.js';
import { removeAttemptTree } from './remove.js';
import { socketOf } from './streams.js';
import { FrameDecoder, type ShimFrame } from './wire.js';

/** What the runtime knows of an attempt beside the contract. */
class Attempt implements ContainerHandle {
  #exit: Promise<ExitRecord> | undefined;
  #closed = false;

  constructor(
    readonly directory: string,
    readonly id: string,
    readonly startedAt: string,
    readonly process: ProcessIdentity,
    /** Undefined for an attempt whose own record is gone. */
    readonly record: AttemptRecord | undefined,
    /** The container's first process and its shim; undefined once they are known to have ended. */
    readonly init: Process | undefined,
    readonly shim: Process | undefined,
  ) {}

  exited(): Promise<ExitRecord> {
    this.#exit ??= this.#waitForExit();
    return this.#exit;
  }

  /** False if its first process has ended. */
  signal(number: number): boolean {
    return !this.#closed && (this.init?.signal(number) ?? false);
  }

  #close(): void {
    this.#closed = true;
    this.shim?.close();
    this.init?.close();
  }

  async #waitForExit(): Promise<ExitRecord> {
    await this.shim?.wait();
    this.#close();
    const exit = await readExit(this.directory);
    if (exit) return exit;
    // no shim any more, so nobody can tell how it ended: it must not go on unwatched either
    if (this.record) await cgroupKill(this.record.cgroup).catch(() => {});
    return { code: 255, finishedAt: new Date().toISOString(), oomKilled: false, lost: true };
  }
}

/** Reads the shim's one answer on the control socket: `s` (pid, start time) or `f` (failure); nothing if it died. */
function readAnswer(fd: number): Promise<ShimFrame | undefined> {
  const socket = socketOf(fd);
  const decoder = new FrameDecoder();
  return new Promise(resolve => {
    socket.on('data', chunk => decoder.push(chunk).slice(0, 1).forEach(resolve));
    socket.on('end', () => socket.destroy());
    socket.on('close', () => resolve(undefined));
  }).then(answer => {
    socket.destroy();
    return answer as ShimFrame | undefined;
  });
}

/** Failpoints named `shim.*` are for the shim (src/base/failpoint.ts has the syntax). */
function shimFailpoint(): string | undefined {
  return (process.env[failpointsVariable] ?? '').split(',').find(item => item.startsWith('shim.'));
}

/** Where the shim of a container listens while it lives. @param id of the container */
export const shimSocket = (runDirectory: string, id: string): string => join(runDirectory, `${id.slice(0, 16)}.sock`);

async function recordOf(request: StartRequest): Promise<AttemptRecord> {
  const id = randomBytes(32).toString('hex');
  const { cgroup, shimCgroup, logPath, spec } = request;
  const socketPath = shimSocket(request.runDirectory, id);
  return { version: 1, id, bootId: await currentBootId(), cgroup, shimCgroup, logPath, socketPath, spec };
}

async function launch(request: StartRequest, record: AttemptRecord): Promise<Attempt> {
  const { spec, directory, cgroup, logPath, sandbox } = request;
  const shimPoint = shimFailpoint();
  const config = encodeRun({
    spec,
    directory,
    cgroup,
    logPath,
    sandbox,
    socketPath: record.socketPath,
    record: JSON.stringify(record),
    ...(shimPoint !== undefined && { failpoint: shimPoint }),
  });
  const { process: shim, sockets } = await spawnProgram({
    object: spec.object,
    program: 'shim',
    args: ['run'],
    config,
    sockets: 1,
    cgroup: request.shimCgroup,
  });
  await failpoint('container.afterSpawn');
  const answer = await readAnswer(sockets[0]!);
  if (answer?.type !== 's') {
    await shim.wait();
    shim.close();
    throw failureError(spec.object, answer?.payload.toString() ?? '3 shim ended without an answer');
  }
  const [pid, startTime, startedAt = ''] = answer.payload.toString().split(' ');
  const identity = { pid: Number(pid), startTime: Number(startTime) };
  return new Attempt(directory, record.id, startedAt, identity, record, openProcess(identity), shim);
}

async function start(request: StartRequest): Promise<ContainerHandle> {
  if (request.spec.argv.length === 0) throw new ContainerConfigError('no command specified');
  const record = await recordOf(request);
  // 0700: setuid files in a reachable writable layer would let local users in
  await mkdir(request.directory, { recursive: true, mode: 0o700 });
  await failpoint('container.afterDirectory');
  try {
    return await launch(request, record);
  } catch (error) {
    await removeTrees([request.directory]);
    throw error;
  }
}

const nobody: ProcessIdentity = { pid: 0, startTime: 0 };

async function adopt(directory: string): Promise<ContainerHandle> {
  const record = await readAttempt(directory);
  const started = await readStarted(directory);
  if (!record || !started) return new Attempt(directory, record?.id ?? '', '', nobody, record, undefined, undefined);
  const identity = { pid: started.pid, startTime: started.startTime };
  const sameBoot = record.bootId === (await currentBootId());
  const shim = sameBoot ? openProcess({ pid: started.shimPid, startTime: started.shimStartTime }) : undefined;
  const init = sameBoot ? openProcess(identity) : undefined;
  return new Attempt(directory, record.id, started.startedAt, identity, record, init, shim);
}

function attemptOf(container: ContainerHandle): Attempt & { readonly record: AttemptRecord } {
  if (!(container instanceof Attempt)) throw new TypeError(`container ${container.id} does not come from this runtime`);
  if (!container.record) throw new Error(`container in ${container.directory} has no record: it has been lost`);
  return container as Attempt & { readonly record: AttemptRecord };
}

async function signal(container: ContainerHandle, number: number): Promise<boolean> {
  return container instanceof Attempt && container.signal(number);
}

async function exec(request: ExecRequest): Promise<ContainerStreams> {
  const { record, process } = attemptOf(request.container);
  const { cgroup, command, stdin, tty } = request;
  if (command.length === 0) throw new ContainerConfigError('no command specified');
  return execInContainer({
    spec: record.spec,
    container: process,
    cgroup,
    helperCgroup: record.shimCgroup,
    command,
    stdin,
    tty,
  });
}

export function createContainerRuntime(): ContainerRuntime {
  return {
    start,
    adopt,
    signal,
    exec,
    attach: async (container, options) => attachToContainer(attemptOf(container).record.socketPath, options),
    reopenLog: async container => void (await askShim(attemptOf(container).record.socketPath, 'R')),
    remove: removeAttemptTree,
  };
}
