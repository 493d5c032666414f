/** What is known of Services and slices, and the table that follows from it: each change costs as much as its Service. */
import { isDeepStrictEqual } from 'node:util';
import type { Service } from '../../src/kube/api/core-v1.js';
import type { EndpointSlice } from '../../src/kube/api/discovery-v1.js';
import type { KubeObject } from '../../src/kube/meta.js';
import type { HealthPort, NodeFacts, ServiceEntry, ServiceTable, TableDifference } from './contract.js';
import { entriesOf, healthPortOf, precedence, serviceKey, serviceOfSlice } from './table.js';

export class ProxyState {
  readonly #services = new Map<string, Service>();
  /** By Service, then by UID. */
  readonly #slices = new Map<string, Map<string, EndpointSlice>>();
  /** UID → the Service that the slice belongs to. */
  readonly #owners = new Map<string, string>();
  readonly #entries = new Map<string, readonly ServiceEntry[]>();
  readonly #health = new Map<string, HealthPort>();
  /** By key, those who claim it; the first one has it. */
  readonly #claims = new Map<string, readonly ServiceEntry[]>();
  readonly #table = new Map<string, ServiceEntry>();
  readonly #dirty = new Set<string>();
  #node: NodeFacts;

  constructor(node: NodeFacts) {
    this.#node = node;
  }

  get table(): ServiceTable {
    return this.#table;
  }
  get health(): readonly HealthPort[] {
    return [...this.#health.values()];
  }
  get isDirty(): boolean {
    return this.#dirty.size > 0;
  }

  /** @param node as it is from now on */
  setNode(node: NodeFacts): void {
    if (isDeepStrictEqual(node, this.#node)) return;
    this.#node = node;
    for (const key of this.#services.keys()) this.#dirty.add(key);
  }
  get node(): NodeFacts {
    return this.#node;
  }

  /** Other kinds are none of our business. */
  put(object: KubeObject): void {
    if (object.kind === 'Service') {
      const key = serviceKey(object as Service);
      this.#services.set(key, object as Service);
      this.#dirty.add(key);
    } else if (object.kind === 'EndpointSlice') this.#putSlice(object as EndpointSlice);
  }

  #putSlice(slice: EndpointSlice): void {
    const uid = slice.metadata.uid ?? '';
    const key = serviceOfSlice(slice);
    if (this.#owners.get(uid) !== key) this.#removeSlice(uid);
    if (key === undefined) return;
    const known = this.#slices.get(key) ?? new Map<string, EndpointSlice>();
    this.#slices.set(key, known.set(uid, slice));
    this.#owners.set(uid, key);
    this.#dirty.add(key);
  }

  /** @param key `namespace/name` */
  remove(kind: string, uid: string, key: string): void {
    if (kind === 'EndpointSlice') this.#removeSlice(uid);
    // it may have been made anew already
    if (kind !== 'Service' || this.#services.get(key)?.metadata.uid !== uid) return;
    this.#services.delete(key);
    this.#dirty.add(key);
  }

  #removeSlice(uid: string): void {
    const key = this.#owners.get(uid);
    if (key === undefined) return;
    this.#owners.delete(uid);
    const known = this.#slices.get(key);
    known?.delete(uid);
    if (known?.size === 0) this.#slices.delete(key);
    this.#dirty.add(key);
  }

  /** Everything that there is. */
  sync(objects: readonly KubeObject[]): void {
    for (const key of this.#services.keys()) this.#dirty.add(key);
    this.#services.clear();
    this.#slices.clear();
    this.#owners.clear();
    for (const object of objects) this.put(object);
  }

  /** The table up to date, and what has changed since the last call. */
  take(): TableDifference {
    const touched = new Map<string, ServiceEntry | undefined>();
    for (const key of this.#dirty) this.#refresh(key, touched);
    this.#dirty.clear();
    const result = {
      added: [] as ServiceEntry[],
      changed: [] as { before: ServiceEntry; after: ServiceEntry }[],
      removed: [] as ServiceEntry[],
    };
    for (const [key, before] of touched) {
      const after = this.#claims.get(key)?.[0];
      if (after) this.#table.set(key, after);
      else this.#table.delete(key);
      if (!before && after) result.added.push(after);
      else if (before && !after) result.removed.push(before);
      else if (before && after && !isDeepStrictEqual(before, after)) result.changed.push({ before, after });
    }
    return result;
  }

  #refresh(key: string, touched: Map<string, ServiceEntry | undefined>): void {
    const service = this.#services.get(key);
    const slices = [...(this.#slices.get(key)?.values() ?? [])];
    const after = service ? entriesOf(service, slices, this.#node) : [];
    const before = this.#entries.get(key) ?? [];
    for (const entry of [...before, ...after]) touched.set(entry.key, this.#table.get(entry.key));
    for (const entry of before) this.#claim(entry.key, key, undefined);
    for (const entry of after) this.#claim(entry.key, key, entry);
    if (after.length > 0) this.#entries.set(key, after);
    else this.#entries.delete(key);
    const health = service && healthPortOf(service, slices, this.#node);
    if (health) this.#health.set(key, health);
    else this.#health.delete(key);
  }

  #claim(key: string, service: string, entry: ServiceEntry | undefined): void {
    const others = (this.#claims.get(key) ?? []).filter(other => other.service !== service);
    const claims = entry ? [...others, entry].sort(precedence) : others;
    if (claims.length > 0) this.#claims.set(key, claims);
    else this.#claims.delete(key);
  }
}
