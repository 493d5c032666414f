/**
 * The store, the view and the API of a simulated cluster, as plain objects: optimistic concurrency, UIDs, generations,
 * finalizers and graceful deletion as the real API has them; no validation, no defaults.
 */
import type { FactsView, Seen, Target } from '../../../src/controllers/contract.js';
import { deepEqual, deepFreeze, isObject } from '../../../src/kube/json.js';
import type { KubeObject, OwnerReference } from '../../../src/kube/meta.js';
import { failure, type StatusError } from '../../../src/kube/status.js';
import { timestamp } from '../../../src/kube/time.js';
import type { Clock } from './clock.js';

export interface WorldChange {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: Seen;
  readonly previous?: Seen | undefined;
  /** Which controller did it, or `user`, `node`, `scheduler`. */
  readonly by: string;
}

const clusterWide = new Set(['Node', 'Namespace', 'PersistentVolume']);
const keyOf = (namespace: string | undefined, name: string): string => `${namespace ?? ''}/${name}`;
const no = (code: number, reason: string, name: string): StatusError => failure(code, reason, `${reason}: ${name}`);
const isOrphan = ({ metadata }: Seen): boolean => !metadata.ownerReferences?.some(({ controller }) => controller);

export class World {
  revision = 0;
  /** What admission says of a new object: the refusal, or nothing. */
  admit: (object: KubeObject) => string | undefined = () => undefined;
  readonly clock: Clock;
  readonly view: FactsView;
  readonly #kinds = new Map<string, Map<string, Seen>>();
  readonly #dependents = new Map<string, Map<string, Seen>>();
  readonly #listeners: ((change: WorldChange) => void)[] = [];
  readonly #freezes: boolean;
  #uids = 0;

