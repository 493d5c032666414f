/**
 * A request that offers an upgrade where there is none to be had is an ordinary one (RFC 9110 §7.8): kubectl before 1.23
 * sends `Upgrade: SPDY/3.1` along with the GETs that follow an exec. Node hands such a request over without a response.
 */
import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Route } from '../route.js';

const streaming = new Set(['exec', 'attach', 'portforward', 'proxy']);

/** True if the path is one that streams; any other ignores what was offered. */
export const takesUpgrade = (route: Route): boolean =>
  route.to === 'resource' && route.subresource !== undefined && streaming.has(route.subresource);

/** Its body, if it had one, was not read as such: only for methods without. */
export const hasNoBody = ({ method }: IncomingMessage): boolean => method === 'GET' || method === 'HEAD';

/** A response for it; the connection ends with it. */
export function responseOn(request: IncomingMessage, socket: Duplex): ServerResponse {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket as Socket);
  response.on('finish', () => {
    response.detachSocket(socket as Socket);
    socket.end();
  });
  // what the client sends after it is not looked at, but its going away must be seen
  socket.resume();
  return response;
}
