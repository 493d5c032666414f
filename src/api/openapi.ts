/**
 * OpenAPI v3 from the schema table: enough for `kubectl explain`, for server-side validation and for strategic apply
 * (kubernetes-wire §4). One document per group and version, made at the first request.
 */
import { createHash } from 'node:crypto';
import { type Kind, supports } from './kind.js';
import type { KindRegistry } from './kind-registry.js';
import { descriptionOf } from './schema/descriptions.js';
import { typeNamed } from './schema/index.js';
import type { Field, ObjectType } from './schema/types.js';

export interface OpenApiDocument {
  readonly body: Buffer;
  readonly hash: string;
}

/** The documents of all groups, made anew where the kinds of a group have changed. */
export class OpenApi {
  readonly #kinds: KindRegistry;
  readonly #gitVersion: string;
  #version = -1;
  #made = new Map<string, { readonly kinds: readonly Kind[]; readonly document: OpenApiDocument }>();

  constructor(kinds: KindRegistry, gitVersion: string) {
    this.#kinds = kinds;
    this.#gitVersion = gitVersion;
  }

  /** By path, such as `apis/apps/v1`. */
  get documents(): ReadonlyMap<string, OpenApiDocument> {
    if (this.#version !== this.#kinds.version) this.#refresh();
    return new Map([...this.#made].map(([path, { document }]) => [path, document]));
  }

  #refresh(): void {
    const byPath = new Map<string, Kind[]>();
    for (const kind of this.#kinds.all) {
      const path = rootOf(kind).slice(1);
      const list = byPath.get(path);
      if (list) list.push(kind);
      else byPath.set(path, [kind]);
    }
    const before = this.#made;
    this.#made = new Map([...byPath].map(([path, kinds]) => [path, this.#documentOf(kinds, before.get(path))]));
    this.#version = this.#kinds.version;
  }

  #documentOf(
    kinds: readonly Kind[],
    before: { readonly kinds: readonly Kind[]; readonly document: OpenApiDocument } | undefined,
  ) {
    const isSame = before?.kinds.length === kinds.length && kinds.every((kind, i) => kind === before.kinds[i]);
    return isSame ? before : { kinds, document: documentOf(kinds, this.#gitVersion) };
  }
}

/** The index that `/openapi/v3` answers. */
export function openApiIndex(documents: ReadonlyMap<string, OpenApiDocument>): object {
  return {
    paths: Object.fromEntries(
      [...documents].map(([path, { hash }]) => [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }]),
    ),
  };
}

const rootOf = ({ group, version }: Kind): string => (group ? `/apis/${group}/${version}` : `/api/${version}`);

function documentOf(kinds: readonly Kind[], gitVersion: string): OpenApiDocument {
  const document = {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: gitVersion },
    paths: Object.fromEntries(kinds.flatMap(pathsOf)),
    components: { schemas: schemasOf(kinds) },
  };
  const body = Buffer.from(JSON.stringify(document));
  return { body, hash: createHash('sha256').update(body).digest('hex').slice(0, 32).toUpperCase() };
}

const gvk = ({ group, version, kind }: Kind) => ({ group, version, kind });

function pathsOf(kind: Kind): [string, object][] {
  const collection = `${rootOf(kind)}${kind.namespaced ? '/namespaces/{namespace}' : ''}/${kind.plural}`;
  const paths: [string, object][] = [
    [collection, operations(kind, { get: 'list', post: 'create', delete: 'deletecollection' })],
    [`${collection}/{name}`, operations(kind, { get: 'get', put: 'update', patch: 'patch', delete: 'delete' })],
  ];
  // kubectl 1.27 looks for the list without a namespace only
  if (kind.namespaced) paths.push([`${rootOf(kind)}/${kind.plural}`, operations(kind, { get: 'list' })]);
  return paths;
}

const patchContent = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
];

/** A custom resource has no strategic merge: clients look here before they choose a patch. */
const patchContentOf = (kind: Kind): readonly string[] =>
  kind.custom ? patchContent.filter(type => !type.includes('strategic')) : patchContent;

function operations(kind: Kind, verbs: Readonly<Record<string, string>>): object {
  return Object.fromEntries(
    Object.entries(verbs)
      .filter(([, verb]) => supports(kind, verb))
      .map(([method, verb]) => [method, operation(kind, method, verb)]),
  );
}

function operation(kind: Kind, method: string, verb: string): object {
  const writes = ['post', 'put', 'patch'].includes(method);
  const query = (name: string) => ({ name, in: 'query', schema: { type: 'string' } });
  return {
    'x-kubernetes-action': verb === 'create' ? 'post' : verb === 'update' ? 'put' : verb,
    'x-kubernetes-group-version-kind': gvk(kind),
    ...(writes && { parameters: ['dryRun', 'fieldManager', 'fieldValidation'].map(query) }),
    ...(method === 'patch' && {
      requestBody: { content: Object.fromEntries(patchContentOf(kind).map(type => [type, {}])) },
    }),
    responses: { 200: { description: 'OK' } },
  };
}

