/** A watch on HTTP: chunked lines, closed after a while, and cut off when its reader does not read. */

import { includeOf, wantedOf } from './answer.js';
import type { Kind } from './kind.js';
import { type ApiContext, type ApiRequest, numberParameter, type ResourceRoute } from './request.js';
import { startWatch } from './verbs/watch.js';

/** A reader that is so far behind is cut off; it comes back and resumes from its last revision. */
const maxUnsentBytes = 8 * 1024 * 1024;
const minuteMs = 60_000;

/** Throws StatusError before the answer has begun. */
export function serveWatch({ engine }: ApiContext, call: ApiRequest, kind: Kind, route: ResourceRoute): void {
  const { response, query } = call;
  // the path of one object is a watch of that name
  if (route.name !== undefined) query.append('fieldSelector', `metadata.name=${route.name}`);
  const early: Buffer[] = [];
  let send = (line: Buffer): void => void early.push(line);
  const watch = startWatch(
    engine.view,
    {
      kind,
      stored: engine.kinds.storedOf(kind),
      namespace: route.namespace,
      query,
      wanted: wantedOf(call),
      include: includeOf(query),
      now: engine.now,
      onEnd: () => response.end(),
    },
    line => send(line),
  );
  response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-cache, private' });
  response.flushHeaders();
  if (early.length > 0) response.write(Buffer.concat(early));
  const { socket } = response;
  const isChunked = call.request.httpVersion === '1.1';
  send = line => {
    if (!socket || socket.destroyed) return;
    socket.write(isChunked ? chunkOf(line) : line);
    if (socket.writableLength > maxUnsentBytes) response.destroy();
  };
  const timer = setTimeout(() => response.end(), durationMs(query, engine.random));
  response.on('close', () => {
    clearTimeout(timer);
    watch.close();
  });
}

/** Framed for all watchers at once: the response's own way makes three writes of every line for each of them. */
const chunks = new WeakMap<Buffer, Buffer>();

/** RFC 9112, 7.1. */
function chunkOf(line: Buffer): Buffer {
  let chunk = chunks.get(line);
  if (!chunk) {
    chunk = Buffer.concat([Buffer.from(`${line.length.toString(16)}\r\n`), line, crlf]);
    chunks.set(line, chunk);
  }
  return chunk;
}

const crlf = Buffer.from('\r\n');

function durationMs(query: URLSearchParams, random: () => number): number {
  const seconds = numberParameter(query, 'timeoutSeconds');
  return seconds !== undefined && seconds > 0 ? Math.min(seconds * 1000, 2 ** 31 - 1) : 30 * minuteMs * (1 + random());
}
