/**
 * `pods/exec` and `pods/attach`: what is asked of which container, found right or wrong before the handshake; then a session
 * over the client's protocol, WebSocket or SPDY.
 */
import type { Pod } from '../kube/pod.js';
import { read } from './answer.js';
import { chooseContainer, execProblem } from './containers.js';
import { badRequest } from './errors.js';
import { flag } from './log.js';
import { type ApiContext, kindOf, type ResourceRoute } from './request.js';
import { Session } from './streaming/session.js';
import { serveSpdy, spdyProtocol } from './streaming/session-spdy.js';
import { serveWebSocket, sessionProtocol } from './streaming/session-websocket.js';
import { checkOrigin, isSpdy, isWebSocket, notAnUpgrade, type Upgrade } from './streaming/upgrade.js';
import { openStream, requireNode, type StreamRequest } from './streams.js';

/** Throws StatusError while the handshake can still be refused. */
export async function handleExec(
  context: ApiContext,
  route: ResourceRoute,
  query: URLSearchParams,
  upgrade: Upgrade,
): Promise<void> {
  const kind = kindOf(context, route);
  const pod = read(context, kind, route).object as unknown as Pod;
  const wanted = execRequest(pod, route.subresource as 'exec' | 'attach', query);
  const problem = execProblem(pod, wanted.container, wanted.kind === 'exec' ? 'exec into' : 'attach to');
  if (problem) throw problem;
  requireNode(context.streams, pod.spec.nodeName!);
  // last: kubectl tries SPDY after any refusal, and shows only what that was answered
  const webSocket = checkUpgrade(upgrade);
  checkOrigin(upgrade.request, kind, route);
  const stream = await openStream(context.streams, pod.spec.nodeName!, wanted);
  if (upgrade.socket.destroyed) return stream.close();
  // also when the handshake fails
  upgrade.socket.once('close', () => stream.close());
  const session = new Session(stream);
  if (webSocket) serveWebSocket(upgrade, session);
  else serveSpdy(upgrade, wanted, session);
}

/** True: WebSocket, false: SPDY. Throws StatusError 400. */
function checkUpgrade(upgrade: Upgrade): boolean {
  if (isWebSocket(upgrade.request)) {
    sessionProtocol(upgrade);
    return true;
  }
  if (!isSpdy(upgrade.request)) notAnUpgrade(upgrade.request);
  spdyProtocol(upgrade);
  return false;
}

type ExecRequest = Extract<StreamRequest, { kind: 'exec' | 'attach' }>;

/** Throws StatusError 400. */
function execRequest(pod: Pod, kind: 'exec' | 'attach', query: URLSearchParams): ExecRequest {
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
