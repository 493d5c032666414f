/** What a controller sees, made of literals. */
import { builtInKinds } from '../../src/api/kinds/index.js';
import type { Facts, Seen } from '../../src/controllers/contract.js';

export const start = 1_700_000_000_000;

/** @param now milliseconds since 1970. */
export function facts(objects: readonly Seen[], now = start, seenAt = start): Facts {
  const matches = (kind: string, namespace?: string) =>
    objects.filter(o => o.kind === kind && (namespace === undefined || o.metadata.namespace === namespace));
  return {
    now,
    random: () => 0.5,
    seenAt: () => seenAt,
    view: {
      namespacedKinds: ['Pod', 'ConfigMap', 'ServiceAccount'],
      list: matches,
      get: (kind, namespace, name) =>
        matches(kind).find(o => o.metadata.name === name && o.metadata.namespace === namespace),
      orphans: (kind, namespace) =>
        matches(kind, namespace).filter(o => !o.metadata.ownerReferences?.some(owner => owner.controller)),
      countedAs: kind => builtInKinds.find(one => one.kind === kind),
      dependents: uid => objects.filter(o => o.metadata.ownerReferences?.some(owner => owner.uid === uid)),
      kindOf: (_apiVersion, kind) => {
        const found = builtInKinds.find(one => one.kind === kind);
        return found && { name: kind, namespaced: found.namespaced };
      },
    },
  };
}

export const object = (kind: string, name: string, namespace?: string, more: object = {}): Seen =>
  ({
    apiVersion: 'v1',
    kind,
    ...more,
    metadata: {
      name,
      uid: `${kind}-${name}`,
      resourceVersion: '7',
      ...(namespace && { namespace }),
      ...(more as { metadata?: object }).metadata,
    },
  }) as Seen;
