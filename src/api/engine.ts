/** What every verb works with, and the one commit that all writes end in. */
import { clone, deepFreeze } from '../kube/json.js';
import { type Store, StoreFullError, StoreUnavailableError } from '../store/contract.js';
import { full, unavailable } from './errors.js';
import { type AnyObject, apiVersionOf, idOf, type Kind } from './kind.js';
import type { KindRegistry } from './kind-registry.js';
import type { ServicePools } from './service/pools.js';
import { encode, type View, ViewEntry } from './view.js';

export interface Engine {
  readonly store: Store;
  readonly view: View;
  readonly kinds: KindRegistry;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  /** What Services draw from; absent: as `--service-cidr` has it by default. */
  readonly servicePools?: ServicePools;
}

export interface Compare {
  readonly key: string;
  readonly modRevision: number;
}

/** Undefined: someone was faster. */
export type Committed = { readonly revision: number } | undefined;

/** One object to write; undefined deletes it. */
export interface Change {
  readonly key: string;
  readonly object: AnyObject | undefined;
}

/** Makes the changes, all or none, if nothing of `compares` has changed. Throws StatusError 503, 507. */
export async function commitObject(
  engine: Engine,
  key: string,
  object: AnyObject | undefined,
  compares: readonly Compare[],
  more: readonly Change[] = [],
): Promise<Committed> {
  const writes = [{ key, object }, ...more].map(change =>
    change.object ? { key: change.key, value: encode(change.object) } : { key: change.key, delete: true as const },
  );
  try {
    const result = await engine.store.commit({ compares, writes });
    return result.ok ? { revision: result.revision } : undefined;
  } catch (error) {
    if (error instanceof StoreFullError) throw full(error.message);
    if (error instanceof StoreUnavailableError) throw unavailable(error.message);
    throw error;
  }
}

/** The object as it is now stored: from the cache if no later write has passed it, so that its JSON is made once. */
export function entryAfter(engine: Engine, kind: Kind, object: AnyObject, revision: number): ViewEntry {
  const { namespace, name } = object.metadata;
  const cached = engine.view.entry(idOf(kind), namespace, name);
  return cached?.revision === revision ? cached : entryOf(kind, object, revision);
}

/** An entry for something that is not in the cache, such as the result of a dry run. */
export function entryOf(kind: Kind, object: AnyObject, revision: number): ViewEntry {
  const copy = clone(object);
  if (revision > 0) copy.metadata.resourceVersion = String(revision);
  else delete copy.metadata.resourceVersion;
  const { namespace, name } = object.metadata;
  return new ViewEntry(kind.namespaced ? `${namespace}/${name}` : name, deepFreeze(copy), revision);
}

/** apiVersion, kind and metadata first, as people expect to read them. */
export function ordered(kind: Kind, object: AnyObject): AnyObject {
  const { apiVersion: _, kind: __, metadata, ...rest } = object;
  return { apiVersion: apiVersionOf(kind), kind: kind.kind, metadata, ...rest } as AnyObject;
}
