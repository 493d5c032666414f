/**
 * ResourceQuota: a new object and the usage that it adds are stored in one commit, so that no burst passes the limit. Creates
 * in a namespace with quotas go one after the other: they would only lose races for the quota against each other.
 */
import type { ResourceQuota } from '../../kube/api/core-v1.js';
import { clone } from '../../kube/json.js';
import type { Pod } from '../../kube/pod.js';
import { concerns, fitQuota, isInScope, unnamed, usageOf } from '../../kube/quota.js';
import type { Change, Compare, Engine } from '../engine.js';
import { forbidden } from '../errors.js';
import { type AnyObject, type Kind, storeKey } from '../kind.js';
import { resourceQuota } from '../kinds/resourcequota.js';
import type { ViewEntry } from '../view.js';

export interface QuotaClaim {
  readonly compares: readonly Compare[];
  readonly changes: readonly Change[];
}

const none: QuotaClaim = { compares: [], changes: [] };

/** @param old for an update: only what it adds counts. Throws StatusError 403. */
export function claimQuota({ view }: Engine, kind: Kind, object: AnyObject, old?: AnyObject): QuotaClaim {
  const { namespace } = object.metadata;
  if (!kind.namespaced || namespace === undefined) return none;
  const quotas = [...view.entries('ResourceQuota', namespace)];
  if (quotas.length === 0) return none;
  const usage = usageOf(kind, object);
  if (old) for (const [name, amount] of usageOf(kind, old)) usage.set(name, (usage.get(name) ?? 0n) - amount);
  const claims = quotas.map(entry => claimOne(kind, object, entry, usage));
  return { compares: claims.flatMap(({ compares }) => compares), changes: claims.flatMap(({ changes }) => changes) };
}

function claimOne(kind: Kind, object: AnyObject, entry: ViewEntry, usage: ReadonlyMap<string, bigint>): QuotaClaim {
  const quota = entry.object as unknown as ResourceQuota;
  const { spec = {}, metadata } = quota;
  if (!isInScope(spec, kind, object)) return none;
  if (kind.kind === 'Pod' && kind.group === '') requireNamed(kind, object, quota);
  if (!concerns(spec, usage)) return none;
  const result = fitQuota(quota, usage);
  if (!result.fits)
    throw forbidden(
      kind,
      object.metadata.name,
      `exceeded quota: ${metadata.name}, requested: ${result.requested}, used: ${result.used}, limited: ${result.limited}`,
    );
  const key = storeKey(resourceQuota, metadata.namespace, metadata.name);
  const next = clone(entry.object);
  next.status = { hard: spec.hard ?? {}, used: result.used };
  return { compares: [{ key, modRevision: entry.revision }], changes: [{ key, object: next }] };
}

/** What nobody limits cannot be counted. */
function requireNamed(kind: Kind, object: AnyObject, { metadata, spec = {} }: ResourceQuota): void {
  const missing = [...unnamed(spec, object as unknown as Pod)];
  if (missing.length === 0) return;
  const text = missing
    .map(([resource, containers]) => `${resource} for: ${containers.join(',')}`)
    .sort()
    .join('; ');
  throw forbidden(kind, object.metadata.name, `failed quota: ${metadata.name}: must specify ${text}`);
}

const turns = new WeakMap<Engine, Map<string, Promise<unknown>>>();

/** Runs the work, after others of the same namespace if that has quotas. */
export async function inQuotaTurn<T>(
  engine: Engine,
  namespace: string | undefined,
  work: () => Promise<T>,
): Promise<T> {
  if (namespace === undefined || !hasQuota(engine, namespace)) return work();
  const queues = turns.get(engine) ?? new Map<string, Promise<unknown>>();
  turns.set(engine, queues);
  const before = queues.get(namespace) ?? Promise.resolve();
  const mine = before.then(work, work);
  const settled = mine.catch(() => undefined);
  queues.set(namespace, settled);
  try {
    return await mine;
  } finally {
    if (queues.get(namespace) === settled) queues.delete(namespace);
  }
}

const hasQuota = ({ view }: Engine, namespace: string): boolean => {
  for (const _ of view.entries('ResourceQuota', namespace)) return true;
  return false;
};
