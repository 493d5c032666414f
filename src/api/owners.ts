/**
 * Which objects name which owner, and which have no controller: kept beside the cache, because the garbage collector asks
 * for it at every deletion and the workload controllers at every change of a pod.
 */
import type { AnyObject } from './kind.js';
import type { ObjectChange, View } from './view.js';

interface Dependent {
  readonly kind: string;
  readonly namespace: string | undefined;
  readonly name: string;
}

/** Kinds that controllers adopt: only their orphans are kept. */
const adoptable = new Set(['Pod', 'ReplicaSet', 'ControllerRevision', 'Job']);

export class OwnerIndex {
  readonly #view: View;
  readonly #byOwner = new Map<string, Map<string, Dependent>>();
  /** By kind and namespace. */
  readonly #orphans = new Map<string, Set<string>>();
  readonly #subscription: { close(): void };

  constructor(view: View) {
    this.#view = view;
    for (const kind of view.ids) for (const object of view.list(kind)) this.#add(kind, object);
    this.#subscription = view.subscribe(change => this.#follow(change));
  }

  /** Objects with an ownerReference to that UID, as they are now. */
  dependents(uid: string): AnyObject[] {
    const found = this.#byOwner.get(uid)?.values() ?? [];
    return [...found].flatMap(({ kind, namespace, name }) => this.#view.get(kind, namespace, name) ?? []);
  }

  /** Objects of an adoptable kind without a controller, as they are now. */
  orphans(kind: string, namespace: string | undefined): AnyObject[] {
    const names = this.#orphans.get(`${kind}/${namespace}`) ?? [];
    return [...names].flatMap(name => this.#view.get(kind, namespace, name) ?? []);
  }

  close(): void {
    this.#subscription.close();
  }

  #follow({ type, kind, object, previous }: ObjectChange): void {
    const before = previous ?? (type === 'DELETED' ? object : undefined);
    if (before?.metadata.ownerReferences === object.metadata.ownerReferences && type === 'MODIFIED') return;
    if (before) this.#remove(kind, before);
    if (type !== 'DELETED') this.#add(kind, object);
  }

  #add(kind: string, { metadata }: AnyObject): void {
    const { namespace, name } = metadata;
    if (isOrphan(kind, metadata)) {
      const key = `${kind}/${namespace}`;
      const orphans = this.#orphans.get(key);
      if (orphans) orphans.add(name);
      else this.#orphans.set(key, new Set([name]));
    }
    for (const { uid } of metadata.ownerReferences ?? []) {
      let dependents = this.#byOwner.get(uid);
      if (!dependents) {
        dependents = new Map();
        this.#byOwner.set(uid, dependents);
      }
      dependents.set(`${kind}/${namespace}/${name}`, { kind, namespace, name });
    }
  }

  #remove(kind: string, { metadata }: AnyObject): void {
    if (isOrphan(kind, metadata)) {
      const key = `${kind}/${metadata.namespace}`;
      const orphans = this.#orphans.get(key);
      orphans?.delete(metadata.name);
      if (orphans?.size === 0) this.#orphans.delete(key);
    }
    for (const { uid } of metadata.ownerReferences ?? []) {
      const dependents = this.#byOwner.get(uid);
      dependents?.delete(`${kind}/${metadata.namespace}/${metadata.name}`);
      if (dependents?.size === 0) this.#byOwner.delete(uid);
    }
  }
}

function isOrphan(kind: string, { ownerReferences }: AnyObject['metadata']): boolean {
  return adoptable.has(kind) && !ownerReferences?.some(({ controller }) => controller);
}
