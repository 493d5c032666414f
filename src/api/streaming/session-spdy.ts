/**
 * exec and attach over SPDY/3.1, as kubectl before 1.30 does (kubernetes-wire §11.3): the client opens one stream for each
 * of error, stdin, stdout, stderr and resize that it wants, and the session begins when all are there.
 */
import type { Status } from '../../kube/status.js';
import { channel } from '../../link/frames.js';
import { SpdyConnection, type SpdyStream } from '../spdy/connection.js';
import { type Session, type SessionClient, statusText } from './session.js';
import { acceptSpdy, chooseProtocol, type Upgrade } from './upgrade.js';

const protocols = ['v4.channel.k8s.io', 'v3.channel.k8s.io', 'v2.channel.k8s.io', 'channel.k8s.io'] as const;
type Protocol = (typeof protocols)[number];
type Name = keyof typeof channel;

/** Which streams the client was asked to open. */
export interface SpdyWants {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

/** A client that has not opened all its streams by then is cut off, as Kubernetes does. */
const streamsMs = 30_000;

/** Throws StatusError 400. */
export function spdyProtocol({ request }: Pick<Upgrade, 'request'>): Protocol {
  return chooseProtocol(request.headers['x-stream-protocol-version'], protocols, 'channel.k8s.io');
}

export function serveSpdy(upgrade: Upgrade, wants: SpdyWants, session: Session): void {
  const protocol = spdyProtocol(upgrade);
  const offered = upgrade.request.headers['x-stream-protocol-version'] !== undefined;
  acceptSpdy(upgrade, offered ? protocol : undefined);
  const missing = new Set(expected(wants, protocol));
  const streams = new Map<Name, SpdyStream>();
  const late = setTimeout(() => connection.close(), streamsMs);
  const connection = new SpdyConnection(upgrade.socket, upgrade.head, {
    onStream: stream => {
      const name = stream.headers.get('streamtype') as Name;
      // one that was not asked for, or comes twice
      if (!missing.delete(name)) return stream.reset();
      streams.set(name, stream);
      listen(stream, name, session);
      if (missing.size > 0) return;
      clearTimeout(late);
      session.connect(clientOf(connection, streams, protocol));
    },
    onClose: () => {
      clearTimeout(late);
      session.close();
    },
  });
}

function expected({ stdin, stdout, stderr, tty }: SpdyWants, protocol: Protocol): Name[] {
  const resizes = tty && (protocol === 'v4.channel.k8s.io' || protocol === 'v3.channel.k8s.io');
  return [
    'error',
    ...(stdin ? (['stdin'] as const) : []),
    ...(stdout ? (['stdout'] as const) : []),
    ...(stderr && !tty ? (['stderr'] as const) : []),
    ...(resizes ? (['resize'] as const) : []),
  ];
}

function listen(stream: SpdyStream, name: Name, session: Session): void {
  const number = channel[name];
  stream.listen({
    onData: data => session.input(number, data),
    onEnd: () => session.end(number),
    onReset: () => session.end(number),
  });
}

function clientOf(
  connection: SpdyConnection,
  streams: ReadonlyMap<Name, SpdyStream>,
  protocol: Protocol,
): SessionClient {
  const outputs = new Map([
    [channel.stdout as number, streams.get('stdout')],
    [channel.stderr as number, streams.get('stderr')],
  ]);
  return {
    // a stream that the client has reset wants no more of it
    send: async (number, data) =>
      outputs
        .get(number)
        ?.write(data)
        .catch(() => {}),
    finish: status => void finish(connection, streams, lastWord(protocol, status)),
  };
}

const lastWord = (protocol: Protocol, status: Status): string =>
  protocol === 'v4.channel.k8s.io' ? JSON.stringify(status) : statusText(status);

async function finish(connection: SpdyConnection, streams: ReadonlyMap<Name, SpdyStream>, text: string): Promise<void> {
  if (text)
    await streams
      .get('error')
      ?.write(Buffer.from(text))
      .catch(() => {});
  for (const stream of streams.values()) stream.end();
  connection.close();
}
