/** Delete: at once, or marked and held by a grace period or by finalizers (kubernetes-wire §9.4). */
import { clone } from '../../kube/json.js';
import { parseTime, timestamp } from '../../kube/time.js';
import { commitObject, type Engine, entryAfter, entryOf } from '../engine.js';
import { conflict, forbidden, modified, notFound } from '../errors.js';
import { type AnyObject, type Kind, storeKey } from '../kind.js';
import type { ViewEntry } from '../view.js';
import { maxAttempts } from './create.js';
import { isFinished, otherUid } from './update.js';

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number | undefined;
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly dryRun?: boolean;
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
  if (kind.permanentNames?.includes(name)) throw forbidden(kind, name, 'this namespace may not be deleted');
  for (let attempt = 1; ; attempt++) {
    const old = engine.view.entry(kind.kind, namespace, name);
    if (!old) throw notFound(kind, name);
    checkPreconditions(kind, name, old.object, options);
    const next = marked(engine, kind, old.object, options.gracePeriodSeconds);
    const gone = isFinished(kind, next);
    if (!gone && next === old.object) return { gone: false, entry: old };
    if (options.dryRun) return { gone, entry: entryOf(kind, next, old.revision) };
    const key = storeKey(kind, namespace, name);
    const done = await commitObject(engine, key, gone ? undefined : next, [{ key, modRevision: old.revision }]);
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

/** The object with its deletion marked; the same object if nothing changes. A second deletion can only shorten the grace. */
function marked(engine: Engine, kind: Kind, old: AnyObject, requested: number | undefined): AnyObject {
  const grace = kind.graceSeconds?.(old, requested) ?? 0;
  const { deletionTimestamp, deletionGracePeriodSeconds = 0 } = old.metadata;
  if (
    deletionTimestamp &&
    (grace >= deletionGracePeriodSeconds || (requested === undefined && deletionGracePeriodSeconds > 0 && grace > 0))
  )
    return old;
  const began = deletionTimestamp
    ? (parseTime(deletionTimestamp) ?? engine.now()) - deletionGracePeriodSeconds * 1000
    : engine.now();
  const next = clone(old);
  next.metadata.deletionTimestamp = timestamp(began + grace * 1000);
  next.metadata.deletionGracePeriodSeconds = grace;
  if (kind.hasStatus && !deletionTimestamp) next.metadata.generation = (old.metadata.generation ?? 0) + 1;
  kind.markDeleted?.(next);
  return next;
}
