/** Pods that wait for room being made on a node: others must not take it from them. */
import type { PodInfo } from './pod-info.js';

export class Nominations {
  readonly #byNode = new Map<string, Map<string, PodInfo>>();
  readonly #nodeOf = new Map<string, string>();

  set(info: PodInfo, node: string): void {
    this.delete(info.uid);
    this.#nodeOf.set(info.uid, node);
    const there = this.#byNode.get(node) ?? new Map<string, PodInfo>();
    this.#byNode.set(node, there.set(info.uid, info));
  }

  delete(uid: string): void {
    const node = this.#nodeOf.get(uid);
    if (node === undefined) return;
    this.#nodeOf.delete(uid);
    const there = this.#byNode.get(node);
    there?.delete(uid);
    if (there?.size === 0) this.#byNode.delete(node);
  }

  nodeOf(uid: string): string | undefined {
    return this.#nodeOf.get(uid);
  }

  on(node: string): readonly PodInfo[] {
    const there = this.#byNode.get(node);
    return there ? [...there.values()] : [];
  }

  /** Those that a pod must leave room for: as important as itself, or more. */
  readonly ahead = (node: string, info: PodInfo): readonly PodInfo[] =>
    this.#byNode.has(node)
      ? this.on(node).filter(other => other.uid !== info.uid && other.priority >= info.priority)
      : [];
}
