/**
 * exec and attach over a WebSocket (kubernetes-wire §11.2): the first byte of a message is its channel. The base64 forms, for
 * pages in browsers, have the channel as a digit and the data in base64; protocols before v4 end with text, not a Status.
 */
import type { WebSocket } from 'ws';
import type { Status } from '../../kube/status.js';
import { channel } from '../../link/frames.js';
import { type Session, type SessionClient, statusText } from './session.js';
import { acceptWebSocket, chooseProtocol, type Upgrade } from './upgrade.js';

const protocols = [
  'v5.channel.k8s.io',
  'v4.channel.k8s.io',
  'v4.base64.channel.k8s.io',
  'channel.k8s.io',
  'base64.channel.k8s.io',
] as const;
type Protocol = (typeof protocols)[number];

/** A half-close: `[255, channel]`. Only clients send it. */
const closeChannel = 255;

/** Throws StatusError 400. */
export function sessionProtocol({ request }: Pick<Upgrade, 'request'>): Protocol {
  return chooseProtocol(request.headers['sec-websocket-protocol'], protocols, 'channel.k8s.io');
}

export function serveWebSocket(upgrade: Upgrade, session: Session): void {
  const protocol = sessionProtocol(upgrade);
  const offered = upgrade.request.headers['sec-websocket-protocol'] !== undefined;
  acceptWebSocket(upgrade, offered ? protocol : undefined, webSocket => {
    webSocket.on('message', (data, binary) => {
      const [number, payload] = decode(protocol, data as Buffer, binary);
      take(webSocket, session, number, payload);
    });
    webSocket.on('error', () => webSocket.terminate());
    webSocket.on('close', () => session.close());
    session.connect(clientOf(webSocket, protocol));
  });
}

function take(webSocket: WebSocket, session: Session, number: number | undefined, payload: Buffer): void {
  if (number === closeChannel) {
    if (payload[0] !== undefined) session.end(payload[0]);
    return;
  }
  if (number === undefined) return;
  webSocket.pause();
  void session.input(number, payload).then(() => webSocket.resume());
}

function clientOf(webSocket: WebSocket, protocol: Protocol): SessionClient {
  const send = (number: number, data: Buffer, sent: () => void): void =>
    webSocket.send(encode(protocol, number, data), () => sent());
  return {
    send: (number, data) => new Promise<void>(resolve => send(number, data, resolve)),
    finish: status => send(channel.error, Buffer.from(lastWord(protocol, status)), () => webSocket.close(1000)),
  };
}

const isBase64 = (protocol: Protocol): boolean => protocol.includes('base64');

const lastWord = (protocol: Protocol, status: Status): string =>
  protocol.startsWith('v') ? JSON.stringify(status) : statusText(status);

function encode(protocol: Protocol, number: number, data: Buffer): Buffer | string {
  return isBase64(protocol) ? `${number}${data.toString('base64')}` : Buffer.concat([Buffer.of(number), data]);
}

function decode(protocol: Protocol, message: Buffer, binary: boolean): [number | undefined, Buffer] {
  if (!isBase64(protocol) || binary) return [message[0], message.subarray(1)];
  const digit = message[0];
  // ASCII digits; anything else is a channel that does not exist
  return [digit === undefined ? undefined : digit - 0x30, Buffer.from(message.toString('latin1', 1), 'base64')];
}
