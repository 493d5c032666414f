/** The gate that every request passes: who is it, in whose name, may they; and the line in the audit log about what became of it. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Actor, Identity } from '../authorize.js';
import { badRequest, failureForbiddenPath, forbidden } from '../errors.js';
import { type AuthServices, verbOf } from '../request.js';
import { PathError, parseRoute, type Route } from '../route.js';
import { attributesOf, refusal } from './attributes.js';
import { auditLine } from './audit.js';
import type { AuditSink } from './audit-log.js';
import { asksForAnother, impersonated } from './impersonate.js';

export interface GateOptions extends AuthServices {
  readonly audit: AuditSink;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** One request on its way through. */
export class Visit {
  readonly id = randomUUID();
  readonly path: string;
  readonly query: URLSearchParams;
  readonly #options: GateOptions;
  readonly #request: IncomingMessage;
  readonly #received: number;
  #identity: Identity | undefined;
  #impersonated: Identity | undefined;
  #route: Route | undefined;
  #verb: string;
  #decision: 'allow' | 'forbid' | undefined;
  #reason = '';
  #done = false;

  constructor(request: IncomingMessage, options: GateOptions) {
    const url = request.url ?? '/';
    const at = url.indexOf('?');
    this.path = at < 0 ? url : url.slice(0, at);
    this.query = new URLSearchParams(at < 0 ? '' : url.slice(at + 1));
    this.#request = request;
    this.#options = options;
    this.#received = options.now();
    this.#verb = (request.method ?? 'GET').toLowerCase();
  }

  /** Throws StatusError 400 for a path that is none. */
  get route(): Route {
    this.#route ??= routeOf(this.path);
    return this.#route;
  }

  /** Another one stands for this request: nothing is written about it here. */
  abandon(): void {
    this.#done = true;
  }

  /** Throws StatusError 401 for bad credentials, 403 for a name that one may not use. */
  async identify(): Promise<Actor> {
    const { authenticator, authorizer } = this.#options;
    const answer = authenticator.authenticate(this.#request);
    const identity = answer instanceof Promise ? await answer : answer;
    this.#identity = identity;
    if (!asksForAnother(this.#request.headers)) return { identity, authorizer };
    this.#impersonated = impersonated(this.#request, { identity, authorizer });
    return { identity: this.#impersonated ?? identity, authorizer };
  }

  /** Throws StatusError 400 for a path that is none, 403. */
  authorize({ identity, authorizer }: Actor): { readonly route: Route; readonly verb: string } {
    const { route } = this;
    const verb = verbOf(this.#request.method ?? 'GET', route, this.query);
    this.#verb = verb;
    const attributes = attributesOf(verb, route, this.path, this.query);
    const { allowed, reason } = authorizer.decide(identity, attributes);
    this.#decision = allowed ? 'allow' : 'forbid';
    this.#reason = reason;
    if (allowed) return { route, verb };
    const why = refusal(identity.name, attributes) + (reason && `: ${reason}`);
    if (route.to !== 'resource') throw failureForbiddenPath(why);
    throw forbidden({ group: route.group, plural: route.plural, kind: '' }, route.name ?? '', why);
  }

  /** @param code what was answered; 0 if the client went away before. Only the first call counts. */
  finish(code: number): void {
    if (this.#done) return;
    this.#done = true;
    const { audit, now } = this.#options;
    const { socket, url = '/', headers } = this.#request;
    audit.write(
      auditLine({
        id: this.id,
        url,
        verb: this.#verb,
        route: this.#route,
        identity: this.#identity,
        impersonated: this.#impersonated,
        source: socket.remoteAddress ?? '',
        userAgent: headers['user-agent'],
        code,
        received: this.#received,
        completed: now(),
        decision: this.#decision,
        reason: this.#reason,
      }),
    );
  }
}

function routeOf(path: string): Route {
  try {
    return parseRoute(path);
  } catch (error) {
    if (error instanceof PathError) throw badRequest(error.message);
    throw error;
  }
}
