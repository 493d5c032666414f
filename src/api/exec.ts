/**
 * exec and attach over a WebSocket of `v5.channel.k8s.io` or v4 (kubernetes-wire §11.2): the first byte of a message is its
 * channel. Everything that can be wrong is found before the handshake; afterwards only a Status on channel 3 can tell.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Pod } from '../kube/pod.js';
import type { Status } from '../kube/status.js';
import { channel } from '../link/frames.js';
import { read } from './answer.js';
import { chooseContainer, execProblem } from './containers.js';
import { badRequest, forbidden, internal, unavailable } from './errors.js';
import type { Kind } from './kind.js';
import { flag } from './log.js';
import { type ApiContext, kindOf, type ResourceRoute } from './request.js';
import type { NodeStream, StreamRequest } from './streams.js';

const protocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io'] as const;
/** A half-close: `[255, channel]`. Only clients send it. */
const closeChannel = 255;
const maxMessageBytes = 1024 * 1024;

const sockets = new WebSocketServer({
  noServer: true,
  maxPayload: maxMessageBytes,
  perMessageDeflate: false,
  handleProtocols: offered => protocols.find(protocol => offered.has(protocol)) ?? false,
});

/** Throws StatusError while the handshake can still be refused. */
export async function handleExec(
  context: ApiContext,
  route: ResourceRoute,
  query: URLSearchParams,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  const kind = kindOf(context, route);
  const pod = read(context, kind, route).object as unknown as Pod;
  const wanted = streamRequest(pod, route.subresource as 'exec' | 'attach', query);
  const problem = execProblem(pod, wanted.container, wanted.kind === 'exec' ? 'exec into' : 'attach to');
  if (problem) throw problem;
  const node = pod.spec.nodeName!;
  const offline = unavailable(`node ${JSON.stringify(node)} is not connected`);
  if (context.streams.isConnected?.(node) === false) throw offline;
  // last: kubectl tries SPDY after any refusal, and shows only what that was answered
  checkUpgrade(request, kind, route);
  const stream = await context.streams.open(node, wanted);
  if (!stream) throw offline;
  if (socket.destroyed) return stream.close();
  // also when the handshake fails
  socket.once('close', () => stream.close());
  const pipe = new Pipe(stream);
  sockets.handleUpgrade(request, socket, head, webSocket => pipe.connect(webSocket));
}

function checkUpgrade({ headers, method }: IncomingMessage, kind: Kind, { name = '' }: ResourceRoute): void {
  const upgrade = headers.upgrade?.toLowerCase() ?? '';
  if (upgrade !== 'websocket' || method !== 'GET')
    throw badRequest(
      `unable to upgrade: ${JSON.stringify(headers.upgrade ?? '')} is not supported, use a WebSocket (kubectl 1.30 or newer)`,
    );
  const offered = (headers['sec-websocket-protocol'] ?? '').split(',').map(text => text.trim());
  if (!protocols.some(protocol => offered.includes(protocol)))
    throw badRequest(
      `unable to upgrade: none of the offered protocols ${JSON.stringify(offered)} is supported; allowed: ${protocols.join(', ')}`,
    );
  if (headers.origin !== undefined && originHost(headers.origin) !== headers.host)
    throw forbidden(kind, name, `a page of origin ${JSON.stringify(headers.origin)} may not open streams`);
}

function originHost(origin: string): string | undefined {
  try {
    return new URL(origin).host;
  } catch {
    return undefined;
  }
}

type ExecRequest = Extract<StreamRequest, { kind: 'exec' | 'attach' }>;

/** Throws StatusError 400. */
function streamRequest(pod: Pod, kind: 'exec' | 'attach', query: URLSearchParams): ExecRequest {
  const tty = flag(query, 'tty');
  const base = {
    namespace: pod.metadata.namespace ?? '',
    pod: pod.metadata.name,
    uid: pod.metadata.uid ?? '',
    container: chooseContainer(pod, query.get('container')),
    stdin: flag(query, 'stdin'),
    stdout: flag(query, 'stdout'),
    // a terminal has one output
    stderr: flag(query, 'stderr') && !tty,
    tty,
  };
  if (!base.stdin && !base.stdout && !base.stderr)
    throw badRequest('you must specify at least one of stdin, stdout, stderr');
  if (kind === 'attach') return { kind, ...base };
  const command = query.getAll('command');
  if (command.length === 0 || command[0] === '')
    throw badRequest('you must specify at least one command for the container');
  return { kind, ...base, command };
}

/** Both directions of one session. What the node sends before the handshake is complete waits here. */
class Pipe {
  readonly #stream: NodeStream;
  #socket: WebSocket | undefined;
  #connected: () => void = () => {};
  readonly #ready = new Promise<void>(resolve => {
    this.#connected = resolve;
  });

  constructor(stream: NodeStream) {
    this.#stream = stream;
    stream.listen({
      onData: (number, data) => this.#out(number, data),
      onEnd: () => {},
      onClose: (status, lost) => void this.#finish(status, lost),
    });
  }

  connect(socket: WebSocket): void {
    this.#socket = socket;
    socket.on('message', data => this.#in(data as Buffer));
    socket.on('error', () => socket.terminate());
    socket.on('close', () => this.#stream.close());
    this.#connected();
  }

  async #out(number: number, data: Buffer): Promise<void> {
    await this.#ready;
    const message = Buffer.concat([Buffer.of(number), data]);
    await new Promise<void>(resolve => this.#socket!.send(message, () => resolve()));
  }

  #in(message: Buffer): void {
    const [number] = message;
    if (number === closeChannel) {
      if (message[1] !== undefined) this.#stream.end(message[1]);
      return;
    }
    if (number !== channel.stdin && number !== channel.resize) return;
    // an empty message only says that the channel is there
    if (message.length === 1) return;
    const socket = this.#socket!;
    socket.pause();
    this.#stream.write(number, message.subarray(1)).then(
      () => socket.resume(),
      () => socket.resume(),
    );
  }

  async #finish(status: Status | undefined, lost: boolean): Promise<void> {
    await this.#ready;
    const final = lost
      ? internal('the link to the node was lost').status
      : (status ?? { metadata: {}, status: 'Success' });
    const socket = this.#socket!;
    socket.send(Buffer.concat([Buffer.of(channel.error), Buffer.from(JSON.stringify(final))]), () =>
      socket.close(1000),
    );
  }
}
