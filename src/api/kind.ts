/** What a kind is: data and a few pure functions. The engine does the rest; kinds/ has one file per kind. */
import type { KubeObject } from '../kube/meta.js';
import type { GuardedWrite } from './auth/admit-writer.js';
import type { FieldError } from './errors.js';
import type { ApiContext, ApiRequest } from './request.js';
import type { Decoded } from './schema/decode.js';

/** Any object, in JSON's shape. */
export type AnyObject = KubeObject & { [field: string]: unknown };

export interface Column {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'date';
  readonly format?: 'name';
  /** > 0: only with `-o wide`. */
  readonly priority?: number;
  readonly description?: string;
  /** @param now milliseconds since 1970, for ages. */
  readonly cell: (object: AnyObject, now: number) => string | number | boolean | null;
}

interface Subresource {
  readonly name: string;
  /** `group/version Kind` of what it takes and gives, when it is not the kind itself. */
  readonly responseKind?: { readonly group: string; readonly version: string; readonly kind: string };
  readonly verbs: readonly string[];
}

/** How objects of a custom resource are read and shown; `schema` is for OpenAPI. */
export interface CustomShape {
  readonly schema: object;
  readonly decode: (value: unknown) => Decoded;
  /** Told with every answer. */
  readonly warning?: string;
}

/** What a review may know of the request. */
export interface ReviewCall {
  readonly context: ApiContext;
  readonly call: ApiRequest;
}

/** Where `/scale` finds its three values. */
export interface ScalePaths {
  /** Steps into the object, such as `['spec', 'replicas']`. */
  readonly specReplicas: readonly string[];
  readonly statusReplicas: readonly string[];
  /** The label selector in its text form, `''` for none. */
  readonly selector: (object: AnyObject) => string;
}

/** This kind is another version or face of a kind that is stored: autoscaling/v1 of v2, events.k8s.io of core Event. */
export interface Conversion {
  /** The stored kind's group and kind. */
  readonly stored: { readonly group: string; readonly version: string; readonly kind: string };
  /** Pure; both give a new object with the right apiVersion. */
  readonly fromStored: (object: AnyObject) => AnyObject;
  readonly toStored: (object: AnyObject) => AnyObject;
}

export interface Kind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  /** Its name in the cache, where that is not `kind`: custom resources are `Kind.group`, so that none hides a built-in one. */
  readonly id?: string;
  readonly plural: string;
  readonly singular: string;
  readonly namespaced: boolean;
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  /** Name in the schema table. */
  readonly type: string;
  /** One sentence for `kubectl explain`. */
  readonly description: string;
  /** Default: all eight. */
  readonly verbs?: readonly string[];
  readonly columns: readonly Column[];
  readonly subresources?: readonly Subresource[];
  /** `status` is written through its own subresource only, and `metadata.generation` counts changes of the rest. */
  readonly hasStatus?: boolean;
  /** Complaints about a name. Default: DNS-1123 subdomain. */
  readonly nameProblems?: (name: string) => string[];
  /** Fills in what the client left out, in place. Runs on create and on every update. */
  readonly defaults?: (object: AnyObject) => void;
  /** In place, on create only, after `defaults`: initial status and what only the server decides. */
  readonly prepareCreate?: (object: AnyObject) => void;
  readonly validate?: (object: AnyObject) => FieldError[];
  readonly validateUpdate?: (next: AnyObject, old: AnyObject) => FieldError[];
  /** Field selectors beside metadata.name and metadata.namespace. */
  readonly fieldLabels?: Readonly<Record<string, (object: AnyObject) => string>>;
  /** Marks of a table row, such as `Completed`. */
  readonly rowConditions?: (object: AnyObject) => unknown[];
  /** Seconds to wait before removal when `requested` were asked for; absent or 0: removed at once. */
  readonly graceSeconds?: (object: AnyObject, requested: number | undefined) => number;
  /** In place, when deletion begins but something still holds the object. */
  readonly markDeleted?: (object: AnyObject) => void;
  /** True while something beside `metadata.finalizers` holds a deleted object. */
  readonly isHeld?: (object: AnyObject) => boolean;
  /**
   * What a writer must hold beside the right to write; on create it may also note in the object who that is. Not asked for
   * what this program itself writes. Throws StatusError.
   */
  readonly admitWriter?: (write: GuardedWrite) => void;
  /** What becomes of its dependents when a deletion does not say; absent: `Background`. */
  readonly defaultPropagation?: 'Orphan';
  /** The schema of a custom resource, which is not in the table. */
  readonly custom?: CustomShape;
  /** Serves `/scale`. */
  readonly scale?: ScalePaths;
  /** Not stored itself, but served from another kind. */
  readonly conversion?: Conversion;
  /** Answers a create without storing anything: access reviews. */
  readonly review?: (object: AnyObject, call: ReviewCall) => Promise<AnyObject> | AnyObject;
  /** Not stored: the objects as they are at this moment. */
  readonly live?: (context: ApiContext, namespace: string | undefined) => AnyObject[];
  /** Names that may not be deleted. */
  readonly permanentNames?: readonly string[];
}

export const allVerbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'] as const;

export const apiVersionOf = (kind: Pick<Kind, 'group' | 'version'>): string =>
  kind.group ? `${kind.group}/${kind.version}` : kind.version;
/** The kind's name in the cache, for controllers, and in what it watches. */
export const idOf = (kind: Pick<Kind, 'id' | 'kind'>): string => kind.id ?? kind.kind;
export const supports = (kind: Kind, verb: string): boolean => (kind.verbs ?? allVerbs).includes(verb);

/** Where objects of the kind live in the store, with a trailing `/`. */
export const storePrefix = (kind: Pick<Kind, 'group' | 'plural'>): string =>
  `/registry/${kind.group || 'core'}/${kind.plural}/`;

export function storeKey(
  kind: Pick<Kind, 'group' | 'plural' | 'namespaced'>,
  namespace: string | undefined,
  name: string,
): string {
  return storePrefix(kind) + (kind.namespaced ? `${namespace}/${name}` : name);
}
