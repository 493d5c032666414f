/** The cache as the hub reads it, with what nodes must know of NetworkPolicies among its objects. */
import type { ObjectView } from '../api/view.js';
import { PeerBook } from '../controllers/network-policy/peers.js';
import type { PolicyPeers } from '../kube/policy-peers.js';
import type { HubChange } from '../link/hub.js';

/** Changes that come together, such as a rollout's pods, are told together. */
const gatherMs = 20;
const watched = new Set(['NetworkPolicy', 'Namespace', 'Pod', 'Service']);

export class PolicyView {
  readonly #book = new PeerBook();
  readonly #told = new Map<string, PolicyPeers>();
  readonly #listeners = new Set<(change: HubChange) => void>();
  #timer: NodeJS.Timeout | undefined;

  constructor(readonly view: ObjectView) {
    for (const kind of watched) for (const object of view.list(kind)) this.#book.put(object);
    view.subscribe(({ kind, object, type }) => {
      if (!watched.has(kind)) return;
      if (type !== 'DELETED') this.#book.put(object);
      else this.#book.remove(object);
      if (kind === 'NetworkPolicy' && type === 'DELETED') this.#gone(object.metadata.uid ?? '');
      if (this.#book.isDirty) this.#timer ??= setTimeout(() => this.#tell(), gatherMs);
    });
    this.#tell();
  }

  list(): Iterable<PolicyPeers> {
    return this.#told.values();
  }

  get(namespace: string | undefined, name: string): PolicyPeers | undefined {
    return [...this.#told.values()].find(({ metadata: m }) => m.namespace === namespace && m.name === name);
  }

  subscribe(listener: (change: HubChange) => void): { close(): void } {
    this.#listeners.add(listener);
    return { close: () => void this.#listeners.delete(listener) };
  }

  #tell(): void {
    this.#timer = undefined;
    const { revision } = this.view;
    for (const peers of this.#book.take()) {
      const uid = peers.metadata.uid ?? '';
      // a node that comes back compares it with what it knows, which may be the change that led to this one
      const object = { ...peers, metadata: { ...peers.metadata, resourceVersion: String(revision + 1) } };
      const previous = this.#told.get(uid);
      this.#told.set(uid, object);
      this.#emit({ revision, object, previous, deleted: false });
    }
  }

  #gone(uid: string): void {
    const object = this.#told.get(uid);
    this.#told.delete(uid);
    if (object) this.#emit({ revision: this.view.revision, object, deleted: true });
  }

  #emit(change: HubChange): void {
    for (const listener of this.#listeners) listener(change);
  }
}
