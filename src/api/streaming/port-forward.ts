/**
 * `pods/portforward`: over SPDY, over SPDY inside a WebSocket (kubectl from 1.31), and over the older WebSocket protocol with
 * two channels for each port that other clients speak. All end in connections made inside the pod's network namespace.
 */
import { createWebSocketStream, type WebSocket } from 'ws';
import type { Pod } from '../../kube/pod.js';
import { read } from '../answer.js';
import { badRequest } from '../errors.js';
import { type ApiContext, kindOf, type ResourceRoute } from '../request.js';
import { type NodeStream, requireNode } from '../streams.js';
import { connectToPod, requireRunning } from './pod-connection.js';
import { forwardChannels, portsOf } from './port-forward-channels.js';
import { forwardSpdy } from './port-forward-spdy.js';
import {
  acceptSpdy,
  acceptWebSocket,
  checkOrigin,
  chooseProtocol,
  isSpdy,
  isWebSocket,
  notAnUpgrade,
  type Upgrade,
} from './upgrade.js';

/** Connections into one pod. */
export interface Forwarder {
  /** Rejects with StatusError. */
  connect(port: number): Promise<NodeStream>;
  /** What kubectl prints of a connection that failed. */
  explain(port: number, problem: string): string;
}

const spdyProtocol = 'portforward.k8s.io';
const tunnelProtocol = `SPDY/3.1+${spdyProtocol}` as const;
const channelProtocols = ['v4.channel.k8s.io', 'v4.base64.channel.k8s.io'] as const;

/** Throws StatusError while the handshake can still be refused. */
export function handlePortForward(
  context: ApiContext,
  route: ResourceRoute,
  query: URLSearchParams,
  upgrade: Upgrade,
): void {
  const kind = kindOf(context, route);
  const pod = read(context, kind, route).object as unknown as Pod;
  requireNode(context.streams, requireRunning(pod));
  checkOrigin(upgrade.request, kind, route);
  const forwarder = forwarderOf(context, pod);
  if (isWebSocket(upgrade.request)) return forwardWebSocket(upgrade, query, forwarder);
  if (!isSpdy(upgrade.request)) notAnUpgrade(upgrade.request);
  const offered = upgrade.request.headers['x-stream-protocol-version'];
  acceptSpdy(upgrade, chooseProtocol(offered, [spdyProtocol], spdyProtocol));
  forwardSpdy(upgrade.socket, upgrade.head, forwarder);
}

function forwarderOf({ streams }: ApiContext, pod: Pod): Forwarder {
  return {
    connect: port => connectToPod(streams, pod, port),
    explain: (port, problem) => `error forwarding port ${port} to pod ${pod.metadata.uid}, uid : ${problem}`,
  };
}

function forwardWebSocket(upgrade: Upgrade, query: URLSearchParams, forwarder: Forwarder): void {
  const offered = upgrade.request.headers['sec-websocket-protocol'];
  const protocol = chooseProtocol(offered, [tunnelProtocol, ...channelProtocols], channelProtocols[0]);
  const named = offered === undefined ? undefined : protocol;
  if (protocol === tunnelProtocol)
    return acceptWebSocket(upgrade, named, webSocket => forwardSpdy(byteStream(webSocket), Buffer.alloc(0), forwarder));
  const ports = portsOf(query);
  if (ports.length === 0) throw badRequest('query parameter "port" is required');
  acceptWebSocket(upgrade, named, webSocket =>
    forwardChannels(webSocket, ports, protocol.includes('base64'), forwarder),
  );
}

/** Messages as one stream of bytes: their borders mean nothing. */
const byteStream = (webSocket: WebSocket) => createWebSocketStream(webSocket, { allowHalfOpen: true });
