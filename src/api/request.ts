/** One API request, parsed: what every step after authentication works with. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from '../base/log.js';
import type { ServiceAccountTokens } from './auth/service-account-tokens.js';
import type { Authenticator } from './authenticate.js';
import type { Actor, Authorizer, Identity } from './authorize.js';
import type { FieldValidation } from './codec.js';
import type { Engine } from './engine.js';
import { badRequest, invalid, invalidObject, pathNotFound } from './errors.js';
import type { Kind } from './kind.js';
import type { ListCache } from './list-cache.js';
import { unknownResource } from './old-versions.js';
import type { OpenApi } from './openapi.js';
import type { Route } from './route.js';
import type { NodeStreams } from './streams.js';
import type { UsageBook } from './usage.js';

/** What the handlers share. */
export interface ApiContext {
  readonly engine: Engine;
  readonly streams: NodeStreams;
  readonly usage: UsageBook;
  readonly lists: ListCache;
  readonly log: Logger;
  readonly openApi: OpenApi;
  readonly version: VersionInfo;
  readonly auth: AuthServices;
  /** False while starting or stopping: `/readyz` says so. */
  readonly isReady: () => boolean;
}

/** Who is who, and who may what, for handlers that are asked about it. */
export interface AuthServices {
  readonly authenticator: Authenticator;
  readonly authorizer: Authorizer;
  readonly accounts: ServiceAccountTokens;
}

interface VersionInfo {
  readonly gitVersion: string;
  readonly major: string;
  readonly minor: string;
}

export type ResourceRoute = Extract<Route, { to: 'resource' }>;

export interface ApiRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly route: Route;
  readonly identity: Identity;
  /** The same, with what they may do. */
  readonly actor: Actor;
  readonly verb: string;
}

const methods: Record<string, string> = {
  GET: 'get',
  HEAD: 'get',
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

const isWatch = (query: URLSearchParams): boolean => ['true', '1'].includes(query.get('watch') ?? '');

/** The verb that is authorised. exec, attach and portforward are `create`, however they arrive (kubernetes#133515). */
export function verbOf(method: string, route: Route, query: URLSearchParams): string {
  const verb = methods[method] ?? method.toLowerCase();
  if (route.to !== 'resource') return verb;
  if (route.subresource && ['exec', 'attach', 'portforward'].includes(route.subresource)) return 'create';
  if (verb === 'get' && route.subresource === undefined) {
    if (isWatch(query)) return 'watch';
    return route.name === undefined ? 'list' : 'get';
  }
  return verb === 'delete' && route.name === undefined ? 'deletecollection' : verb;
}

/** Throws StatusError 404 for what is not served, and for a namespace where none belongs. */
export function kindOf(context: ApiContext, route: ResourceRoute): Kind {
  const kind = context.engine.kinds.find(route.group, route.version, route.plural);
  if (!kind) throw unknownResource(route.group, route.version, route.plural);
  if (route.namespace !== undefined && !kind.namespaced) throw pathNotFound();
  if (kind.namespaced && route.name !== undefined && route.namespace === undefined) throw pathNotFound();
  return kind;
}

/** Throws StatusError 400. */
export function fieldValidationOf(query: URLSearchParams): FieldValidation {
  const text = query.get('fieldValidation') || 'Warn';
  if (text !== 'Strict' && text !== 'Warn' && text !== 'Ignore')
    throw badRequest(`invalid fieldValidation ${JSON.stringify(text)}: supported values: "Ignore", "Strict", "Warn"`);
  return text;
}

/** Who writes: what the client says, else the first word of its User-Agent. Throws StatusError 422. */
export function managerOf({ query, request }: ApiRequest): string {
  const name = query.get('fieldManager') || (request.headers['user-agent'] ?? '').split('/')[0] || 'unknown';
  if (name.length > 128 || /[^\x20-\x7e]/.test(name))
    throw invalidObject({ group: 'meta.k8s.io', plural: '', kind: 'PatchOptions' }, '', [
      invalid('fieldManager', name, 'must be at most 128 printable characters'),
    ]);
  return name;
}

/** Throws StatusError 400. */
export function isDryRun(values: readonly string[]): boolean {
  const wrong = values.find(value => value !== 'All' && value !== '');
  if (wrong !== undefined) throw badRequest(`invalid dryRun ${JSON.stringify(wrong)}: supported values: "All"`);
  return values.includes('All');
}

/** `Warning: 299 - "text"`, as kubectl prints it; control characters cannot get into a header. */
export function warn(response: ServerResponse, text: string): void {
  const clean = text
    .replace(/[^\x20-\x7e]/g, '?')
    .replace(/["\\]/g, '\\$&')
    .slice(0, 1000);
  response.appendHeader('Warning', `299 - "${clean}"`);
}

/** Throws StatusError 400. */
export function numberParameter(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  if (!/^-?\d{1,15}$/.test(text))
    throw badRequest(`${name}: Invalid value: ${JSON.stringify(text)}: must be an integer`);
  return Number(text);
}
