/**
 * What every upgrade of a request to a stream shares: who may ask, in which protocol, and the handshake. A refusal comes as a
 * Status before the handshake; afterwards only the stream itself can tell.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { badRequest, forbidden } from '../errors.js';
import type { Kind } from '../kind.js';
import type { ResourceRoute } from '../request.js';

/** An upgrade as it came. */
export interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

const maxMessageBytes = 1024 * 1024;
const pingMs = 20_000;

const sockets = new WebSocketServer({
  noServer: true,
  maxPayload: maxMessageBytes,
  perMessageDeflate: false,
  // the answer's header is written by hand: ws refuses names with a `/`, which kubectl's port-forward has
  handleProtocols: () => false,
});

export const isWebSocket = ({ headers, method }: IncomingMessage): boolean =>
  headers.upgrade?.toLowerCase() === 'websocket' && method === 'GET';

export const isSpdy = ({ headers }: IncomingMessage): boolean => headers.upgrade?.toLowerCase() === 'spdy/3.1';

/** Throws StatusError 403. A page of another origin sends the browser's credentials along; kubectl sends no Origin. */
export function checkOrigin({ headers }: IncomingMessage, kind: Kind, { name = '' }: ResourceRoute): void {
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

/**
 * The first of `accepted` that the client offers, in our order of preference. Throws StatusError 400, in Kubernetes' words.
 * @param none what it means to offer nothing at all; without it, that is refused
 */
export function chooseProtocol<P extends string>(
  header: string | readonly string[] | undefined,
  accepted: readonly P[],
  none?: P,
): P {
  const offered = [header ?? []]
    .flat()
    .flatMap(text => text.split(','))
    .map(text => text.trim())
    .filter(Boolean);
  const chosen = offered.length === 0 ? none : accepted.find(protocol => offered.includes(protocol));
  if (chosen !== undefined) return chosen;
  throw badRequest(
    `unable to upgrade: unable to negotiate protocol: client supports [${offered.join(' ')}], server accepts [${accepted.join(' ')}]`,
  );
}

/** Throws StatusError 400. */
export function notAnUpgrade({ headers }: IncomingMessage): never {
  throw badRequest(
    `unable to upgrade: ${JSON.stringify(headers.upgrade ?? '')} is not supported; supported values: "SPDY/3.1", "websocket"`,
  );
}

/** @param protocol told to the client; undefined if it offered none */
export function acceptWebSocket(
  { request, socket, head }: Upgrade,
  protocol: string | undefined,
  onOpen: (webSocket: WebSocket) => void,
): void {
  const { 'sec-websocket-protocol': _, ...headers } = request.headers;
  request.headers = headers;
  const name = (lines: string[]): void => {
    if (protocol !== undefined) lines.push(`Sec-WebSocket-Protocol: ${protocol}`);
  };
  sockets.once('headers', name);
  sockets.handleUpgrade(request, socket, head, webSocket => {
    keepAlive(webSocket);
    onOpen(webSocket);
  });
  // the handshake is synchronous; one that was refused has not asked for the headers
  sockets.off('headers', name);
}

/** A client that is gone without a word is found by the pings that it does not answer. */
function keepAlive(webSocket: WebSocket): void {
  let alive = true;
  const heard = (): void => {
    alive = true;
  };
  const timer = setInterval(() => {
    if (!alive) return webSocket.terminate();
    alive = false;
    webSocket.ping();
  }, pingMs);
  webSocket.on('pong', heard);
  webSocket.on('ping', heard);
  webSocket.on('message', heard);
  webSocket.on('close', () => clearInterval(timer));
}

/** Answers 101 for SPDY; the socket then carries its frames. */
export function acceptSpdy({ socket }: Upgrade, protocol: string | undefined): void {
  const lines = ['HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: SPDY/3.1'];
  if (protocol) lines.push(`X-Stream-Protocol-Version: ${protocol}`);
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
}
