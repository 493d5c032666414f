/** Bootstrap tokens: `id.secret`, each a Secret `bootstrap-token-<id>` in kube-system. They let a machine ask to become a node. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { parseTime } from '../../kube/time.js';
import { authenticated, type Identity } from '../authorize.js';
import type { ObjectView } from '../view.js';

export const bootstrapTokenType = 'bootstrap.kubernetes.io/token';
export const bootstrapTokenFormat = /^([a-z0-9]{6})\.([a-z0-9]{16})$/;
const bootstrappers = 'system:bootstrappers';
const groupFormat = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/;

/** Undefined for a token that is unknown, has expired, or may not be used to log in. @param now milliseconds since 1970. */
export function bootstrapIdentity(token: string, view: Pick<ObjectView, 'get'>, now: number): Identity | undefined {
  const [, id = '', secret = ''] = bootstrapTokenFormat.exec(token) ?? [];
  if (!id) return undefined;
  const found = view.get('Secret', 'kube-system', `bootstrap-token-${id}`);
  if (!found || found.type !== bootstrapTokenType || found.metadata.deletionTimestamp) return undefined;
  const data = textsOf(found.data);
  if (!same(data('token-secret'), secret) || data('token-id') !== id) return undefined;
  if (hasExpired(data('expiration'), now) || data('usage-bootstrap-authentication') !== 'true') return undefined;
  const extra = data('auth-extra-groups').split(',').filter(Boolean);
  if (!extra.every(group => groupFormat.test(group))) return undefined;
  return { name: `system:bootstrap:${id}`, groups: [bootstrappers, ...extra, authenticated] };
}

function textsOf(data: unknown): (key: string) => string {
  const values = (data ?? {}) as Record<string, string>;
  return key => Buffer.from(Object.hasOwn(values, key) ? values[key]! : '', 'base64').toString('utf8');
}

/** No expiration: for ever. One that cannot be read: expired. */
export function hasExpired(expiration: string, now: number): boolean {
  if (expiration === '') return false;
  const at = parseTime(expiration);
  return at === undefined || now >= at;
}

/** Of digests, so that the time it takes says nothing. */
function same(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
