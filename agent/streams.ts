/** Serves what the controller asks this node to stream: logs, exec, attach, connections into pods. */

import type { ExitStatus } from '../native/index.js';
import { describe } from '../src/base/errors.js';
import { failure, type Status } from '../src/kube/status.js';
import { channel, type StreamRequest } from '../src/link/frames.js';
import type { LinkStream } from '../src/link/stream.js';
import { type ContainerStreams, StartError } from './containers/contract.js';
import { readLogs } from './containers/logs.js';
import { pump, writeTo } from './containers/streams.js';
import type { PodManager } from './pods/manager.js';
import { attemptCgroup, logPath } from './pods/paths.js';
import type { PodWorker } from './pods/worker.js';
import { connectToPod } from './port-forward.js';

export class StreamServer {
  constructor(readonly manager: PodManager) {}

  serve(stream: LinkStream, request: StreamRequest): void {
    void this.#serve(stream, request).catch((error: unknown) => stream.close(statusOf(error)));
  }

  async #serve(stream: LinkStream, request: StreamRequest): Promise<void> {
    const worker = this.manager.find(request.namespace, request.pod, request.uid);
    if (!worker) throw failure(404, 'NotFound', `pods "${request.pod}" not found on this node`);
    switch (request.kind) {
      case 'logs':
        return logs(stream, worker, request);
      case 'exec':
        return exec(stream, worker, request);
      case 'attach':
        return attach(stream, worker, request);
      case 'connect':
        return connectToPod(stream, worker, request.port);
    }
  }
}

async function logs(
  stream: LinkStream,
  worker: PodWorker,
  request: Extract<StreamRequest, { kind: 'logs' }>,
): Promise<void> {
  const facts = worker.facts.containers[request.container];
  const newest = facts ? facts.nextAttempt - 1 : -1;
  const attempt = request.previous ? newest - 1 : newest;
  if (attempt < 0) {
    const what = request.previous
      ? `previous terminated container "${request.container}" in pod "${request.pod}" not found`
      : waitingText(worker, request.container, request.pod);
    throw failure(400, 'BadRequest', what);
  }
  const aborted = new AbortController();
  stream.listen({ onData: () => {}, onEnd: () => {}, onClose: () => aborted.abort() });
  const live = worker.liveContainer(request.container);
  // followed until the container has ended; what it wrote last is still read
  if (live?.attempt === attempt) void live.handle.exited().then(() => aborted.abort());
  const options = {
    follow: request.follow && live?.attempt === attempt,
    timestamps: request.timestamps,
    ...(request.tailLines !== undefined && { tailLines: request.tailLines }),
    ...(request.limitBytes !== undefined && { limitBytes: request.limitBytes }),
    ...(request.sinceTime !== undefined && { sinceTime: request.sinceTime }),
  };
  for await (const part of readLogs(logPath(worker.paths, request.container, attempt), options, aborted.signal)) {
    await stream.write(channel.stdout, part);
  }
  stream.close();
}

function waitingText(worker: PodWorker, container: string, pod: string): string {
  const reason = worker.facts.containers[container]?.obstacle?.reason ?? 'ContainerCreating';
  return `container "${container}" in pod "${pod}" is waiting to start: ${reason}`;
}

function running(worker: PodWorker, container: string) {
  const live = worker.liveContainer(container);
  if (!live) throw failure(400, 'BadRequest', `container not found ("${container}")`);
  return live;
}

async function exec(
  stream: LinkStream,
  worker: PodWorker,
  request: Extract<StreamRequest, { kind: 'exec' }>,
): Promise<void> {
  const live = running(worker, request.container);
  const streams = await worker.node.runtime.exec({
    container: live.handle,
    cgroup: attemptCgroup(worker.paths, request.container, live.attempt),
    command: request.command,
    stdin: request.stdin,
    tty: request.tty,
  });
  await relay(stream, streams);
}

async function attach(
  stream: LinkStream,
  worker: PodWorker,
  request: Extract<StreamRequest, { kind: 'attach' }>,
): Promise<void> {
  const live = running(worker, request.container);
  const streams = await worker.node.runtime.attach(live.handle, { stdin: request.stdin, tty: request.tty });
  // how the container ended is the pod's to tell; attaching has succeeded (kubectl falls back to the log otherwise)
  await relay(stream, { ...streams, exited: streams.exited.then(() => ({ code: 0 })) });
}

/** Copies both ways until the command has ended and all it wrote has been sent; then closes with its result. */
async function relay(stream: LinkStream, streams: ContainerStreams): Promise<void> {
  stream.listen({
    onData: (number, data) => {
      if (number === channel.stdin && streams.stdin) return writeTo(streams.stdin, data);
      if (number === channel.resize) resize(streams, data);
      return undefined;
    },
    onEnd: number => {
      if (number === channel.stdin) streams.stdin?.end();
    },
    onClose: () => streams.close(),
  });
  const outputs = [
    pump(streams.stdout, stream, channel.stdout),
    ...(streams.stderr ? [pump(streams.stderr, stream, channel.stderr)] : []),
  ];
  try {
    const [exit] = await Promise.all([streams.exited, ...outputs]);
    stream.close(exitStatus(exit));
  } finally {
    streams.close();
  }
}

function resize(streams: ContainerStreams, data: Buffer): void {
  try {
    const { Width, Height } = JSON.parse(data.toString('utf8')) as { Width?: unknown; Height?: unknown };
    if (typeof Width === 'number' && typeof Height === 'number') streams.resize(Width & 0xffff, Height & 0xffff);
  } catch {
    // a malformed size changes nothing
  }
}

/** v5.channel.k8s.io's result: Success, or NonZeroExitCode with the code as a cause (kubernetes-wire §11.2). */
export function exitStatus(exit: ExitStatus): Status {
  const code = exit.code ?? 128 + (exit.signal ?? 0);
  if (code === 0) return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success' };
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    reason: 'NonZeroExitCode',
    message: `command terminated with non-zero exit code: exit status ${code}`,
    details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
  };
}

function statusOf(error: unknown): Status {
  if (error && typeof error === 'object' && 'status' in error) return (error as { status: Status }).status;
  const code = error instanceof StartError ? 400 : 500;
  return failure(code, 'InternalError', `Internal error occurred: ${describe(error)}`).status;
}
