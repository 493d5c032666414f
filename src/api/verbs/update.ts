/** Update, of the object or one subresource: read, change, default, validate, compare-and-write; a lost race runs again. */
import { clone, deepEqual } from '../../kube/json.js';
import { timestamp } from '../../kube/time.js';
import { claimQuota } from '../admission/quota.js';
import { reserveShared } from '../admit.js';
import { trackUpdate } from '../apply/apply.js';
import { admitWriter } from '../auth/admit-writer.js';
import { commitObject, type Engine, entryAfter, entryOf, ordered } from '../engine.js';
import { badRequest, conflict, modified, notFound } from '../errors.js';
import { faceOf } from '../face.js';
import { type AnyObject, idOf, type Kind, storeKey } from '../kind.js';
import { validateMetadataUpdate } from '../validate.js';
import type { ViewEntry } from '../view.js';
import { check, maxAttempts, type WriteOptions } from './create.js';
import { askMutators, askValidators, type WebhookOptions } from './webhooks.js';

export interface UpdateOptions extends WriteOptions {
  /**
   * Which part may change: the object but its status, only `status`, or (`server`) whatever the change says: for what only
   * this program itself decides, such as binding.
   */
  readonly part?: 'object' | 'status' | 'server';
  /** What of a change counts, where a subresource writes one part of an object: the rest stays as it was. */
  readonly narrow?: (old: AnyObject, changed: AnyObject) => AnyObject;
  /** The object must still be that one. */
  readonly uid?: string | undefined;
}

/**
 * @param change gets the stored object (frozen) and returns the new one; may run several times. A resourceVersion in what it
 *   returns is a precondition. Throws StatusError: 404, 409, 422.
 */
export async function updateObject(
  engine: Engine,
  kind: Kind,
  namespace: string | undefined,
  name: string,
  change: (old: AnyObject) => AnyObject,
  options: UpdateOptions = {},
): Promise<ViewEntry> {
  const { conversion } = kind;
  if (conversion) {
    const inner = (old: AnyObject): AnyObject => conversion.toStored(change(conversion.fromStored(old)));
    return faceOf(kind, await updateObject(engine, engine.kinds.storedOf(kind), namespace, name, inner, options));
  }
  for (let attempt = 1; ; attempt++) {
    const old = engine.view.entry(idOf(kind), namespace, name);
    if (!old) throw notFound(kind, name);
    if (options.uid && old.object.metadata.uid !== options.uid)
      throw otherUid(kind, name, options.uid, old.object.metadata.uid);
    const asIs = change(old.object);
    const changed = options.narrow ? options.narrow(old.object, asIs) : asIs;
    const revision = changed.metadata?.resourceVersion;
    if (revision && revision !== old.object.metadata.resourceVersion) throw modified(kind, name);
    let reserved: { release(): void } | undefined;
    const part = options.part ?? 'object';
    try {
      const merged = merge(kind, old.object, changed, part, object => {
        if (part === 'object') reserved = reserveShared(engine, kind, object, old.object);
      });
      const asked =
        part === 'server'
          ? merged
          : counted(kind, old.object, await askMutators(engine, kind, merged, webhookOptions(options), old.object));
      const next = options.manager ? trackUpdate(kind, old.object, asked, writerOf(engine, options)) : asked;
      if (deepEqual(next, withoutRevision(old.object))) return old;
      if (part !== 'server')
        check(kind, next, [
          ...validateMetadataUpdate(next, old.object),
          ...(part === 'object' ? (kind.validateUpdate?.(next, old.object) ?? []) : []),
        ]);
      if (part !== 'server') admitWriter(kind, options.actor, { next, old: old.object, part });
      if (part !== 'server')
        await askValidators(engine, kind, { object: next, old: old.object }, webhookOptions(options));
      const quota = part === 'object' ? claimQuota(engine, kind, next, old.object) : undefined;
      if (options.dryRun) return entryOf(kind, next, old.revision);
      const key = storeKey(kind, namespace, name);
      const gone = isFinished(kind, next);
      const compares = [{ key, modRevision: old.revision }, ...(quota?.compares ?? [])];
      const done = await commitObject(engine, key, gone ? undefined : next, compares, quota?.changes);
      if (done) return gone ? entryOf(kind, next, done.revision) : entryAfter(engine, kind, next, done.revision);
    } finally {
      reserved?.release();
    }
    if (attempt >= maxAttempts) throw modified(kind, name);
  }
}

