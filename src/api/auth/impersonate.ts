/** `kubectl --as`: a request in somebody else's name, by those who may `impersonate` that name and all that comes with it. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { type Actor, anonymous, authenticated, type Identity } from '../authorize.js';
import { badRequest, forbidden } from '../errors.js';
import type { ResourceAttributes } from './attributes.js';
import { refusal } from './attributes.js';

const extraPrefix = 'impersonate-extra-';

/** Undefined: nobody else's name. Throws StatusError 400, 403. */
export function impersonated(request: IncomingMessage, actor: Actor): Identity | undefined {
  const { headers } = request;
  const user = headers['impersonate-user'];
  const groups = request.headersDistinct['impersonate-group'] ?? [];
  const uid = headers['impersonate-uid'];
  const extra = extraOf(request);
  if (user === undefined && uid === undefined && groups.length === 0 && Object.keys(extra).length === 0)
    return undefined;
  if (typeof user !== 'string' || user === '')
    throw badRequest('requested to impersonate groups, uid or extra without impersonating a user');
  for (const attributes of wanted(user, groups, uid as string | undefined, extra)) demand(actor, attributes);
  return identityOf(user, groups, uid as string | undefined, extra);
}

/** Whether the headers ask for it at all: almost never, so it is asked first. */
export function asksForAnother(headers: IncomingHttpHeaders): boolean {
  for (const name in headers) if (name.startsWith('impersonate-')) return true;
  return false;
}

function extraOf(request: IncomingMessage): Record<string, string[]> {
  const extra = Object.entries(request.headersDistinct).filter(([name]) => name.startsWith(extraPrefix));
  return Object.fromEntries(extra.map(([name, values]) => [keyOf(name), values ?? []]));
}

/** Keys are percent-encoded where a header's name cannot hold them. */
function keyOf(header: string): string {
  const raw = header.slice(extraPrefix.length);
  try {
    return decodeURIComponent(raw).toLowerCase();
  } catch {
    return raw.toLowerCase();
  }
}

const account = /^system:serviceaccount:([^:]+):([^:]+)$/;

function wanted(
  user: string,
  groups: readonly string[],
  uid: string | undefined,
  extra: Readonly<Record<string, readonly string[]>>,
): ResourceAttributes[] {
  const [, namespace, name] = account.exec(user) ?? [];
  const verb = 'impersonate';
  const group = 'authentication.k8s.io';
  return [
    namespace !== undefined && name !== undefined
      ? { verb, group: '', resource: 'serviceaccounts', namespace, name }
      : { verb, group: '', resource: 'users', name: user },
    ...groups.map(one => ({ verb, group: '', resource: 'groups', name: one })),
    ...(uid === undefined ? [] : [{ verb, group, resource: 'uids', name: uid }]),
    ...Object.entries(extra).flatMap(([key, values]) =>
      values.map(value => ({ verb, group, resource: `userextras/${key}`, name: value })),
    ),
  ];
}

function demand({ identity, authorizer }: Actor, attributes: ResourceAttributes): void {
  if (authorizer.decide(identity, attributes).allowed) return;
  const { group, resource, name = '' } = attributes;
  throw forbidden({ group, plural: resource.split('/')[0]!, kind: '' }, name, refusal(identity.name, attributes));
}

/** Groups that come by themselves, unless groups were said for an ordinary user. */
function identityOf(
  name: string,
  given: readonly string[],
  uid: string | undefined,
  extra: Readonly<Record<string, readonly string[]>>,
): Identity {
  const [, namespace] = account.exec(name) ?? [];
  const own =
    namespace !== undefined && given.length === 0
      ? ['system:serviceaccounts', `system:serviceaccounts:${namespace}`]
      : [];
  const last = name === anonymous.name ? anonymous.groups[0]! : authenticated;
  const groups = [...new Set([...own, ...given, last])];
  return { name, groups, ...(uid !== undefined && { uid }), ...(Object.keys(extra).length > 0 && { extra }) };
}
