/** What the controller wants of a node, found by UID, by name and by kind. */
import type { KubeObject } from '../kube/meta.js';
import { nameOfObject, type ObjectName } from './interest.js';

export class Desired {
  readonly #byUid = new Map<string, KubeObject>();
  readonly #byName = new Map<ObjectName, KubeObject>();
  readonly #byKind = new Map<string, Map<string, KubeObject>>();

  get(uid: string): KubeObject | undefined {
    return this.#byUid.get(uid);
  }
  named(name: ObjectName): KubeObject | undefined {
    return this.#byName.get(name);
  }
  ofKind(kind: string): KubeObject[] {
    return [...(this.#byKind.get(kind)?.values() ?? [])];
  }
  all(): KubeObject[] {
    return [...this.#byUid.values()];
  }

  put(object: KubeObject): void {
    const uid = object.metadata.uid ?? '';
    this.#byUid.set(uid, object);
    this.#byName.set(nameOfObject(object), object);
    const same = this.#byKind.get(object.kind) ?? new Map<string, KubeObject>();
    this.#byKind.set(object.kind, same.set(uid, object));
  }

  remove(uid: string): void {
    const object = this.#byUid.get(uid);
    if (!object) return;
    this.#byUid.delete(uid);
    this.#byKind.get(object.kind)?.delete(uid);
    // another one of that name may be there already
    const name = nameOfObject(object);
    if (this.#byName.get(name) === object) this.#byName.delete(name);
  }
}
