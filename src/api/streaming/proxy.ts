/**
 * `pods/NAME/proxy/PATH`: an HTTP request passed on to a port of the pod, over a connection made inside it; any method, and
 * upgrades. The client's credentials stay here, and a backend's connection is never used for a second request.
 */
import { type ClientRequest, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { connect as tlsConnect } from 'node:tls';
import { describe } from '../../base/errors.js';
import type { Pod } from '../../kube/pod.js';
import { failure } from '../../kube/status.js';
import type { ApiContext } from '../request.js';
import { refuseUpgrade, sendError } from '../respond.js';
import { connectToPod, duplexOf } from './pod-connection.js';
import type { Upgrade } from './upgrade.js';

export interface ProxyTarget {
  readonly pod: Pod;
  readonly port: number;
  readonly tls: boolean;
}

/** What is said between neighbours only, and what proves who the client is to us. */
const kept = ['connection', 'upgrade', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding'] as const;
const secret = ['authorization', 'proxy-authorization', 'cookie'] as const;

/** @param path with its query */
async function open(
  { streams }: ApiContext,
  request: IncomingMessage,
  { pod, port, tls }: ProxyTarget,
  path: string,
  upgrade: boolean,
): Promise<ClientRequest> {
  const plain = duplexOf(await connectToPod(streams, pod, port));
  // pods have certificates that nobody has signed; the way to the pod is ours
  const connection: Duplex = tls ? tlsConnect({ socket: plain, rejectUnauthorized: false }) : plain;
  const headers = headersFor(request, `${pod.status?.podIP ?? 'localhost'}:${port}`, upgrade);
  return httpRequest({ method: request.method ?? 'GET', path, headers, createConnection: () => connection });
}

function headersFor(
  { headers, url = '' }: IncomingMessage,
  host: string,
  upgrade: boolean,
): Record<string, string | string[]> {
  const dropped = new Set<string>([...kept, ...secret, 'host']);
  const passed = Object.entries(headers).filter(([name, value]) => !dropped.has(name) && value !== undefined);
  return {
    ...(Object.fromEntries(passed) as Record<string, string | string[]>),
    host,
    'x-forwarded-host': headers.host ?? '',
    'x-forwarded-proto': 'https',
    'x-forwarded-uri': url.split('?')[0]!,
    ...(upgrade ? { connection: 'Upgrade', upgrade: headers.upgrade ?? '' } : { connection: 'close' }),
    ...(headers['transfer-encoding'] && !upgrade && { 'transfer-encoding': 'chunked' }),
  };
}

/** In Kubernetes' words; without Retry-After, which would have kubectl ask ten times. */
const unreachable = (error: unknown) =>
  failure(503, 'ServiceUnavailable', `error trying to reach service: ${describe(error)}`);

/** Throws StatusError before anything was sent. */
export async function proxyRequest(
  context: ApiContext,
  request: IncomingMessage,
  response: ServerResponse,
  target: ProxyTarget,
  path: string,
): Promise<void> {
  const backend = await open(context, request, target, path, false);
  await new Promise<void>(resolve => {
    response.on('close', () => {
      backend.destroy();
      resolve();
    });
    backend.on('error', error => sendError(response, unreachable(error)));
    backend.on('response', answer => {
      response.writeHead(answer.statusCode ?? 502, answerHeaders(answer));
      answer.on('error', () => response.destroy());
      answer.pipe(response);
    });
    request.pipe(backend);
  });
}

function answerHeaders({ headers }: IncomingMessage): Record<string, string | string[]> {
  const passed = Object.entries(headers).filter(
    ([name, value]) => !(kept as readonly string[]).includes(name) && value !== undefined,
  );
  return Object.fromEntries(passed) as Record<string, string | string[]>;
}

/** Throws StatusError before anything was sent. */
export async function proxyUpgrade(
  context: ApiContext,
  { request, socket, head }: Upgrade,
  target: ProxyTarget,
  path: string,
): Promise<void> {
  const backend = await open(context, request, target, path, true);
  backend.on('error', error => refuseUpgrade(socket, unreachable(error)));
  socket.on('close', () => backend.destroy());
  backend.on('upgrade', (answer, pod, early) => {
    socket.write(headOf(answer));
    socket.write(early);
    pod.write(head);
    pod.on('error', () => socket.destroy());
    socket.on('close', () => pod.destroy());
    pod.on('close', () => socket.destroy());
    pod.pipe(socket).pipe(pod);
  });
  // it would rather not: its answer is the last thing on both connections (CVE-2018-1002105)
  backend.on('response', answer => {
    socket.write(headOf(answer));
    answer.pipe(socket);
  });
  backend.end();
}

function headOf({ statusCode = 502, statusMessage = '', rawHeaders }: IncomingMessage): string {
  const lines = rawHeaders.flatMap((name, i) => {
    if (i % 2 === 1) return [];
    // the body is passed on unframed, to its end
    return name.toLowerCase() === 'transfer-encoding' ? [] : [`${name}: ${rawHeaders[i + 1]}`];
  });
  return `HTTP/1.1 ${statusCode} ${statusMessage}\r\n${lines.map(line => `${line}\r\n`).join('')}\r\n`;
}
