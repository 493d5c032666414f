/** One version of a CustomResourceDefinition as a Kind: from here on the engine treats it like any other. */
import type {
  CustomResourceColumnDefinition,
  CustomResourceDefinition,
  CustomResourceDefinitionVersion,
  CustomResourceSubresourceScale,
} from '../../kube/api/apiextensions-v1.js';
import { isObject } from '../../kube/json.js';
import { age } from '../../kube/time.js';
import { ageColumn, nameColumn } from '../columns.js';
import type { AnyObject, Column, Kind, ScalePaths } from '../kind.js';
import { scaleSubresource, statusSubresource } from '../kinds/served.js';
import { type Decoded, DecodeError, decodeObject } from '../schema/decode.js';
import { findAll, parseJsonPath } from './json-path.js';
import { isTransition } from './rules.js';
import type { Schema } from './schema.js';
import { valueErrors } from './validate.js';
import { applyDefaults, prune } from './values.js';

/** Name of its types in the table. */
export const typeName = (definition: CustomResourceDefinition, version: string): string =>
  `${definition.spec.group}/${version}.${definition.spec.names.kind}`;

/** All served versions, the one to prefer first. */
export function kindsOf(definition: CustomResourceDefinition): Kind[] {
  const versions = (definition.spec.versions ?? []).filter(({ served }) => served);
  const storage = (definition.spec.versions ?? []).find(version => version.storage);
  if (!storage) return [];
  return versions
    .sort((a, b) => compareVersions(a.name, b.name))
    .map(version => {
      const kind = kindOf(definition, version);
      return version === storage ? kind : { ...kind, conversion: relabel(definition, version.name, storage.name) };
    });
}

/** Kubernetes' order of versions: v2, v1, v1beta2, v1beta1, v1alpha1, then the rest by name. */
function compareVersions(a: string, b: string): number {
  const [x, y] = [rankOf(a), rankOf(b)];
  if (!x || !y) return x ? -1 : y ? 1 : a < b ? -1 : 1;
  return y[0] - x[0] || y[1] - x[1] || y[2] - x[2];
}

function rankOf(name: string): [stage: number, major: number, minor: number] | undefined {
  const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(name);
  if (!match) return undefined;
  const stage = match[2] === undefined ? 2 : match[2] === 'beta' ? 1 : 0;
  return [stage, Number(match[1]), Number(match[3] ?? 0)];
}

/** The schema of a version; one that says nothing takes everything. */
export const schemaOf = (version: CustomResourceDefinitionVersion): Schema =>
  (version.schema?.openAPIV3Schema as Schema | undefined) ?? {
    type: 'object',
    'x-kubernetes-preserve-unknown-fields': true,
  };

/** Strategy `None`: versions differ in nothing but their name. */
function relabel(
  { spec }: CustomResourceDefinition,
  version: string,
  storage: string,
): NonNullable<Kind['conversion']> {
  const as = (name: string) => (object: AnyObject) => ({ ...object, apiVersion: `${spec.group}/${name}` }) as AnyObject;
  return {
    stored: { group: spec.group, version: storage, kind: spec.names.kind },
    fromStored: as(version),
    toStored: as(storage),
  };
}

function kindOf(definition: CustomResourceDefinition, version: CustomResourceDefinitionVersion): Kind {
  const { group, names, scope } = definition.spec;
  const schema = schemaOf(version);
  const { status, scale } = version.subresources ?? {};
  return {
    group,
    version: version.name,
    kind: names.kind,
    id: `${names.kind}.${group}`,
    plural: names.plural,
    singular: names.singular ?? names.kind.toLowerCase(),
    namespaced: scope === 'Namespaced',
    ...(names.shortNames?.length && { shortNames: names.shortNames }),
    ...(names.categories?.length && { categories: names.categories }),
    type: typeName(definition, version.name),
    description: schema.description ?? `${names.kind} is a custom resource.`,
    columns: columnsOf(version.additionalPrinterColumns),
    subresources: [...(scale ? [scaleSubresource] : []), ...(status ? [statusSubresource] : [])],
    hasStatus: status !== undefined,
    ...(scale && { scale: scalePaths(scale) }),
    ...selectable(version),
    custom: {
      schema,
      decode: value => decode(schema, names.kind, value),
      ...(version.deprecated && {
        warning: version.deprecationWarning ?? `${group}/${version.name} ${names.kind} is deprecated`,
      }),
    },
    defaults: object => applyDefaults(schema, object),
    ...(status && { prepareCreate: (object: AnyObject) => void delete object.status }),
    validate: object => valueErrors(schema, object),
    ...(hasTransitions(schema) && { validateUpdate: (next, old) => transitionErrors(schema, next, old) }),
  };
}

