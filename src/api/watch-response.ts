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
  send = line => {
    // whoever ends the answer may be faster than the end of the watch: a line after the last one would be a broken stream
    if (response.writableEnded) return;
    response.write(line);
    if (response.writableLength > maxUnsentBytes) response.destroy();
  };
  const timer = setTimeout(() => response.end(), durationMs(query, engine.random));
  response.on('close', () => {
    clearTimeout(timer);
    watch.close();
  });
}

function durationMs(query: URLSearchParams, random: () => number): number {
  const seconds = numberParameter(query, 'timeoutSeconds');
  return seconds !== undefined && seconds > 0 ? Math.min(seconds * 1000, 2 ** 31 - 1) : 30 * minuteMs * (1 + random());
}