  /** @param freezes whether objects are frozen, as they are in truth: it costs, so only some histories do it */
  constructor(clock: Clock, freezes: boolean) {
    this.clock = clock;
    this.#freezes = freezes;
    this.view = {
      get: (kind, namespace, name) => this.#kinds.get(kind)?.get(keyOf(clusterWide.has(kind) ? '' : namespace, name)),
      list: (kind, namespace) => this.list(kind, namespace),
      dependents: uid => [...(this.#dependents.get(uid)?.values() ?? [])],
      orphans: (kind, namespace) => this.list(kind, namespace).filter(isOrphan),
      namespacedKinds: [],
      countedAs: () => undefined,
      kindOf: (_apiVersion, kind) => ({ name: kind, namespaced: !clusterWide.has(kind) }),
    };
  }

  subscribe(listener: (change: WorldChange) => void): void {
    this.#listeners.push(listener);
  }

  list(kind: string, namespace?: string): Seen[] {
    const all = [...(this.#kinds.get(kind)?.values() ?? [])];
    return namespace === undefined ? all : all.filter(({ metadata }) => metadata.namespace === namespace);
  }

  get kinds(): string[] {
    return [...this.#kinds.keys()];
  }

  create(given: KubeObject, by: string): Seen {
    const { name, namespace } = given.metadata;
    if (this.view.get(given.kind, namespace, name)) throw no(409, 'AlreadyExists', name);
    const refusal = this.admit(given);
    if (refusal !== undefined) throw failure(403, 'Forbidden', refusal);
    const metadata = {
      ...given.metadata,
      uid: `${given.kind}-${++this.#uids}`,
      generation: 1,
      creationTimestamp: timestamp(this.clock.now),
    };
    return this.#put({ ...given, metadata } as Seen, undefined, by);
  }

  /** Merge patch. @param at the resourceVersion that must still be the object's */
  patch(
    target: Target,
    patch: object,
    by: string,
    { at, subresource }: { at?: string | undefined; subresource?: string | undefined } = {},
  ): Seen {
    const old = this.#find(target);
    if (at !== undefined && old.metadata.resourceVersion !== at) throw no(409, 'Conflict', target.name);
    const part = subresource === 'status' ? { status: (patch as { status?: object }).status } : patch;
    const next = merged(old, part) as Seen;
    if (next === old || deepEqual(next, old)) return old;
    if (!deepEqual(next.spec, old.spec))
      next.metadata = { ...next.metadata, generation: (old.metadata.generation ?? 0) + 1 };
    return isFree(next) ? this.#remove(next, old, by) : this.#put(next, old, by);
  }

  /** Pods of a node are only marked, until the node says that they have ended (or with a grace of 0). */
  delete(
    target: Target,
    by: string,
    { graceSeconds, propagation }: { graceSeconds?: number | undefined; propagation?: string | undefined } = {},
  ): Seen {
    const old = this.#find(target);
    const { finalizers = [], deletionTimestamp } = old.metadata;
    const more = propagation === 'Foreground' ? ['foregroundDeletion'] : propagation === 'Orphan' ? ['orphan'] : [];
    const kept = [...finalizers, ...(deletionTimestamp ? [] : more.filter(name => !finalizers.includes(name)))];
    const isRunning = old.kind === 'Pod' && (old.spec as { nodeName?: string }).nodeName !== undefined;
    const grace = graceSeconds === 0 || !isRunning ? 0 : 30;
    if (kept.length === 0 && grace === 0) return this.#remove(old, old, by);
    if (deletionTimestamp && (old.metadata.deletionGracePeriodSeconds ?? 0) <= grace) return old;
    const metadata = {
      ...old.metadata,
      deletionTimestamp: deletionTimestamp ?? timestamp(this.clock.now),
      deletionGracePeriodSeconds: grace,
      ...(kept.length > 0 && { finalizers: kept }),
    };
    return this.#put({ ...old, metadata }, old, by);
  }

  #find({ kind, namespace, name, uid }: Target): Seen {
    const found = this.view.get(kind, namespace, name);
    if (!found) throw no(404, 'NotFound', name);
    if (uid !== undefined && found.metadata.uid !== uid) throw no(409, 'Conflict', name);
    return found;
  }

  #put(object: Seen, previous: Seen | undefined, by: string): Seen {
    const next = { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.revision) } };
    if (this.#freezes) deepFreeze(next);
    const { namespace, name } = next.metadata;
    let all = this.#kinds.get(next.kind);
    if (!all) this.#kinds.set(next.kind, (all = new Map()));
    all.set(keyOf(namespace, name), next);
    if (previous) this.#forget(previous);
    for (const owner of next.metadata.ownerReferences ?? []) this.#dependentsOf(owner).set(next.metadata.uid!, next);
    this.#tell({ type: previous ? 'MODIFIED' : 'ADDED', object: next, previous, by });
    return next;
  }

  #remove(object: Seen, previous: Seen, by: string): Seen {
    this.revision++;
    this.#kinds.get(object.kind)?.delete(keyOf(object.metadata.namespace, object.metadata.name));
    this.#forget(previous);
    this.#tell({ type: 'DELETED', object, previous, by });
    return object;
  }

  #dependentsOf({ uid }: OwnerReference): Map<string, Seen> {
    let found = this.#dependents.get(uid);
    if (!found) this.#dependents.set(uid, (found = new Map()));
    return found;
  }

  #forget({ metadata }: Seen): void {
    for (const { uid } of metadata.ownerReferences ?? []) this.#dependents.get(uid)?.delete(metadata.uid!);
  }

  #tell(change: WorldChange): void {
    for (const listener of this.#listeners) listener(change);
  }
}

/** Nothing keeps it any more: deleted, without finalizers, and (a Pod) ended. */
function isFree({ kind, metadata }: Seen): boolean {
  const { deletionTimestamp, finalizers = [], deletionGracePeriodSeconds = 0 } = metadata;
  return (
    deletionTimestamp !== undefined && finalizers.length === 0 && (kind !== 'Pod' || deletionGracePeriodSeconds === 0)
  );
}

/** RFC 7386, sharing what does not change. */
function merged(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const result: Record<string, unknown> = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else if (value !== undefined) result[key] = merged(result[key], value);
  }
  return result;
}
