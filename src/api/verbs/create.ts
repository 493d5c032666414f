/** Create: own metadata → defaults → admission → validation → commit. */
import { randomUUID } from 'node:crypto';
import { clone } from '../../kube/json.js';
import { generatedSuffix } from '../../kube/names.js';
import { timestamp } from '../../kube/time.js';
import { claimQuota, inQuotaTurn } from '../admission/quota.js';
import { admitCreate, reserveShared } from '../admit.js';
import { admitWriter } from '../auth/admit-writer.js';
import type { Actor } from '../authorize.js';
import { commitObject, type Engine, entryAfter, entryOf, ordered } from '../engine.js';
import { alreadyExists, badRequest, conflict, invalidObject, tooLarge } from '../errors.js';
import { faceOf } from '../face.js';
import { type AnyObject, idOf, type Kind, storeKey } from '../kind.js';
import { objectLimit, validateMetadata } from '../validate.js';
import { encode, type ViewEntry } from '../view.js';
import { askMutators, askValidators } from './webhooks.js';

export interface WriteOptions {
  readonly dryRun?: boolean;
  /** Who writes, for objects that have been server-side applied; absent: this program itself. */
  readonly manager?: string;
  /** Gets what webhooks want the client to be told. */
  readonly onWarning?: (text: string) => void;
  /** Whose rights count beyond the write itself; absent: this program itself. */
  readonly actor?: Actor;
}

/** So often a lost race is tried again before the client hears of it. */
export const maxAttempts = 5;

interface CreateOptions extends WriteOptions {
  readonly keepManagers?: boolean;
}

/** @param namespace from the URL. Throws StatusError. */
export async function createObject(
  engine: Engine,
  kind: Kind,
  namespace: string | undefined,
  given: AnyObject,
  options: CreateOptions = {},
): Promise<ViewEntry> {
  if (kind.conversion) {
    const stored = engine.kinds.storedOf(kind);
    return faceOf(kind, await createObject(engine, stored, namespace, kind.conversion.toStored(given), options));
  }
  return inQuotaTurn(engine, namespace, () => createStored(engine, kind, namespace, given, options));
}

async function createStored(
  engine: Engine,
  kind: Kind,
  namespace: string | undefined,
  given: AnyObject,
  options: CreateOptions,
): Promise<ViewEntry> {
  for (let attempt = 1; ; attempt++) {
    const prepared = prepare(engine, kind, namespace, given, options.keepManagers ?? false);
    const compares = admitCreate(engine, kind, prepared);
    const object = await askMutators(engine, kind, prepared, options);
    const key = storeKey(kind, namespace, object.metadata.name);
    const reserved = reserveShared(engine, kind, object);
    try {
      check(kind, object);
      admitWriter(kind, options.actor, { next: object, part: 'object' });
      if (engine.view.entry(idOf(kind), namespace, object.metadata.name)) {
        // a generated name may collide: another one is tried
        if (given.metadata?.name || attempt >= maxAttempts) throw alreadyExists(kind, object.metadata.name);
        continue;
      }
      await askValidators(engine, kind, { object }, options);
      const quota = claimQuota(engine, kind, object);
      if (options.dryRun) return entryOf(kind, object, 0);
      const all = [{ key, modRevision: 0 }, ...compares, ...quota.compares];
      const done = await commitObject(engine, key, object, all, quota.changes);
      if (done) return entryAfter(engine, kind, object, done.revision);
    } finally {
      reserved?.release();
    }
    if (attempt >= maxAttempts)
      throw conflict(kind, object.metadata.name, 'its namespace keeps changing; please try again');
  }
}

function prepare(
  engine: Engine,
  kind: Kind,
  namespace: string | undefined,
  given: AnyObject,
  keepManagers: boolean,
): AnyObject {
  const object = ordered(kind, clone(given));
  const m = given.metadata ?? {};
  if (m.resourceVersion && m.resourceVersion !== '0')
    throw badRequest('resourceVersion should not be set on objects to be created');
  const name = m.name || (m.generateName ? m.generateName + generatedSuffix(engine.random) : '');
  object.metadata = {
    name,
    ...(m.generateName && { generateName: m.generateName }),
    ...(kind.namespaced && namespace !== undefined && { namespace }),
    uid: randomUUID(),
    creationTimestamp: timestamp(engine.now()),
    ...(kind.hasStatus && { generation: 1 }),
    ...(m.labels && { labels: m.labels }),
    ...(m.annotations && { annotations: m.annotations }),
    ...(m.ownerReferences?.length && { ownerReferences: m.ownerReferences }),
    ...(m.finalizers?.length && { finalizers: m.finalizers }),
    ...(keepManagers && m.managedFields && { managedFields: m.managedFields }),
  };
  kind.defaults?.(object);
  kind.prepareCreate?.(object);
  return object;
}

export function check(
  kind: Kind,
  object: AnyObject,
  more: readonly ReturnType<typeof validateMetadata>[number][] = [],
): void {
  const errors = [...validateMetadata(kind, object), ...(kind.validate?.(object) ?? []), ...more];
  if (errors.length > 0) throw invalidObject(kind, object.metadata.name || object.metadata.generateName || '', errors);
  if (encode(object).length > objectLimit) throw tooLarge(objectLimit);
}
