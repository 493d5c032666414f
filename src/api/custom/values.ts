/** Values of custom resources against their schema: dropping what it does not know, and filling in its defaults. Pure. */
import { clone, isObject, setOwn } from '../../kube/json.js';
import type { Schema } from './schema.js';

/** Fields that every object has, whatever its schema says of them. */
const objectFields = new Set(['apiVersion', 'kind', 'metadata']);

/**
 * A copy without fields that the schema does not know.
 * @param unknown gets `unknown field "spec.foo"` for each.
 * @param isRoot whether the value is an object of its own, with apiVersion, kind and metadata.
 */
export function prune(schema: Schema, value: unknown, unknown: string[], path = '', isRoot = true): unknown {
  if (Array.isArray(value))
    return schema.items
      ? value.map((item, i) => prune(schema.items!, item, unknown, `${path}[${i}]`, false))
      : clone(value);
  if (!isObject(value)) return value;
  const result: Record<string, unknown> = {};
  const hasOwnFields = isRoot || schema['x-kubernetes-embedded-resource'] === true;
  for (const [key, item] of Object.entries(value)) {
    const here = path ? `${path}.${key}` : key;
    if (hasOwnFields && objectFields.has(key)) setOwn(result, key, clone(item));
    else {
      const child = childOf(schema, key);
      if (child === 'open') setOwn(result, key, clone(item));
      else if (child) setOwn(result, key, prune(child, item, unknown, here, false));
      else unknown.push(`unknown field "${here}"`);
    }
  }
  return result;
}

/** The schema of a field, `open` if anything may be there, undefined if nothing. */
export function childOf(schema: Schema, key: string): Schema | 'open' | undefined {
  const { properties, additionalProperties } = schema;
  if (properties && Object.hasOwn(properties, key)) return properties[key];
  if (additionalProperties === true) return 'open';
  if (isObject(additionalProperties)) return additionalProperties as Schema;
  return schema['x-kubernetes-preserve-unknown-fields'] ? 'open' : undefined;
}

/** In place. A null where null is not allowed makes room for the default. */
export function applyDefaults(schema: Schema, value: unknown): void {
  if (Array.isArray(value)) {
    if (schema.items) for (const item of value) applyDefaults(schema.items, item);
    return;
  }
  if (!isObject(value)) return;
  const object = value as Record<string, unknown>;
  for (const [key, child] of Object.entries(schema.properties ?? {})) {
    if (child.default !== undefined && needsDefault(child, object, key)) setOwn(object, key, clone(child.default));
    if (Object.hasOwn(object, key)) applyDefaults(child, object[key]);
  }
  if (!isObject(schema.additionalProperties)) return;
  for (const [key, item] of Object.entries(object))
    if (!schema.properties || !Object.hasOwn(schema.properties, key))
      applyDefaults(schema.additionalProperties as Schema, item);
}

const needsDefault = (child: Schema, object: Record<string, unknown>, key: string): boolean =>
  !Object.hasOwn(object, key) || object[key] === undefined || (object[key] === null && !child.nullable);
