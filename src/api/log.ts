/** `GET …/pods/NAME/log`: query → a stream request to the node → raw bytes, as they come. */
import type { ServerResponse } from 'node:http';
import type { Pod } from '../kube/pod.js';
import { failure } from '../kube/status.js';
import { parseTime, timestamp } from '../kube/time.js';
import { chooseContainer, logProblem } from './containers.js';
import { badRequest, unavailable } from './errors.js';
import type { AnyObject } from './kind.js';
import { type ApiContext, type ApiRequest, numberParameter } from './request.js';
import { sendError, sendText } from './respond.js';
import { type NodeStream, openStream, type StreamRequest } from './streams.js';

type LogRequest = Extract<StreamRequest, { kind: 'logs' }>;

/** Throws StatusError before the answer has begun. */
export async function serveLog({ streams, engine }: ApiContext, call: ApiRequest, object: AnyObject): Promise<void> {
  const pod = object as unknown as Pod;
  const request = logRequest(pod, call.query, engine.now());
  // nobody has it yet, so nobody has written anything
  if (!pod.spec.nodeName) return sendText(call.response, 200, '');
  const problem = logProblem(pod, request.container, request.previous);
  if (problem) throw problem;
  relayLog(await openStream(streams, pod.spec.nodeName, request), call.response);
}

/** Throws StatusError 400. */
function logRequest(pod: Pod, query: URLSearchParams, now: number): LogRequest {
  const tailLines = positive(query, 'tailLines', 0);
  const limitBytes = positive(query, 'limitBytes', 1);
  const sinceTime = sinceOf(query, now);
  return {
    kind: 'logs',
    namespace: pod.metadata.namespace ?? '',
    pod: pod.metadata.name,
    uid: pod.metadata.uid ?? '',
    container: chooseContainer(pod, query.get('container')),
    follow: flag(query, 'follow'),
    previous: flag(query, 'previous'),
    timestamps: flag(query, 'timestamps'),
    ...(tailLines !== undefined && { tailLines }),
    ...(limitBytes !== undefined && { limitBytes }),
    ...(sinceTime && { sinceTime }),
  };
}

/** Throws StatusError 400. */
export function flag(query: URLSearchParams, name: string): boolean {
  const text = query.get(name);
  if (text === null || text === 'false' || text === '0') return false;
  if (text === 'true' || text === '1' || text === '') return true;
  throw badRequest(`${name}: Invalid value: ${JSON.stringify(text)}: must be true or false`);
}

function positive(query: URLSearchParams, name: string, least: number): number | undefined {
  const value = numberParameter(query, name);
  if (value === undefined || value >= least) return value;
  throw failure(
    422,
    'Invalid',
    `PodLogOptions "" is invalid: ${name}: Invalid value: ${value}: must be greater than or equal to ${least}`,
    { kind: 'PodLogOptions' },
  );
}

function sinceOf(query: URLSearchParams, now: number): string | undefined {
  const seconds = positive(query, 'sinceSeconds', 1);
  const time = query.get('sinceTime');
  if (seconds !== undefined && time) throw badRequest('at most one of `sinceTime` or `sinceSeconds` may be specified');
  if (seconds !== undefined) return timestamp(Math.max(0, now - seconds * 1000));
  if (!time) return undefined;
  if (parseTime(time) === undefined)
    throw badRequest(`sinceTime: Invalid value: ${JSON.stringify(time)}: must be an RFC 3339 time`);
  return time;
}

/** Bytes go on only as fast as the client reads; the node waits for its credit meanwhile. */
function relayLog(stream: NodeStream, response: ServerResponse): void {
  const begin = (): void => {
    if (!response.headersSent)
      response.writeHead(200, { 'content-type': 'text/plain', 'cache-control': 'no-cache, private' });
  };
  // a node that finds nothing to show says so before the first byte: then there is still time for a Status
  stream.listen({
    onData: (_channel, data) => {
      begin();
      return new Promise<void>(resolve => {
        if (response.destroyed) resolve();
        else response.write(data, () => resolve());
      });
    },
    onEnd: () => {},
    onClose: (status, lost) => {
      const failed = status?.status === 'Failure';
      if (!response.headersSent && failed)
        return sendError(
          response,
          failure(
            status.code ?? 400,
            status.reason ?? 'BadRequest',
            status.message ?? 'the log cannot be read',
            status.details,
          ),
        );
      if (lost && !response.headersSent) return sendError(response, unavailable('the link to the node was lost'));
      begin();
      response.end();
    },
  });
  response.on('close', () => stream.close());
  setTimeout(() => {
    if (response.headersSent || response.destroyed) return;
    begin();
    response.flushHeaders();
  }, 200).unref();
}