function schemasOf(kinds: readonly Kind[]): Record<string, object> {
  const schemas: Record<string, object> = {};
  const add = (name: string): void => {
    const id = schemaName(name);
    if (schemas[id]) return;
    schemas[id] = {};
    const type = typeNamed(name);
    schemas[id] = schemaOf(type);
    for (const field of type.byName.values()) if (!field.scalar) add(field.of);
  };
  for (const kind of kinds) {
    if (kind.custom) {
      add(metadataType);
      schemas[customName(kind)] = customSchema(kind, kind.custom.schema);
    } else {
      add(kind.type);
      schemas[schemaName(kind.type)] = kindSchema(kind);
    }
  }
  return schemas;
}

/** `core.v1.Pod` → `io.k8s.api.core.v1.Pod`. */
function schemaName(type: string): string {
  return type.startsWith('meta.') ? `io.k8s.apimachinery.pkg.apis.${type}` : `io.k8s.api.${type}`;
}

const metadataType = 'meta.v1.ObjectMeta';
const customName = ({ group, version, kind }: Kind): string =>
  `${group.split('.').reverse().join('.')}.${version}.${kind}`;

/** The definition's own schema with what every object has. */
function customSchema(kind: Kind, schema: object): object {
  const own = (schema as { properties?: object }).properties ?? {};
  return {
    ...schema,
    properties: {
      ...own,
      apiVersion: { type: 'string', description: 'The group and version of this kind.' },
      kind: { type: 'string', description: 'The kind of this object.' },
      metadata: { allOf: [{ $ref: `#/components/schemas/${schemaName(metadataType)}` }] },
    },
    'x-kubernetes-group-version-kind': [gvk(kind)],
  };
}

function kindSchema(kind: Kind): object {
  const schema = schemaOf(typeNamed(kind.type)) as { properties: object };
  const properties = {
    apiVersion: { type: 'string', description: 'The group and version of this kind.' },
    kind: { type: 'string', description: 'The kind of this object.' },
    ...schema.properties,
  };
  return { ...schema, description: kind.description, properties, 'x-kubernetes-group-version-kind': [gvk(kind)] };
}

function schemaOf(type: ObjectType): object {
  const fields = [...type.byName.values()];
  const required = fields.filter(field => field.required).map(field => field.name);
  return {
    type: 'object',
    properties: Object.fromEntries(fields.map(field => [field.name, described(type, field)])),
    ...(required.length > 0 && { required }),
    ...(type.atomic && { 'x-kubernetes-map-type': 'atomic' }),
  };
}

function described(type: ObjectType, field: Field): object {
  const description = descriptionOf(type.name, field.name, field.of);
  return description ? { description, ...propertyOf(field) } : propertyOf(field);
}

function propertyOf(field: Field): object {
  const one = field.scalar
    ? (scalarSchemas[field.of] ?? { type: 'object' })
    : { allOf: [{ $ref: `#/components/schemas/${schemaName(field.of)}` }] };
  const merge = {
    ...(field.mergeKey !== undefined && {
      'x-kubernetes-patch-strategy': field.retainKeys ? 'merge,retainKeys' : 'merge',
    }),
    ...(field.mergeKey === undefined && field.retainKeys && { 'x-kubernetes-patch-strategy': 'retainKeys' }),
    ...(field.mergeKey && { 'x-kubernetes-patch-merge-key': field.mergeKey }),
  };
  if (field.shape === 'list') return { type: 'array', items: one, ...merge, ...listMarks(field) };
  if (field.shape === 'map')
    return { type: 'object', additionalProperties: one, ...(field.atomic && { 'x-kubernetes-map-type': 'atomic' }) };
  return {
    ...one,
    ...merge,
    ...(!field.scalar && !field.pointer && { default: {} }),
    ...(field.defaultValue !== undefined && { default: field.defaultValue }),
  };
}

function listMarks(field: Field): object {
  if (field.listKeys) return { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': field.listKeys };
  return { 'x-kubernetes-list-type': field.set ? 'set' : 'atomic' };
}

const scalarSchemas: Record<string, object> = {
  string: { type: 'string' },
  bytes: { type: 'string', format: 'byte' },
  int32: { type: 'integer', format: 'int32' },
  int64: { type: 'integer', format: 'int64' },
  uint64: { type: 'integer', format: 'int64' },
  bool: { type: 'boolean' },
  double: { type: 'number', format: 'double' },
  quantity: { oneOf: [{ type: 'string' }, { type: 'number' }] },
  'int-or-string': { format: 'int-or-string', oneOf: [{ type: 'integer' }, { type: 'string' }] },
  time: { type: 'string', format: 'date-time' },
  'micro-time': { type: 'string', format: 'date-time' },
  duration: { type: 'string' },
  strings: { type: 'array', items: { type: 'string' } },
  fields: { type: 'object' },
  raw: { type: 'object' },
  json: {},
};
