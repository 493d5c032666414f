/**
 * The one cache of the controller above the store: every object decoded once, frozen, with its JSON serialised once. All
 * reads, lists and watches are cut from here and never touch the disk. It also keeps the recent past, so that a watch can
 * resume and a paged list can go on at its own revision.
 */
import { clone, deepFreeze } from '../kube/json.js';
import type { Change, Store } from '../store/contract.js';
import { type AnyObject, idOf, type Kind, storePrefix } from './kind.js';
import { SortedMap } from './sorted.js';

/** One state of one object. */
export class ViewEntry {
  #json: Buffer | undefined;
  constructor(
    /** `namespace/name`, or `name`. */
    readonly key: string,
    readonly object: AnyObject,
    readonly revision: number,
  ) {}

  /** The object's JSON, made at the first use. */
  get json(): Buffer {
    this.#json ??= Buffer.from(JSON.stringify(this.object));
    return this.#json;
  }
}

export interface ObjectChange {
  readonly revision: number;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  /** `idOf` the kind. */
  readonly kind: string;
  /** For DELETED: the last state, with the deletion's revision. */
  readonly object: AnyObject;
  readonly previous?: AnyObject;
}

/** The same with the entries that carry the JSON. */
export interface EntryChange extends ObjectChange {
  readonly entry: ViewEntry;
  readonly before?: ViewEntry;
}

/** What the scheduler, controllers, hub and dashboard read. `kind` is the kind's `idOf`: `Pod`. */
export interface ObjectView {
  readonly incarnation: string;
  /** Everything up to this revision is in. */
  readonly revision: number;
  get(kind: string, namespace: string | undefined, name: string): AnyObject | undefined;
  list(kind: string, namespace?: string): AnyObject[];
  /** Every change, in order, each once. */
  subscribe(listener: (change: ObjectChange) => void): { close(): void };
}

/** So many changes are kept for watches to resume. */
const historyLimit = 10_000;

interface KindState {
  readonly kind: Kind;
  readonly entries: SortedMap<ViewEntry>;
  readonly listeners: Set<(change: EntryChange) => void>;
  /** Called when the kind is no longer served. */
  readonly enders: Set<() => void>;
  /** Revision of the last change of any of them. */
  changed: number;
}

export class View implements ObjectView {
  readonly incarnation: string;
  #revision: number;
  /** The oldest revision that watches can resume from. */
  #oldest: number;
  readonly #byName = new Map<string, KindState>();
  readonly #byPrefix = new Map<string, KindState>();
  readonly #listeners = new Set<(change: ObjectChange) => void>();
  #history: EntryChange[] = [];
  readonly #subscription: { close(): void };

