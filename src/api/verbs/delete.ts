/** Delete: at once, or marked and held by a grace period or by finalizers (kubernetes-wire §9.4). */
import { clone, deepEqual } from '../../kube/json.js';
import { parseTime, timestamp } from '../../kube/time.js';
import { type Change, type Compare, commitObject, type Engine, entryAfter, entryOf } from '../engine.js';
import { conflict, forbidden, modified, notFound } from '../errors.js';
import { faceOf } from '../face.js';
import { type AnyObject, idOf, type Kind, storeKey } from '../kind.js';
import type { ViewEntry } from '../view.js';
import { maxAttempts, type WriteOptions } from './create.js';
import { isFinished, otherUid } from './update.js';
import { askValidators } from './webhooks.js';

/** What becomes of objects that name the deleted one as their owner (Kubernetes docs: garbage collection). */
export type Propagation = 'Background' | 'Foreground' | 'Orphan';

export interface DeleteOptions extends WriteOptions {
  readonly gracePeriodSeconds?: number | undefined;
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly propagation?: Propagation | undefined;
  /** What else the commit compares and writes; asked again after a lost race. May throw StatusError to refuse. */
  readonly join?: (old: AnyObject) => { readonly compares: readonly Compare[]; readonly changes: readonly Change[] };
  /** What is to be said in the object when it is marked; in place. */
  readonly onMark?: (next: AnyObject) => void;
}

export interface Deleted {
  /** False: still there, with a deletionTimestamp. */
  readonly gone: boolean;
  readonly entry: ViewEntry;
}

/** Throws StatusError: 404, 409 for a precondition, 403 for what may not go. */
export async function deleteObject(
  engine: Engine,
  kind: Kind,
  namespace: string | undefined,
  name: string,
  options: DeleteOptions = {},
): Promise<Deleted> {
  if (kind.conversion) {
    const { gone, entry } = await deleteObject(engine, engine.kinds.storedOf(kind), namespace, name, options);
    return { gone, entry: faceOf(kind, entry) };
  }
  if (kind.permanentNames?.includes(name)) throw forbidden(kind, name, 'this namespace may not be deleted');
  for (let attempt = 1; ; attempt++) {
    const old = engine.view.entry(idOf(kind), namespace, name);
    if (!old) throw notFound(kind, name);
    checkPreconditions(kind, name, old.object, options);
    const next = marked(engine, kind, old.object, options);
    const gone = isFinished(kind, next);
    if (!gone && next === old.object) return { gone: false, entry: old };
    await askValidators(engine, kind, { old: old.object }, options);
    const joined = options.join?.(old.object);
    if (options.dryRun) return { gone, entry: entryOf(kind, next, old.revision) };
    const key = storeKey(kind, namespace, name);
    const compares = [{ key, modRevision: old.revision }, ...(joined?.compares ?? [])];
    const done = await commitObject(engine, key, gone ? undefined : next, compares, joined?.changes);
    if (done)
      return { gone, entry: gone ? entryOf(kind, next, done.revision) : entryAfter(engine, kind, next, done.revision) };
    if (attempt >= maxAttempts) throw modified(kind, name);
  }
}

function checkPreconditions(
  kind: Kind,
  name: string,
  { metadata }: AnyObject,
  { uid, resourceVersion }: DeleteOptions,
): void {
  if (uid && uid !== metadata.uid) throw otherUid(kind, name, uid, metadata.uid);
  if (resourceVersion && resourceVersion !== metadata.resourceVersion)
    throw conflict(
      kind,
      name,
      `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${metadata.resourceVersion}`,
    );
}

/** The object with its deletion marked; the same object if nothing changes. */
function marked(engine: Engine, kind: Kind, old: AnyObject, options: DeleteOptions): AnyObject {
  const held = withFinalizers(kind, old, options.propagation);
  const { deletionTimestamp, deletionGracePeriodSeconds = 0 } = old.metadata;
  const grace = kind.graceSeconds?.(old, options.gracePeriodSeconds) ?? 0;
  if (deletionTimestamp && !shortens(grace, deletionGracePeriodSeconds, options.gracePeriodSeconds)) return held;
  const began = deletionTimestamp
    ? (parseTime(deletionTimestamp) ?? engine.now()) - deletionGracePeriodSeconds * 1000
    : engine.now();
  const next = clone(held);
  next.metadata.deletionTimestamp = timestamp(began + grace * 1000);
  next.metadata.deletionGracePeriodSeconds = grace;
  if (kind.hasStatus && !deletionTimestamp) next.metadata.generation = (old.metadata.generation ?? 0) + 1;
  kind.markDeleted?.(next);
  options.onMark?.(next);
  return next;
}

/** A second deletion can only shorten the grace, and only one that says how long, or finds nobody to wait for. */
function shortens(grace: number, before: number, requested: number | undefined): boolean {
  return grace < before && (requested !== undefined || grace === 0);
}

const orphan = 'orphan';
const foreground = 'foregroundDeletion';

/** The collector's marks, as the policy says; without a policy they stay, or are the kind's own custom. */
function withFinalizers(kind: Kind, old: AnyObject, asked: Propagation | undefined): AnyObject {
  const before = old.metadata.finalizers ?? [];
  const isMarked = before.includes(orphan) || before.includes(foreground);
  const policy = asked ?? (isMarked ? undefined : kind.defaultPropagation);
  if (!policy) return old;
  const others = before.filter(name => name !== orphan && name !== foreground);
  const mark = policy === 'Orphan' ? [orphan] : policy === 'Foreground' ? [foreground] : [];
  const finalizers = [...others, ...mark];
  if (deepEqual(finalizers, before)) return old;
  const next = clone(old);
  next.metadata.finalizers = finalizers;
  return next;
}
