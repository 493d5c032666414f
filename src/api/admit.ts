/** Admission: decisions on a new object that need to see other objects. An ordered list; the first refusal ends it. */
import type { Service } from '../kube/api/core-v1.js';
import { failure } from '../kube/status.js';
import { admitLimits } from './admission/limit-range.js';
import { admitServiceAccount } from './auth/service-account-admission.js';
import type { Compare, Engine } from './engine.js';
import { forbidden, notFound } from './errors.js';
import { type AnyObject, type Kind, storeKey } from './kind.js';
import { namespace as namespaceKind } from './kinds/namespace.js';
import { assignIngressClass } from './network/default-ingress-class.js';
import { assignPriority, oneGlobalDefault } from './scheduling/admit.js';
import { allocateService } from './service/allocate.js';
import { assignDefaultClass } from './volume/default-class.js';

type Admitter = (engine: Engine, kind: Kind, object: AnyObject) => readonly Compare[];

const admitters: readonly Admitter[] = [
  inLiveNamespace,
  podServiceAccount,
  podTolerations,
  assignPriority,
  oneGlobalDefault,
  assignDefaultClass,
  assignIngressClass,
  admitLimits,
];

/** Changes the object in place; returns what must not have changed when it is stored. Throws StatusError. */
export function admitCreate(engine: Engine, kind: Kind, object: AnyObject): Compare[] {
  return admitters.flatMap(admit => admit(engine, kind, object));
}

/**
 * Gives out what the whole cluster shares (addresses and node ports of Services), on create and update, in place. The caller
 * calls `release` when the write is through or has failed. Throws StatusError.
 */
export function reserveShared(
  engine: Engine,
  kind: Kind,
  next: AnyObject,
  old?: AnyObject,
): { release(): void } | undefined {
  if (old) oneGlobalDefault(engine, kind, next);
  if (kind.kind !== 'Service' || kind.group !== '') return undefined;
  return allocateService(engine, next as unknown as Service, old as unknown as Service | undefined);
}

/** The commit compares the namespace's revision, so that nothing slips into one that is just being emptied. */
function inLiveNamespace({ view }: Engine, kind: Kind, object: AnyObject): readonly Compare[] {
  const name = object.metadata.namespace;
  if (!kind.namespaced || name === undefined) return [];
  const entry = view.entry('Namespace', undefined, name);
  if (!entry) throw notFound(namespaceKind, name);
  if (entry.object.metadata.deletionTimestamp) throw terminating(kind, object.metadata.name, name);
  return [{ key: storeKey(namespaceKind, undefined, name), modRevision: entry.revision }];
}

function terminating(kind: Kind, name: string, namespace: string) {
  const refused = forbidden(
    kind,
    name,
    `unable to create new content in namespace ${namespace} because it is being terminated`,
  );
  const cause = {
    reason: 'NamespaceTerminating',
    message: `namespace ${namespace} is being terminated`,
    field: 'metadata.namespace',
  };
  return failure(403, 'Forbidden', refused.message, { ...refused.status.details, causes: [cause] });
}

function podServiceAccount(engine: Engine, kind: Kind, object: AnyObject): readonly Compare[] {
  if (kind.kind === 'Pod' && kind.group === '') admitServiceAccount(engine, kind, object);
  return [];
}

/** How long a pod stays bound to a node that is not ready or unreachable. */
const lostNodeSeconds = 300;

function podTolerations(_engine: Engine, kind: Kind, object: AnyObject): readonly Compare[] {
  if (kind.kind !== 'Pod') return [];
  const spec = object.spec as { tolerations?: { key?: string; effect?: string; operator?: string }[] };
  const tolerations = spec.tolerations ?? [];
  const tolerated = (key: string) =>
    tolerations.some(
      item =>
        (!item.key || item.key === key) &&
        (!item.effect || item.effect === 'NoExecute') &&
        (item.key || item.operator === 'Exists'),
    );
  const added = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable']
    .filter(key => !tolerated(key))
    .map(key => ({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: lostNodeSeconds }));
  if (added.length > 0) spec.tolerations = [...tolerations, ...added];
  return [];
}
