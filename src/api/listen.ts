/** The sockets that the API is served on: TLS on a port and on a unix socket, with limits on what a client may send. */
import { chmodSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { codeOf, UserError } from '../base/errors.js';
import type { Pki } from './pki.js';

export interface ListenOptions {
  /** 0: any free port. */
  readonly port: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Also serve on this unix socket (0600), with the same TLS and the same proof of identity: for nodes in namespaces of their own. */
  readonly unixSocket?: string;
}

const httpLimits = {
  maxHeaderSize: 32 * 1024,
  headersTimeout: 10_000,
  requestTimeout: 60_000,
  keepAliveTimeout: 90_000,
  noDelay: true,
} as const;

/** Opens all of them. @param attach is given each before it listens. Throws UserError for a port in use. */
export async function listen(
  { serving, ca }: Pick<Pki, 'serving' | 'ca'>,
  { port, host = '127.0.0.1', unixSocket }: ListenOptions,
  attach: (server: Server) => void,
): Promise<{ port: number; url: string }> {
  const make = (): Server => {
    const server = createHttpsServer({
      cert: serving.certificate,
      key: serving.key,
      ca,
      requestCert: true,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['http/1.1'],
      ...httpLimits,
    });
    server.on('clientError', (error, socket) => refuseUnreadable(error, socket as Socket));
    attach(server);
    return server;
  };
  const server = make();
  await listening(server, { port, host });
  if (unixSocket) await listenUnix(unixSocket, make());
  const actual = (server.address() as AddressInfo).port;
  return { port: actual, url: `https://${host.includes(':') ? `[${host}]` : host}:${actual}` };
}

/** What is no HTTP, or too long for us, never becomes a request. */
function refuseUnreadable(error: Error, socket: Socket): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const code = codeOf(error);
  const line =
    code === 'HPE_HEADER_OVERFLOW'
      ? '431 Request Header Fields Too Large'
      : code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? '408 Request Timeout'
        : '400 Bad Request';
  socket.end(`HTTP/1.1 ${line}\r\nConnection: close\r\n\r\n`);
}

async function listenUnix(path: string, server: Server): Promise<void> {
  // left by a process that was killed; the store's lock has shown that no other one is running
  rmSync(path, { force: true });
  const before = process.umask(0o177);
  try {
    await listening(server, { path });
  } finally {
    process.umask(before);
  }
  chmodSync(path, 0o600);
}

function listening(server: Server, where: { port: number; host: string } | { path: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', error => reject(listenError(error, where)));
    server.listen(where, () => {
      server.removeAllListeners('error');
      resolve();
    });
  });
}

function listenError(error: Error, where: { port: number; host: string } | { path: string }): Error {
  if ('path' in where)
    return new UserError(`cannot listen on ${where.path}: ${error.message}`, undefined, { cause: error });
  if (codeOf(error) === 'EADDRINUSE')
    return new UserError(
      `port ${where.port} on ${where.host} is in use`,
      'stop what uses it, or choose another one with --port',
      { cause: error },
    );
  if (codeOf(error) === 'EACCES')
    return new UserError(`port ${where.port} on ${where.host} needs more rights`, 'choose one above 1023 with --port', {
      cause: error,
    });
  return new UserError(
    `cannot listen on ${where.host}:${where.port}: ${error.message}`,
    'choose another address with --host or --port',
    { cause: error },
  );
}
