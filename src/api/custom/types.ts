/** A structural schema as types of the table, for server-side apply: what is owned in parts, and what as a whole. */
import { isObject } from '../../kube/json.js';
import type { Field, ObjectType } from '../schema/types.js';
import type { Schema } from './schema.js';

/** The types of one version, the root under `name`, the others below it. */
export function typesOf(schema: Schema, name: string): Map<string, ObjectType> {
  const all = new Map<string, ObjectType>();
  const { apiVersion: _, kind: __, metadata: ___, ...properties } = schema.properties ?? {};
  addType(all, name, { ...schema, properties }, [{ ...plain('metadata'), of: 'meta.v1.ObjectMeta', scalar: false }]);
  return all;
}

function addType(all: Map<string, ObjectType>, name: string, schema: Schema, more: readonly Field[] = []): void {
  const own = Object.entries(schema.properties ?? {}).map(([key, child]) => fieldOf(all, `${name}.${key}`, key, child));
  const fields = [...more, ...own];
  all.set(name, {
    name,
    atomic: schema['x-kubernetes-map-type'] === 'atomic',
    fields,
    byName: new Map(fields.map(field => [field.name, field])),
  });
}

const plain = (name: string): Field => ({
  number: 0,
  name,
  shape: 'one',
  of: 'json',
  scalar: true,
  required: false,
  pointer: false,
  always: false,
  inline: false,
  atomic: false,
  retainKeys: false,
  replace: false,
  set: false,
});

function fieldOf(all: Map<string, ObjectType>, typeName: string, name: string, schema: Schema): Field {
  const field = plain(name);
  if (schema.type === 'array') return listField(all, typeName, field, schema);
  if (schema.type !== 'object') return field;
  if (schema.properties) {
    addType(all, typeName, schema);
    return { ...field, of: typeName, scalar: false };
  }
  const isMap = isObject(schema.additionalProperties) && schema['x-kubernetes-map-type'] !== 'atomic';
  return isMap ? { ...field, shape: 'map' } : field;
}

function listField(all: Map<string, ObjectType>, typeName: string, field: Field, schema: Schema): Field {
  const listType = schema['x-kubernetes-list-type'];
  const listKeys = schema['x-kubernetes-list-map-keys'];
  if (listType === 'set') return { ...field, shape: 'list', set: true };
  if (listType !== 'map' || !schema.items || !listKeys) return { ...field, shape: 'list' };
  addType(all, typeName, schema.items);
  return { ...field, shape: 'list', of: typeName, scalar: false, listKeys };
}