  /** Loads everything and follows the store. */
  constructor(store: Store, kinds: Iterable<Kind>) {
    this.incarnation = store.incarnation;
    for (const kind of kinds) this.#addKind(kind);
    this.#revision = store.revision;
    this.#oldest = Math.max(store.compacted, store.revision - historyLimit);
    const loaded = store.revision;
    for (const entry of store.range('/registry/', '/registry0')) this.#load(entry.key, entry.value, entry.modRevision);
    this.#subscription = store.subscribe(this.#oldest, changes => {
      for (const change of changes) this.#apply(change, change.revision <= loaded);
      this.#revision = Math.max(this.#revision, changes[0]!.revision);
      this.#trim();
    });
  }

  get revision(): number {
    return this.#revision;
  }

  get kinds(): readonly Kind[] {
    return [...this.#byName.values()].map(({ kind }) => kind);
  }

  /** `idOf` every kind. */
  get ids(): readonly string[] {
    return [...this.#byName.keys()];
  }

  get oldest(): number {
    return this.#oldest;
  }

  get(kind: string, namespace: string | undefined, name: string): AnyObject | undefined {
    return this.entry(kind, namespace, name)?.object;
  }

  entry(kind: string, namespace: string | undefined, name: string): ViewEntry | undefined {
    const state = this.#byName.get(kind);
    return state?.entries.get(state.kind.namespaced ? `${namespace}/${name}` : name);
  }

  list(kind: string, namespace?: string): AnyObject[] {
    return Array.from(this.entries(kind, namespace), entry => entry.object);
  }

  /** In order of `namespace/name`; @param after begins behind this key. */
  entries(kind: string, namespace?: string, after = ''): Iterable<ViewEntry> {
    const state = this.#byName.get(kind);
    if (!state) return [];
    const [from, to] = bounds(namespace);
    // the character before any that a name can have: the key itself is left out
    return state.entries.range(after ? `${after}\0` : from, to);
  }

  /** The list as it was at `revision` ≥ `oldest`: today's, with the changes since undone. */
  entriesAt(kind: string, revision: number, namespace?: string): ViewEntry[] {
    const undone = new Map<string, ViewEntry | undefined>();
    for (const change of this.changesSince(revision)) {
      if (change.kind !== kind || undone.has(change.entry.key)) continue;
      undone.set(change.entry.key, change.before);
    }
    if (undone.size === 0) return [...this.entries(kind, namespace)];
    const [from, to] = bounds(namespace);
    const kept = [...this.entries(kind, namespace)].filter(entry => !undone.has(entry.key));
    for (const [key, before] of undone) if (before && key >= from && key < to) kept.push(before);
    return kept.sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  /** Changes after `revision`, oldest first. */
  changesSince(revision: number): EntryChange[] {
    let low = 0;
    let high = this.#history.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#history[middle]!.revision <= revision) low = middle + 1;
      else high = middle;
    }
    return this.#history.slice(low);
  }

  subscribe(listener: (change: ObjectChange) => void): { close(): void } {
    const own = (change: ObjectChange): void => listener(change);
    this.#listeners.add(own);
    return { close: () => void this.#listeners.delete(own) };
  }

  /** Revision of the last change of any object of the kind, since the start. */
  changedAt(kind: string): number {
    return this.#byName.get(kind)?.changed ?? 0;
  }

  /** Changes of one kind only, with their JSON. */
  subscribeKind(
    kind: string,
    listener: (change: EntryChange) => void,
    onEnd: () => void = () => {},
  ): { close(): void } {
    const { listeners, enders } = this.#byName.get(kind)!;
    const own = (change: EntryChange): void => listener(change);
    const end = (): void => onEnd();
    listeners.add(own);
    enders.add(end);
    return {
      close: () => {
        listeners.delete(own);
        enders.delete(end);
      },
    };
  }

  close(): void {
    this.#subscription.close();
  }

  /** Takes up a kind whose first object is yet to come, in the place of an older one of that name. */
  addKind(kind: Kind): void {
    this.#addKind(kind);
  }

  /** Its objects have gone before; whoever still watches is told that this is the end. */
  removeKind(id: string): void {
    const state = this.#byName.get(id);
    if (!state) return;
    this.#byName.delete(id);
    this.#byPrefix.delete(storePrefix(state.kind));
    for (const end of state.enders) end();
  }

  #addKind(kind: Kind): void {
    const state: KindState = { kind, entries: new SortedMap(), listeners: new Set(), enders: new Set(), changed: 0 };
    this.#byName.set(idOf(kind), state);
    this.#byPrefix.set(storePrefix(kind), state);
  }

  #stateOf(key: string): { state: KindState; name: string } | undefined {
    // /registry/<group>/<resource>/…
    const end = key.indexOf('/', key.indexOf('/', '/registry/'.length) + 1) + 1;
    const state = this.#byPrefix.get(key.slice(0, end));
    return state && { state, name: key.slice(end) };
  }

  #load(key: string, value: Buffer, revision: number): void {
    const found = this.#stateOf(key);
    if (found) found.state.entries.set(found.name, decode(found.name, value, revision));
  }

  #apply(change: Change, past: boolean): void {
    const found = this.#stateOf(change.key);
    if (!found) return;
    const { state, name } = found;
    const before = past
      ? change.previous && decode(name, change.previous.value, change.previous.modRevision)
      : state.entries.get(name);
    const entry = change.entry
      ? decode(name, change.entry.value, change.revision)
      : before && lastState(before, change.revision);
    if (!entry) return;
    const type = !change.entry ? 'DELETED' : before ? 'MODIFIED' : 'ADDED';
    const event: EntryChange = {
      revision: change.revision,
      type,
      kind: idOf(state.kind),
      object: entry.object,
      entry,
      ...(before && { previous: before.object, before }),
    };
    this.#history.push(event);
    if (past) return;
    state.changed = change.revision;
    if (type === 'DELETED') state.entries.delete(name);
    else state.entries.set(name, entry);
    this.#revision = Math.max(this.#revision, change.revision);
    for (const listener of state.listeners) listener(event);
    for (const listener of this.#listeners) listener(event);
  }

  #trim(): void {
    // a piece at a time: shifting the array at every change would cost more than it frees
    if (this.#history.length < historyLimit * 1.2) return;
    const cut = this.#history.length - historyLimit;
    this.#oldest = this.#history[cut - 1]!.revision;
    this.#history = this.#history.filter(change => change.revision > this.#oldest);
  }
}

function bounds(namespace: string | undefined): [string, string] {
  return namespace === undefined ? ['', '\uffff'] : [`${namespace}/`, `${namespace}0`];
}

/** Stored values have no resourceVersion: it is the revision they were stored at. */
function decode(key: string, value: Buffer, revision: number): ViewEntry {
  const object = JSON.parse(value.toString('utf8')) as AnyObject;
  object.metadata.resourceVersion = String(revision);
  return new ViewEntry(key, deepFreeze(object), revision);
}

function lastState(before: ViewEntry, revision: number): ViewEntry {
  const object = clone(before.object);
  object.metadata.resourceVersion = String(revision);
  return new ViewEntry(before.key, deepFreeze(object), revision);
}

/** The bytes to store: without the resourceVersion, which the store itself gives. */
export function encode(object: AnyObject): Buffer {
  const { resourceVersion: _, ...metadata } = object.metadata;
  return Buffer.from(JSON.stringify({ ...object, metadata }));
}
