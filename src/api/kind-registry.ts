/** Which kinds there are: the built-in ones, and those that CustomResourceDefinitions add while the server runs. */
import { idOf, type Kind } from './kind.js';

/** A group, perhaps with a version, and a kind: what ownerReferences and scale targets name. */
const groupKind = (group: string, kind: string): string => `${group}/${kind}`;
const pathOf = (group: string, version: string, plural: string): string => `${group}/${version}/${plural}`;

export class KindRegistry {
  readonly #builtIn: readonly Kind[];
  #custom: readonly Kind[] = [];
  #all: readonly Kind[];
  #byPath = new Map<string, Kind>();
  #byId = new Map<string, Kind>();
  #byGroupKind = new Map<string, Kind>();
  /** Counts changes, for what is derived from the kinds. */
  #version = 0;

  constructor(builtIn: readonly Kind[], custom: readonly Kind[] = []) {
    this.#builtIn = builtIn;
    this.#all = builtIn;
    this.setCustom(custom);
  }

  /** In the order of discovery. */
  get all(): readonly Kind[] {
    return this.#all;
  }
  get custom(): readonly Kind[] {
    return this.#custom;
  }
  get version(): number {
    return this.#version;
  }
  /** Those that have objects of their own in the store. */
  get stored(): readonly Kind[] {
    return this.#all.filter(kind => !kind.conversion && !kind.review && !kind.live);
  }

  /** What a URL names. */
  find(group: string, version: string, plural: string): Kind | undefined {
    return this.#byPath.get(pathOf(group, version, plural));
  }

  /** By the name in the cache (`idOf`). */
  byId(id: string): Kind | undefined {
    return this.#byId.get(id);
  }

  /** What an `apiVersion` and `kind` mean, in the version that is stored. */
  ofObject(apiVersion: string, kind: string): Kind | undefined {
    const slash = apiVersion.indexOf('/');
    return this.#byGroupKind.get(groupKind(slash < 0 ? '' : apiVersion.slice(0, slash), kind));
  }

  /** The kind whose objects this one shows: itself, but for faces. */
  storedOf(kind: Kind): Kind {
    const stored = kind.conversion?.stored;
    return stored ? (this.#byGroupKind.get(groupKind(stored.group, stored.kind)) ?? kind) : kind;
  }

  setCustom(custom: readonly Kind[]): void {
    this.#custom = custom;
    this.#all = [...this.#builtIn, ...custom];
    this.#version++;
    this.#byPath = new Map(this.#all.map(kind => [pathOf(kind.group, kind.version, kind.plural), kind]));
    const own = this.#all.filter(kind => !kind.conversion && !kind.live);
    this.#byId = new Map(own.map(kind => [idOf(kind), kind]));
    this.#byGroupKind = new Map(own.map(kind => [groupKind(kind.group, kind.kind), kind]));
  }
}
