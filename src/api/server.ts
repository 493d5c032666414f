/**
 * The API server: sockets, TLS, and the order of steps for every request. Other parts (the node link, the dashboard) hang
 * their paths on it and are handed the authenticated identity.
 */
import { chmodSync, rmSync } from 'node:fs';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { codeOf, describe, UserError } from '../base/errors.js';
import type { Logger } from '../base/log.js';
import { StatusError } from '../kube/status.js';
import { authenticate, TokenList } from './authenticate.js';
import { admins, authorize, type Identity } from './authorize.js';
import type { Engine } from './engine.js';
import { badRequest, failureForbiddenPath, forbidden } from './errors.js';
import { Handler } from './handler.js';
import { openApiDocuments } from './openapi.js';
import type { Pki } from './pki.js';
import { type ApiContext, type ApiRequest, verbOf } from './request.js';
import { refuseUpgrade, sendError } from './respond.js';
import { PathError, parseRoute } from './route.js';
import { handleUpgrade } from './streaming/dispatch.js';
import { hasNoBody, responseOn, takesUpgrade } from './streaming/ignored-upgrade.js';
import type { NodeStreams } from './streams.js';

export interface ApiServerOptions {
  readonly engine: Engine;
  readonly pki: Pki;
  readonly streams: NodeStreams;
  readonly log: Logger;
}

export interface ListenOptions {
  /** 0: any free port. */
  readonly port: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Also serve on this unix socket (0600), with the same TLS and the same proof of identity: for nodes in namespaces of their own. */
  readonly unixSocket?: string;
}

export interface Call {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly identity: Identity;
}
export type HttpHook = (request: IncomingMessage, response: ServerResponse, call: Call) => void | Promise<void>;
export type UpgradeHook = (request: IncomingMessage, socket: Duplex, head: Buffer, call: Call) => void | Promise<void>;

export interface ApiServer {
  readonly tokens: TokenList;
  /** Serves a path (or everything below it, if it ends in `/`) instead of the API. The hook authorises by the identity itself. */
  onHttp(path: string, hook: HttpHook): void;
  onUpgrade(path: string, hook: UpgradeHook): void;
  /** Resolves with the address. Throws UserError for a port in use. */
  listen(options: ListenOptions): Promise<{ readonly port: number; readonly url: string }>;
  setReady(ready: boolean): void;
  /** Ends watches, then waits for requests under way. */
  close(): Promise<void>;
}

/** The Kubernetes version whose API is served. */
const kubernetesVersion = { major: '1', minor: '35', gitVersion: 'v1.35.2' } as const;

export function createApiServer(options: ApiServerOptions): ApiServer {
  return new Listener(options);
}

class Listener implements ApiServer {
  readonly tokens = new TokenList();
  readonly #options: ApiServerOptions;
  readonly #context: ApiContext;
  readonly #handler: Handler;
  readonly #http = new Map<string, HttpHook>();
  readonly #upgrades = new Map<string, UpgradeHook>();
  readonly #servers: Server[] = [];
  readonly #open = new Set<ServerResponse>();
  readonly #upgraded = new Set<Duplex>();
  #ready = true;

  constructor(options: ApiServerOptions) {
    this.#options = options;
    const openApi = openApiDocuments(options.engine.kinds.all, kubernetesVersion.gitVersion);
    this.#context = { ...options, openApi, version: kubernetesVersion, isReady: () => this.#ready };
    this.#handler = new Handler(this.#context);
    this.tokens.add(options.pki.adminToken, { name: 'keelson-admin', groups: [admins, 'system:authenticated'] });
  }

  onHttp(path: string, hook: HttpHook): void {
    this.#http.set(path, hook);
  }

  onUpgrade(path: string, hook: UpgradeHook): void {
    this.#upgrades.set(path, hook);
  }

  setReady(ready: boolean): void {
    this.#ready = ready;
  }

  async listen({ port, host = '127.0.0.1', unixSocket }: ListenOptions): Promise<{ port: number; url: string }> {
    const { serving, ca } = this.#options.pki;
    const tls = {
      cert: serving.certificate,
      key: serving.key,
      ca,
      requestCert: true,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['http/1.1'],
    } as const;
    const server = createHttpsServer({ ...tls, ...httpLimits });
    this.#attach(server);
    await listening(server, { port, host });
    if (unixSocket) await this.#listenUnix(unixSocket, createHttpsServer({ ...tls, ...httpLimits }));
    const actual = (server.address() as AddressInfo).port;
    return { port: actual, url: `https://${host.includes(':') ? `[${host}]` : host}:${actual}` };
  }

