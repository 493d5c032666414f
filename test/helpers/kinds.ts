/** A kind without a server: an object as a create would leave it, its problems as texts, its row. */
import { type AnyObject, apiVersionOf, type Kind } from '../../src/api/kind.js';
import { clone } from '../../src/kube/json.js';

export const createdAt = '2026-01-01T00:00:00Z';
/** Five minutes later. */
export const now = Date.parse('2026-01-01T00:05:00Z');

export const template = {
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'main', image: 'nginx:1.27' }] },
};

/** Defaulted and prepared; named x, with the UID u-1. */
export function made(kind: Kind, given: object): AnyObject {
  const object = {
    apiVersion: apiVersionOf(kind),
    kind: kind.kind,
    ...clone(given),
    metadata: {
      name: 'x',
      ...(kind.namespaced && { namespace: 'default' }),
      uid: 'u-1',
      creationTimestamp: createdAt,
      ...(given as { metadata?: object }).metadata,
    },
  } as unknown as AnyObject;
  kind.defaults?.(object);
  kind.prepareCreate?.(object);
  return object;
}

export const problems = (kind: Kind, object: AnyObject): string[] =>
  (kind.validate?.(object) ?? []).map(({ field, message }) => `${field}: ${message}`);

export const updateProblems = (kind: Kind, next: AnyObject, old: AnyObject): string[] =>
  (kind.validateUpdate?.(next, old) ?? []).map(({ field, message }) => `${field}: ${message}`);

export const cells = (kind: Kind, object: AnyObject): Record<string, string | number | boolean | null> =>
  Object.fromEntries(kind.columns.map(({ name, cell }) => [name, cell(object, now)]));
