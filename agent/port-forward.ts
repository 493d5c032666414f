/**
 * One TCP connection into a pod, made from inside its network namespace so that listeners on the pod's loopback are reached
 * too. Both halves close on their own; a slow side holds the other up through the stream's credit.
 */
import type { Socket } from 'node:net';
import { connectInside, KernelError } from '../native/index.js';
import { codeOf } from '../src/base/errors.js';
import { failure } from '../src/kube/status.js';
import { channel } from '../src/link/frames.js';
import type { LinkStream } from '../src/link/stream.js';
import { tcpSocketOf, writeTo } from './containers/streams.js';
import type { PodWorker } from './pods/worker.js';

/** Throws StatusError with the words of container runtimes. */
export async function connectToPod(stream: LinkStream, worker: PodWorker, port: number): Promise<void> {
  const { name } = worker.pod.metadata;
  const pid = worker.pausePid;
  if (pid === undefined) throw failure(400, 'BadRequest', `pod ${name} is not running: it has no network namespace`);
  const socket = tcpSocketOf(await open(pid, port, name));
  const over = ended(socket, error => refused(port, name, error.message));
  stream.listen({
    onData: (_number, data) => writeTo(socket, data),
    onEnd: () => socket.end(),
    onClose: () => socket.destroy(),
  });
  try {
    // to its end: the connection is gone before its last bytes have been sent on. Why reading failed is for `over` to say
    await copyOut(socket, stream).catch(() => {});
    stream.end(channel.stdout);
    // the pod has said all; what the client still sends is taken until it ends too
    await over;
    stream.close();
  } finally {
    socket.destroy();
  }
}

/** Resolves when the connection is gone, also when the pod cut it off; rejects if it never came to be. */
function ended(socket: Socket, failed: (error: Error) => Error): Promise<void> {
  const over = new Promise<void>((resolve, reject) => {
    socket.on('error', error => (cuts.has(codeOf(error) ?? '') ? resolve() : reject(failed(error))));
    socket.on('close', () => resolve());
  });
  over.catch(() => {});
  return over;
}

const cuts = new Set(['ECONNRESET', 'EPIPE']);

/** Like pump, but leaves the other half of the connection open. */
async function copyOut(socket: Socket, stream: LinkStream): Promise<void> {
  for await (const part of socket.iterator({ destroyOnReturn: false }))
    await stream.write(channel.stdout, part as Buffer);
}

async function open(pid: number, port: number, pod: string): Promise<number> {
  try {
    return await connectInside(`/proc/${pid}/ns/net`, port, `pod ${pod}`);
  } catch (error) {
    if (error instanceof KernelError) throw refused(port, pod, words[error.code] ?? error.code);
    throw error;
  }
}

const words: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connect: connection refused',
  ETIMEDOUT: 'connect: connection timed out',
  ENETUNREACH: 'connect: network is unreachable',
};

const refused = (port: number, pod: string, why: string) =>
  failure(
    502,
    'BadGateway',
    `failed to connect to localhost:${port} inside the network namespace of pod ${pod}: dial tcp4 127.0.0.1:${port}: ${why}`,
  );