  async #listenUnix(path: string, server: Server): Promise<void> {
    // left by a process that was killed; the store's lock has shown that no other one is running
    rmSync(path, { force: true });
    this.#attach(server);
    const before = process.umask(0o177);
    try {
      await listening(server, { path });
    } finally {
      process.umask(before);
    }
    chmodSync(path, 0o600);
  }

  async close(): Promise<void> {
    this.#ready = false;
    const closed = this.#servers.map(server => new Promise<void>(resolve => server.close(() => resolve())));
    for (const response of this.#open) if (response.headersSent) response.end();
    for (const socket of this.#upgraded) socket.destroy();
    for (const server of this.#servers) server.closeIdleConnections();
    const late = setTimeout(() => {
      for (const server of this.#servers) server.closeAllConnections();
    }, closeMs);
    await Promise.all(closed);
    clearTimeout(late);
  }

  #attach(server: Server): void {
    this.#servers.push(server);
    server.on('request', (request, response) => void this.#request(request, response));
    server.on('upgrade', (request, socket, head) => void this.#upgrade(request, socket, head));
    server.on('clientError', (_error, socket) => {
      if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
      else socket.destroy();
    });
  }

  async #request(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#open.add(response);
    response.on('close', () => this.#open.delete(response));
    response.on('error', () => {});
    try {
      const { path, query } = splitUrl(request.url ?? '/');
      const identity = authenticate(request, this.tokens);
      const hook = findHook(this.#http, path);
      if (hook) return await hook(request, response, { path, query, identity });
      await this.#handler.handle(this.#authorized({ request, response, path, query, identity }));
    } catch (error) {
      this.#failed(request, error);
      // a body that was not read to its end cannot be followed by another request
      if (!request.complete) response.setHeader('connection', 'close');
      sendError(response, error);
    }
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy());
    this.#upgraded.add(socket);
    socket.on('close', () => this.#upgraded.delete(socket));
    try {
      const { path, query } = splitUrl(request.url ?? '/');
      const identity = authenticate(request, this.tokens);
      const hook = findHook(this.#upgrades, path);
      if (hook) return await hook(request, socket, head, { path, query, identity });
      if (!takesUpgrade(routeOf(path)) && hasNoBody(request))
        return await this.#request(request, responseOn(request, socket));
      const { route } = this.#authorized({ request, path, query, identity });
      await handleUpgrade(this.#context, route, query, { request, socket, head });
    } catch (error) {
      this.#failed(request, error);
      refuseUpgrade(socket, error);
    }
  }

  #authorized<T extends { request: IncomingMessage; path: string; query: URLSearchParams; identity: Identity }>(
    call: T,
  ): T & Pick<ApiRequest, 'route' | 'verb'> {
    const { path, query, request, identity } = call;
    const route = routeOf(path);
    const verb = verbOf(request.method ?? 'GET', route, query);
    const verdict = authorize(identity, { verb, route, path });
    if (verdict.allowed) return { ...call, route, verb };
    if (route.to !== 'resource') throw failureForbiddenPath(verdict.reason);
    throw forbidden({ group: route.group, plural: route.plural, kind: '' }, route.name ?? '', verdict.reason);
  }

  #failed(request: IncomingMessage, error: unknown): void {
    // said in words of ours: known, and the client's or the node's business
    if (error instanceof StatusError) return;
    // the client's going away is no failure of ours
    if (codeOf(error) === 'ECONNRESET') return;
    this.#options.log.error(
      {
        method: request.method,
        path: request.url?.split('?')[0],
        error: describe(error),
        stack: (error as Error)?.stack,
      },
      'request failed',
    );
  }
}

const closeMs = 2000;

const httpLimits = {
  maxHeaderSize: 32 * 1024,
  headersTimeout: 10_000,
  requestTimeout: 60_000,
  keepAliveTimeout: 90_000,
  noDelay: true,
} as const;

function splitUrl(url: string): { path: string; query: URLSearchParams } {
  const at = url.indexOf('?');
  return at < 0
    ? { path: url, query: new URLSearchParams() }
    : { path: url.slice(0, at), query: new URLSearchParams(url.slice(at + 1)) };
}

function routeOf(path: string) {
  try {
    return parseRoute(path);
  } catch (error) {
    if (error instanceof PathError) throw badRequest(error.message);
    throw error;
  }
}

/** The exact path, or the longest hook that ends in `/` and begins it. */
function findHook<T>(hooks: ReadonlyMap<string, T>, path: string): T | undefined {
  const exact = hooks.get(path);
  if (exact) return exact;
  const prefix = [...hooks.keys()]
    .filter(key => key.endsWith('/') && path.startsWith(key))
    .sort((a, b) => b.length - a.length)[0];
  return prefix === undefined ? undefined : hooks.get(prefix);
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
