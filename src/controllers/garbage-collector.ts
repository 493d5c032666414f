/**
 * Removes what has lost all its owners, and carries out the deletions that mind their dependents: Foreground (dependents
 * first) and Orphan (let go of them). Keys: `object/KIND/NAMESPACE/NAME` for one object, `owner/UID` for the dependents of
 * one that has gone. See "Garbage collection" in the Kubernetes documentation.
 */
import type { OwnerReference } from '../kube/meta.js';
import {
  type Action,
  type Controller,
  type Facts,
  type Key,
  nothing,
  type Outcome,
  type Seen,
  targetOf,
} from './contract.js';

const foreground = 'foregroundDeletion';
const orphan = 'orphan';

export const garbageCollector: Controller = {
  name: 'garbage-collector',
  wakes: [{ kind: '**', keys: keysOf }],
  writes: ['metadata.ownerReferences', 'the finalizers orphan and foregroundDeletion', 'deletes what lost its owners'],
  reconcile,
};

function keysOf({ apiVersion, kind, metadata: m }: Seen, deleted: boolean): Key[] {
  const references = m.ownerReferences ?? [];
  // a dependent that goes may be the last one that its owner waits for
  if (deleted)
    return [
      `owner/${m.uid}`,
      ...references.map(owner => objectKey(owner.apiVersion, owner.kind, m.namespace, owner.name)),
    ];
  const isLeaving = m.deletionTimestamp !== undefined;
  return [
    ...(references.length > 0 || isLeaving ? [objectKey(apiVersion, kind, m.namespace, m.name)] : []),
    ...(isLeaving ? [`owner/${m.uid}`] : []),
  ];
}

const objectKey = (apiVersion: string, kind: string, namespace: string | undefined, name: string): Key =>
  `object/${apiVersion.replace('/', '|')}/${kind}/${namespace ?? ''}/${name}`;

function reconcile(facts: Facts, key: Key): Outcome {
  const { view } = facts;
  if (key.startsWith('owner/'))
    return { actions: view.dependents(key.slice('owner/'.length)).flatMap(object => judge(facts, object)) };
  const [, version = '', kind = '', namespace, name = ''] = key.split('/');
  const found = view.kindOf(version.replace('|', '/'), kind);
  const object = found && view.get(found.name, found.namespaced ? namespace : undefined, name);
  if (!object) return nothing;
  const finishing = finish(facts, object);
  return {
    actions: [...judge(facts, object), ...finishing],
    // letting go of dependents changes them, not this object: look again
    ...(isOrphaning(object) && finishing.length > 0 && { requeueAfterMs: 10 }),
  };
}

/** What becomes of a dependent. */
function judge(facts: Facts, object: Seen): Action[] {
  const references = object.metadata.ownerReferences ?? [];
  if (references.length === 0 || object.metadata.deletionTimestamp) return [];
  const owners = references.map(reference => ({ reference, owner: ownerOf(facts, object, reference) }));
  const gone = owners.filter(({ owner }) => owner === undefined);
  const waiting = owners.filter(({ owner }) => isSeen(owner) && isWaiting(owner));
  const solid = owners.length - gone.length - waiting.length;
  if (solid > 0)
    return gone.length > 0 ? [dropReferences(object, new Set(gone.map(({ reference }) => reference.uid)))] : [];
  if (owners.some(({ owner }) => isSeen(owner) && isOrphaning(owner))) return [];
  // one that is waited for passes the waiting on to its own dependents
  const hasDependents = facts.view.dependents(object.metadata.uid ?? '').length > 0;
  return [
    {
      do: 'delete',
      target: targetOf(object),
      propagation: waiting.length > 0 && hasDependents ? 'Foreground' : 'Background',
    },
  ];
}

/** Undefined: there is no such object any more. `unknown`: its kind is not served (yet), so nothing can be said. */
function ownerOf({ view }: Facts, dependent: Seen, reference: OwnerReference): Seen | 'unknown' | undefined {
  const kind = view.kindOf(reference.apiVersion, reference.kind);
  if (!kind) return 'unknown';
  const owner = view.get(kind.name, kind.namespaced ? dependent.metadata.namespace : undefined, reference.name);
  return owner?.metadata.uid === reference.uid ? owner : undefined;
}

const isSeen = (owner: Seen | 'unknown' | undefined): owner is Seen => typeof owner === 'object';
const has = (object: Seen, finalizer: string): boolean => object.metadata.finalizers?.includes(finalizer) ?? false;
const isWaiting = (owner: Seen): boolean => owner.metadata.deletionTimestamp !== undefined && has(owner, foreground);
const isOrphaning = (owner: Seen): boolean => owner.metadata.deletionTimestamp !== undefined && has(owner, orphan);

/** Takes the collector's own finalizers off an object that is being deleted, once their work is done. */
function finish(facts: Facts, object: Seen): Action[] {
  const { deletionTimestamp, uid = '' } = object.metadata;
  if (!deletionTimestamp) return [];
  const dependents = facts.view.dependents(uid);
  if (isOrphaning(object)) {
    if (dependents.length > 0) return dependents.map(dependent => dropReferences(dependent, new Set([uid])));
    return [dropFinalizer(object, orphan)];
  }
  if (!isWaiting(object)) return [];
  const blocking = dependents.filter(({ metadata }) =>
    metadata.ownerReferences?.some(reference => reference.uid === uid && reference.blockOwnerDeletion),
  );
  return blocking.length > 0
    ? dependents.flatMap(dependent => judge(facts, dependent))
    : [dropFinalizer(object, foreground)];
}

function dropReferences(object: Seen, uids: ReadonlySet<string>): Action {
  const left = (object.metadata.ownerReferences ?? []).filter(({ uid }) => !uids.has(uid));
  return patchMetadata(object, { ownerReferences: left.length > 0 ? left : null });
}

function dropFinalizer(object: Seen, finalizer: string): Action {
  const left = (object.metadata.finalizers ?? []).filter(name => name !== finalizer);
  return patchMetadata(object, { finalizers: left.length > 0 ? left : null });
}

function patchMetadata(object: Seen, metadata: object): Action {
  return { do: 'patch', target: targetOf(object), at: object.metadata.resourceVersion, patch: { metadata } };
}