/** What a webhook has changed counts like what the client has. */
function counted(kind: Kind, old: AnyObject, next: AnyObject): AnyObject {
  const { generation } = old.metadata;
  if (!kind.hasStatus || generation === undefined) return next;
  const wanted = deepEqual(specOf(next), specOf(old)) ? generation : generation + 1;
  return next.metadata.generation === wanted ? next : { ...next, metadata: { ...next.metadata, generation: wanted } };
}

const webhookOptions = (options: UpdateOptions): WebhookOptions => ({
  ...options,
  subresource: options.part === 'status' ? 'status' : undefined,
});

function writerOf(engine: Engine, { manager = '', part }: UpdateOptions) {
  return { manager, subresource: part === 'status' ? 'status' : undefined, time: timestamp(engine.now()) };
}

export function otherUid(kind: Kind, name: string, wanted: string, found: string | undefined) {
  return conflict(kind, name, `Precondition failed: UID in precondition: ${wanted}, UID in object meta: ${found}`);
}

/** A deleted object that nothing holds any more is removed by the write that let go of it. */
export function isFinished(kind: Kind, object: AnyObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds = 0, finalizers = [] } = object.metadata;
  if (!deletionTimestamp || finalizers.length > 0 || kind.isHeld?.(object)) return false;
  return !kind.graceSeconds || deletionGracePeriodSeconds === 0;
}

function merge(
  kind: Kind,
  old: AnyObject,
  changed: AnyObject,
  part: 'object' | 'status' | 'server',
  complete: (object: AnyObject) => void,
): AnyObject {
  const next =
    part === 'status'
      ? withManagersOf({ ...clone(withoutRevision(old)), status: clone(changed.status ?? {}) } as AnyObject, changed)
      : withOwnMetadata(kind, old, clone(changed));
  if (part === 'object' && kind.hasStatus) {
    if (old.status === undefined) delete (next as AnyObject).status;
    else (next as AnyObject).status = clone(old.status);
  }
  const object = ordered(kind, next as AnyObject);
  if (part !== 'status') kind.defaults?.(object);
  complete(object);
  if (kind.hasStatus && part !== 'status' && !deepEqual(specOf(object), specOf(old)))
    object.metadata.generation = (old.metadata.generation ?? 0) + 1;
  return object;
}

function withManagersOf(object: AnyObject, { metadata }: AnyObject): AnyObject {
  if (metadata?.managedFields) object.metadata.managedFields = clone(metadata.managedFields);
  return object;
}

/** What the server owns stays as it is, whatever the client sends. */
function withOwnMetadata(kind: Kind, old: AnyObject, changed: AnyObject): AnyObject {
  const { metadata: m } = old;
  const given = changed.metadata ?? {};
  if (given.name && given.name !== m.name)
    throw badRequest(`the name of the object (${given.name}) does not match the name on the URL (${m.name})`);
  if (kind.namespaced && given.namespace && given.namespace !== m.namespace)
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  if (given.uid && given.uid !== m.uid) throw otherUid(kind, m.name, given.uid, m.uid);
  const metadata = {
    name: m.name,
    ...(m.generateName && { generateName: m.generateName }),
    ...(m.namespace && { namespace: m.namespace }),
    ...(m.uid && { uid: m.uid }),
    ...(m.creationTimestamp && { creationTimestamp: m.creationTimestamp }),
    ...(m.deletionTimestamp && { deletionTimestamp: m.deletionTimestamp }),
    ...(m.deletionGracePeriodSeconds !== undefined && { deletionGracePeriodSeconds: m.deletionGracePeriodSeconds }),
    ...(m.generation !== undefined && { generation: m.generation }),
    ...(given.labels && Object.keys(given.labels).length > 0 && { labels: given.labels }),
    ...(given.annotations && Object.keys(given.annotations).length > 0 && { annotations: given.annotations }),
    ...(given.ownerReferences?.length && { ownerReferences: given.ownerReferences }),
    ...(given.finalizers?.length && { finalizers: given.finalizers }),
    // left out: as they were; an empty list clears them
    ...((given.managedFields ?? m.managedFields)?.length && { managedFields: given.managedFields ?? m.managedFields! }),
  };
  return { ...changed, metadata };
}

function withoutRevision(object: AnyObject): AnyObject {
  const { resourceVersion: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}

/** Everything but metadata and status. */
function specOf(object: AnyObject): unknown {
  const { metadata: _, status: __, ...rest } = object;
  return rest;
}
