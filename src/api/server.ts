/**
 * The API server: sockets, TLS, and the order of steps for every request. Other parts (the node link, the dashboard) hang
 * their paths on it and are handed the authenticated identity.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { codeOf, describe } from '../base/errors.js';
import type { Logger } from '../base/log.js';
import { StatusError } from '../kube/status.js';
import { type AuditSink, noAudit } from './auth/audit-log.js';
import { type GateOptions, Visit } from './auth/gate.js';
import { openIdDocument } from './auth/openid.js';
import { ServiceAccountTokens } from './auth/service-account-tokens.js';
import { Authenticator, TokenList } from './authenticate.js';
import { Authorizer, admins, authenticated, type Identity } from './authorize.js';
import type { Engine } from './engine.js';
import { Handler } from './handler.js';
import { ListCache } from './list-cache.js';
import { type ListenOptions, listen } from './listen.js';
import { OpenApi } from './openapi.js';
import type { Pki } from './pki.js';
import type { ApiContext, ApiRequest } from './request.js';
import { refuseUpgrade, sendError, sendJson } from './respond.js';
import { handleUpgrade } from './streaming/dispatch.js';
import { hasNoBody, responseOn, takesUpgrade } from './streaming/ignored-upgrade.js';
import type { NodeStreams } from './streams.js';
import type { UsageBook } from './usage.js';

export interface ApiServerOptions {
  readonly engine: Engine;
  readonly pki: Pki;
  readonly streams: NodeStreams;
  readonly usage: UsageBook;
  readonly log: Logger;
  /** Default: nothing is written. */
  readonly audit?: AuditSink;
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
  /** Signs and verifies the tokens of ServiceAccounts. */
  readonly accounts: ServiceAccountTokens;
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
  readonly accounts: ServiceAccountTokens;
  readonly #options: ApiServerOptions;
  readonly #gate: GateOptions;
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
    const { engine, pki, audit = noAudit } = options;
    const { view, now } = engine;
    this.accounts = new ServiceAccountTokens({ key: pki.tokenKey, view, now });
    const authenticator = new Authenticator({ tokens: this.tokens, accounts: this.accounts, view, now });
    const auth = { authenticator, authorizer: new Authorizer(view), accounts: this.accounts };
    this.#gate = { ...auth, audit, now };
    const openApi = new OpenApi(engine.kinds, kubernetesVersion.gitVersion);
    this.#context = {
      ...options,
      auth,
      openApi,
      version: kubernetesVersion,
      lists: new ListCache(),
      isReady: () => this.#ready,
    };
    this.#handler = new Handler(this.#context);
    this.tokens.add(pki.adminToken, { name: 'keelson-admin', groups: [admins, authenticated] });
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

  listen(options: ListenOptions): Promise<{ port: number; url: string }> {
    return listen(this.#options.pki, options, server => this.#attach(server));
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
  }

  async #request(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const visit = new Visit(request, this.#gate);
    this.#open.add(response);
    response.on('close', () => {
      this.#open.delete(response);
      visit.finish(response.headersSent ? response.statusCode : 0);
    });
    response.on('error', () => {});
    response.setHeader('audit-id', visit.id);
    try {
      await this.#serve(visit, request, response);
    } catch (error) {
      this.#failed(request, error);
      // a body that was not read to its end cannot be followed by another request
      if (!request.complete && !response.headersSent) response.setHeader('connection', 'close');
      sendError(response, error);
    }
  }

  async #serve(visit: Visit, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { path, query } = visit;
    const actor = await visit.identify();
    const { identity } = actor;
    const hook = findHook(this.#http, path);
    if (hook) return hook(request, response, { path, query, identity });
    const { route, verb } = visit.authorize(actor);
    if (route.to === 'other' && verb === 'get') {
      const document = await openIdDocument(path, this.accounts);
      if (document) return sendJson(response, 200, document.body, { 'content-type': document.contentType });
    }
    const call: ApiRequest = { request, response, path, query, identity, actor, route, verb };
    await this.#handler.handle(call);
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const visit = new Visit(request, this.#gate);
    socket.on('error', () => socket.destroy());
    this.#upgraded.add(socket);
    socket.on('close', () => {
      this.#upgraded.delete(socket);
      visit.finish(101);
    });
    try {
      const { path, query } = visit;
      const actor = await visit.identify();
      const hook = findHook(this.#upgrades, path);
      if (hook) return await hook(request, socket, head, { path, query, identity: actor.identity });
      if (!takesUpgrade(visit.route) && hasNoBody(request)) {
        visit.abandon();
        return await this.#request(request, responseOn(request, socket));
      }
      const { route } = visit.authorize(actor);
      await handleUpgrade(this.#context, route, query, { request, socket, head });
    } catch (error) {
      this.#failed(request, error);
      visit.finish(error instanceof StatusError ? error.code : 500);
      refuseUpgrade(socket, error);
    }
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

/** The exact path, or the longest hook that ends in `/` and begins it. */
function findHook<T>(hooks: ReadonlyMap<string, T>, path: string): T | undefined {
  const exact = hooks.get(path);
  if (exact) return exact;
  const prefix = [...hooks.keys()]
    .filter(key => key.endsWith('/') && path.startsWith(key))
    .sort((a, b) => b.length - a.length)[0];
  return prefix === undefined ? undefined : hooks.get(prefix);
}
