/**
 * Who owns what (Kubernetes' "controller reference"): an object has at most one controller. A controller takes what its
 * selector matches and nobody has, lets go of what no longer matches, and never touches what another one has.
 */
import type { KubeObject, OwnerReference } from '../../kube/meta.js';
import { type Action, type FactsView, type Key, type Seen, targetOf, type Wake } from '../contract.js';

/** The one owner that manages the object, if any. */
export function controllerRefOf({ metadata }: KubeObject): OwnerReference | undefined {
  return metadata.ownerReferences?.find(({ controller }) => controller);
}

/** What a dependent says of its controller. `owner` comes from the view: it has its kind, apiVersion and UID. */
export function controllerRefTo({ apiVersion, kind, metadata }: KubeObject): OwnerReference {
  return { apiVersion, kind, name: metadata.name, uid: metadata.uid ?? '', controller: true, blockOwnerDeletion: true };
}

export const isControlledBy = (object: KubeObject, owner: KubeObject): boolean =>
  controllerRefOf(object)?.uid === owner.metadata.uid;

export interface Claimed<T> {
  /** What is the owner's once `actions` are done. */
  readonly mine: readonly T[];
  /** Adoptions and releases: patches of ownerReferences. */
  readonly actions: readonly Action[];
}

/**
 * Adopts and releases. Costs as much as the owner has dependents, plus the objects of its namespace without a controller.
 * @param matches whether the owner's selector has the object; asked of dependents and of orphans
 * @param kind name of the kind as the view knows it
 */
export function claim<T extends KubeObject>(
  view: FactsView,
  owner: KubeObject,
  kind: string,
  matches: (object: T) => boolean,
): Claimed<T> {
  const { uid = '', namespace, deletionTimestamp } = owner.metadata;
  const owned = (view.dependents(uid) as unknown as T[]).filter(
    object => object.kind === kind && isControlledBy(object, owner),
  );
  // whoever is going takes nothing and lets go of nothing: the garbage collector decides about its dependents
  if (deletionTimestamp) return { mine: owned, actions: [] };
  const [kept, lost] = split(owned, matches);
  const adopted = (view.orphans(kind, namespace) as unknown as T[]).filter(
    object => !object.metadata.deletionTimestamp && matches(object),
  );
  return {
    mine: [...kept, ...adopted],
    actions: [...lost.map(object => release(object, uid)), ...adopted.map(object => adopt(object, owner))],
  };
}

function split<T>(items: readonly T[], test: (item: T) => boolean): [T[], T[]] {
  const yes: T[] = [];
  const no: T[] = [];
  for (const item of items) (test(item) ? yes : no).push(item);
  return [yes, no];
}

function adopt(object: KubeObject, owner: KubeObject): Action {
  return patchOwners(object, [...(object.metadata.ownerReferences ?? []), controllerRefTo(owner)]);
}

function release(object: KubeObject, uid: string): Action {
  const left = (object.metadata.ownerReferences ?? []).filter(reference => reference.uid !== uid);
  return patchOwners(object, left.length > 0 ? left : null);
}

function patchOwners(object: KubeObject, ownerReferences: OwnerReference[] | null): Action {
  const { resourceVersion } = object.metadata;
  return { do: 'patch', target: targetOf(object), at: resourceVersion, patch: { metadata: { ownerReferences } } };
}

export const keyOfObject = ({ metadata }: KubeObject): Key => `${metadata.namespace ?? ''}/${metadata.name}`;

/** The object of a `namespace/name` key, if it is there. */
export function objectOf<T>(view: FactsView, kind: string, key: Key): (T & Seen) | undefined {
  const at = key.indexOf('/');
  return view.get(kind, key.slice(0, at), key.slice(at + 1)) as (T & Seen) | undefined;
}

/**
 * What wakes a controller of `owner` objects when one of its dependents changes: the key of its controller, or, for an
 * object that nobody controls, the keys of all that could adopt it. Keys are `namespace/name`.
 */
export function wakeOfDependents(
  kind: string,
  owner: string,
  couldAdopt: (owner: Seen, dependent: Seen) => boolean,
): Wake {
  return {
    kind,
    keys: (object, deleted, view) => {
      const reference = controllerRefOf(object);
      if (reference) return reference.kind === owner ? [`${object.metadata.namespace ?? ''}/${reference.name}`] : [];
      if (deleted || object.metadata.deletionTimestamp) return [];
      return view
        .list(owner, object.metadata.namespace)
        .filter(one => couldAdopt(one, object))
        .map(keyOfObject);
    },
  };
}
