/** Answers on the wire: JSON, Status, plain text; and the reading of bodies within their limit. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { type Status, StatusError } from '../kube/status.js';
import { badRequest, internal, tooLarge } from './errors.js';

const bodyLimit = 3 * 1024 * 1024;

export function sendJson(
  response: ServerResponse,
  code: number,
  body: Buffer | object,
  headers: Readonly<Record<string, string>> = {},
): void {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
  response.writeHead(code, { 'content-type': 'application/json', 'content-length': bytes.length, ...headers });
  response.end(bytes);
}

export function sendText(response: ServerResponse, code: number, text: string): void {
  response.writeHead(code, { 'content-type': 'text/plain; charset=utf-8', 'content-length': Buffer.byteLength(text) });
  response.end(text);
}

/** What a client is told of any error; of our own mistakes only that there was one. */
function statusOf(error: unknown): Status {
  return error instanceof StatusError
    ? error.status
    : internal('the server has hit an error that it did not expect').status;
}

export function sendError(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const status = statusOf(error);
  const retry = status.details?.retryAfterSeconds;
  sendJson(response, status.code ?? 500, status, retry ? { 'retry-after': String(retry) } : {});
}

/** The same on a socket whose upgrade is refused; the connection is never used again. */
export function refuseUpgrade(socket: Duplex, error: unknown): void {
  const status = statusOf(error);
  const body = JSON.stringify(status);
  socket.end(
    `HTTP/1.1 ${status.code ?? 500} ${status.reason ?? 'Error'}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

/** Throws StatusError 413 beyond the limit; then the connection is closed after the answer. */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > bodyLimit) throw tooLarge(bodyLimit);
  const encoding = request.headers['content-encoding'];
  if (encoding && encoding !== 'identity')
    throw badRequest(`content encoding ${JSON.stringify(encoding)} is not supported`);
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > bodyLimit) throw tooLarge(bodyLimit);
    parts.push(part);
  }
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}
