/**
 * port-forward over SPDY (kubernetes-wire §11.4): for every connection that kubectl accepts, an error stream and a data
 * stream with the same request id; each pair becomes one connection into the pod.
 */

import type { Duplex } from 'node:stream';
import { describe } from '../../base/errors.js';
import { channel } from '../../link/frames.js';
import { SpdyConnection, type SpdyStream } from '../spdy/connection.js';
import { connectionProblem } from './pod-connection.js';
import type { Forwarder } from './port-forward.js';

/** The other stream of a pair must come within this time, as in Kubernetes. */
const pairMs = 30_000;

interface Pair {
  error?: SpdyStream;
  data?: SpdyStream;
  readonly late: NodeJS.Timeout;
}

export function forwardSpdy(socket: Duplex, head: Buffer, forwarder: Forwarder): void {
  const pairs = new Map<string, Pair>();
  new SpdyConnection(socket, head, {
    onStream: stream => addStream(pairs, stream, forwarder),
    onClose: () => {
      for (const { late } of pairs.values()) clearTimeout(late);
    },
  });
}

function addStream(pairs: Map<string, Pair>, stream: SpdyStream, forwarder: Forwarder): void {
  const type = stream.headers.get('streamtype');
  const port = portOf(stream.headers.get('port'));
  const id = requestId(stream);
  // an error stream is only written to; a data stream waits for its reader
  stream.listen(silent);
  if ((type !== 'error' && type !== 'data') || port === undefined) return stream.reset();
  const pair = pairs.get(id) ?? newPair(pairs, id);
  if (pair[type]) return stream.reset();
  pair[type] = stream;
  if (!pair.error || !pair.data) return;
  clearTimeout(pair.late);
  pairs.delete(id);
  void forward(pair.data, pair.error, port, forwarder);
}

/** Clients before 1.4 sent none: then the data stream's number tells, which comes after the error stream's. */
function requestId({ headers, id }: SpdyStream): string {
  const given = headers.get('requestid');
  if (given !== undefined) return given;
  return String(headers.get('streamtype') === 'error' ? id : id - 2);
}

function newPair(pairs: Map<string, Pair>, id: string): Pair {
  const late = setTimeout(() => {
    pairs.delete(id);
    pair.error?.reset();
    pair.data?.reset();
  }, pairMs);
  const pair: Pair = { late };
  pairs.set(id, pair);
  return pair;
}

const silent = { onData: () => {}, onEnd: () => {}, onReset: () => {} };

function portOf(text: string | undefined): number | undefined {
  const port = Number(text);
  return text !== undefined && /^\d{1,5}$/.test(text) && port >= 1 && port <= 65535 ? port : undefined;
}

async function forward(data: SpdyStream, errors: SpdyStream, port: number, forwarder: Forwarder): Promise<void> {
  let early: Promise<void> | undefined;
  const opening = forwarder.connect(port);
  // what the client sends meanwhile waits for the connection
  data.listen({
    onData: async bytes => (await opening).write(channel.stdin, bytes),
    onEnd: () => void opening.then(stream => stream.end(channel.stdin)).catch(() => {}),
    onReset: () => void opening.then(stream => stream.close()).catch(() => {}),
  });
  const finish = async (problem: string | undefined): Promise<void> => {
    if (problem !== undefined) await errors.write(Buffer.from(forwarder.explain(port, problem))).catch(() => {});
    data.end();
    errors.end();
    // the pod's side is gone: nobody takes what the client may still send
    data.listen(silent);
  };
  try {
    const stream = await opening;
    stream.listen({
      onData: (_number, bytes) => {
        early = data.write(bytes).catch(() => stream.close());
        return early;
      },
      onEnd: () => data.end(),
      onClose: (status, lost) => void finish(connectionProblem(status, lost)),
    });
  } catch (error) {
    await finish(describe(error));
  }
}
