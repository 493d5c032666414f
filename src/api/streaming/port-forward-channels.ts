/**
 * port-forward over plain WebSocket messages (`v4.channel.k8s.io`), as client libraries speak it: port i of the query has
 * channel 2i for its one connection and 2i + 1 for its error; each begins with the port, two bytes little endian.
 */
import type { WebSocket } from 'ws';
import { describe } from '../../base/errors.js';
import { channel } from '../../link/frames.js';
import { badRequest } from '../errors.js';
import type { NodeStream } from '../streams.js';
import { connectionProblem } from './pod-connection.js';
import type { Forwarder } from './port-forward.js';

/** A channel is one byte, and each port has two. */
const maxPorts = 120;

/** `ports=80&ports=443`, `ports=80,443`, `port=80`. Throws StatusError 400. */
export function portsOf(query: URLSearchParams): number[] {
  const texts = [...query.getAll('ports'), ...query.getAll('port')].flatMap(text => text.split(','));
  if (texts.length > maxPorts) throw badRequest(`${texts.length} ports; at most ${maxPorts} can be forwarded at once`);
  return texts.map(text => {
    const port = Number(text);
    if (!/^\d{1,5}$/.test(text) || port < 1 || port > 65535) throw badRequest(`invalid port ${JSON.stringify(text)}`);
    return port;
  });
}

export function forwardChannels(
  webSocket: WebSocket,
  ports: readonly number[],
  base64: boolean,
  forwarder: Forwarder,
): void {
  const send = (number: number, data: Buffer): Promise<void> =>
    new Promise(resolve =>
      webSocket.send(base64 ? String.fromCharCode(0x30 + number) + data.toString('base64') : frame(number, data), () =>
        resolve(),
      ),
    );
  const streams = ports.map((port, index) => forwardOne(send, port, index, forwarder));
  webSocket.on('message', (message: Buffer, binary) => {
    const number = base64 && !binary ? message[0]! - 0x30 : message[0]!;
    const stream = number % 2 === 0 ? streams[number / 2] : undefined;
    if (!stream) return;
    const data = base64 && !binary ? Buffer.from(message.toString('latin1', 1), 'base64') : message.subarray(1);
    webSocket.pause();
    // what the pod does not want any more is dropped
    void stream
      .then(open => open?.write(channel.stdin, data))
      .catch(() => {})
      .then(() => webSocket.resume());
  });
  webSocket.on('error', () => webSocket.terminate());
  webSocket.on('close', () => {
    for (const stream of streams) void stream.then(open => open?.close());
  });
}

const frame = (number: number, data: Buffer): Buffer => Buffer.concat([Buffer.of(number), data]);

/** Undefined if there can be no connection, which its error channel has been told. */
async function forwardOne(
  send: (number: number, data: Buffer) => Promise<void>,
  port: number,
  index: number,
  forwarder: Forwarder,
): Promise<NodeStream | undefined> {
  const [data, errors] = [2 * index, 2 * index + 1];
  const first = Buffer.of(port & 0xff, port >> 8);
  await send(data, first);
  await send(errors, first);
  const fail = (problem: string) => send(errors, Buffer.from(forwarder.explain(port, problem)));
  try {
    const stream = await forwarder.connect(port);
    stream.listen({
      onData: (_number, bytes) => send(data, bytes),
      onEnd: () => {},
      onClose: (status, lost) => {
        const problem = connectionProblem(status, lost);
        if (problem !== undefined) void fail(problem);
      },
    });
    return stream;
  } catch (error) {
    await fail(describe(error));
    return undefined;
  }
}
