/** One TCP connection into a pod: a stream of its node's link, as port-forward and proxy use it. */
import { Duplex } from 'node:stream';
import type { Pod } from '../../kube/pod.js';
import type { Status } from '../../kube/status.js';
import { channel } from '../../link/frames.js';
import { badRequest } from '../errors.js';
import { type NodeStream, type NodeStreams, openStream } from '../streams.js';

/** Throws StatusError 400 for a pod that nothing can connect to. */
export function requireRunning(pod: Pod): string {
  const { nodeName } = pod.spec;
  if (!nodeName) throw badRequest(`pod ${pod.metadata.name} does not have a host assigned`);
  const phase = pod.status?.phase;
  if (phase !== 'Running' && phase !== 'Pending')
    throw badRequest(`unable to connect to a pod that is not running; current phase is ${phase ?? 'Unknown'}`);
  return nodeName;
}

/** Throws StatusError 429, 503. A refused connection is told later, by the end of the stream. */
export function connectToPod(streams: NodeStreams, pod: Pod, port: number): Promise<NodeStream> {
  return openStream(streams, requireRunning(pod), {
    kind: 'connect',
    namespace: pod.metadata.namespace ?? '',
    pod: pod.metadata.name,
    uid: pod.metadata.uid ?? '',
    port,
  });
}

/** Why a connection ended, if it was not in peace. */
export function connectionProblem(status: Status | undefined, lost: boolean): string | undefined {
  if (lost) return 'the link to the node was lost';
  return status?.status === 'Failure' ? (status.message ?? 'unknown error') : undefined;
}

/** The connection as a socket, for an HTTP client. */
export function duplexOf(stream: NodeStream): Duplex {
  let resume: () => void = () => {};
  const duplex = new Duplex({
    allowHalfOpen: true,
    read: () => resume(),
    write: (data: Buffer, _encoding, done) => void stream.write(channel.stdin, data).then(() => done(), done),
    final: done => {
      stream.end(channel.stdin);
      done();
    },
    destroy: (error, done) => {
      stream.close();
      done(error);
    },
  });
  stream.listen({
    onData: (_number, data) =>
      duplex.push(data) ? undefined : new Promise<void>(resolve => (resume = () => resolve())),
    onEnd: () => void duplex.push(null),
    onClose: (status, lost) => {
      const problem = connectionProblem(status, lost);
      if (problem !== undefined) return void duplex.destroy(new Error(problem));
      if (!duplex.readableEnded) duplex.push(null);
    },
  });
  return duplex;
}