function decode(schema: Schema, kind: string, value: unknown): Decoded {
  if (!isObject(value)) throw new DecodeError(`json: cannot unmarshal into Go value of type ${kind}`);
  const unknown: string[] = [];
  const object = prune(schema, value, unknown) as Record<string, unknown>;
  const { metadata = {} } = value;
  const { object: known, unknown: strange } = decodeObject('core.v1.ConfigMap', { metadata });
  return { object: { ...object, metadata: known.metadata }, unknown: [...strange, ...unknown] };
}

/** Counts only what the past of the object makes wrong: the rest is said by `validate`. */
function transitionErrors(schema: Schema, next: AnyObject, old: AnyObject) {
  const without = new Set(valueErrors(schema, next).map(({ field, message }) => field + message));
  return valueErrors(schema, next, '', old).filter(({ field, message }) => !without.has(field + message));
}

function hasTransitions(schema: Schema): boolean {
  const children = [
    ...Object.values(schema.properties ?? {}),
    ...(schema.items ? [schema.items] : []),
    ...(isObject(schema.additionalProperties) ? [schema.additionalProperties as Schema] : []),
  ];
  return (
    (schema['x-kubernetes-validations'] ?? []).some(({ rule }) => isTransition(rule)) || children.some(hasTransitions)
  );
}

function columnsOf(given: readonly CustomResourceColumnDefinition[] | undefined): Column[] {
  if (!given?.length) return [nameColumn, ageColumn];
  return [nameColumn, ...given.map(columnOf)];
}

function columnOf({ name, type, jsonPath, priority, description }: CustomResourceColumnDefinition): Column {
  const path = parseJsonPath(jsonPath) ?? [];
  return {
    name,
    type: type as Column['type'],
    ...(priority !== undefined && { priority }),
    ...(description && { description }),
    cell: (object, now) => cellOf(type, findAll(path, object), now),
  };
}

function cellOf(type: string, found: readonly unknown[], now: number): string | number | boolean | null {
  if (found.length === 0) return null;
  const [value] = found;
  switch (type) {
    case 'integer':
    case 'number':
      return typeof value === 'number' ? (type === 'integer' ? Math.trunc(value) : value) : null;
    case 'boolean':
      return typeof value === 'boolean' ? value : null;
    case 'date':
      return typeof value === 'string' ? age(value, now) : '<unknown>';
    default:
      return found.map(item => (typeof item === 'string' ? item : JSON.stringify(item))).join(',');
  }
}

function scalePaths({
  specReplicasPath,
  statusReplicasPath,
  labelSelectorPath,
}: CustomResourceSubresourceScale): ScalePaths {
  const selector = labelSelectorPath ? parseJsonPath(labelSelectorPath) : undefined;
  return {
    specReplicas: stepsOf(specReplicasPath),
    statusReplicas: stepsOf(statusReplicasPath),
    selector: object => (selector ? String(findAll(selector, object)[0] ?? '') : ''),
  };
}

/** These paths have names only (checked with the definition). */
const stepsOf = (path: string): string[] => path.replace(/^\./, '').split('.');

function selectable({ selectableFields }: CustomResourceDefinitionVersion): Pick<Kind, 'fieldLabels'> {
  if (!selectableFields?.length) return {};
  const readers = selectableFields.map(({ jsonPath }) => {
    const path = parseJsonPath(jsonPath) ?? [];
    return [jsonPath.replace(/^\./, ''), (object: AnyObject) => String(findAll(path, object)[0] ?? '')] as const;
  });
  return { fieldLabels: Object.fromEntries(readers) };
}
