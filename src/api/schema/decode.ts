/**
 * JSON value → object of a type: unknown fields are dropped and named, fields of a wrong type refused as Go's decoder does,
 * nulls are absent, quantities and times take their canonical form.
 */
import { isObject, setOwn } from '../../kube/json.js';
import { canonicalQuantity } from '../../kube/quantity.js';
import { microTimestamp, parseTime, timestamp } from '../../kube/time.js';
import { typeNamed } from './index.js';
import type { Field, ObjectType } from './types.js';

/** The value cannot be an object of the type at all; the message is Go's. */
export class DecodeError extends Error {
  override name = 'DecodeError';
}

export interface Decoded {
  readonly object: Record<string, unknown>;
  /** `unknown field "spec.foo"`, in document order. */
  readonly unknown: readonly string[];
}

/** Types that are whole objects inside others too: the claim templates of a StatefulSet say what they are. */
const wholeObjects: ReadonlySet<string> = new Set(['core.v1.PersistentVolumeClaim']);
const isTypeName = (key: string): boolean => key === 'apiVersion' || key === 'kind';

/** Decodes a whole object; `apiVersion` and `kind` are allowed beside the type's own fields. Throws DecodeError. */
export function decodeObject(typeName: string, value: unknown): Decoded {
  const unknown: string[] = [];
  if (!isObject(value))
    throw new DecodeError(`json: cannot unmarshal ${nameOf(value)} into Go value of type ${shortName(typeName)}`);
  const object: Record<string, unknown> = {};
  for (const key of ['apiVersion', 'kind'] as const) {
    const word = value[key];
    if (word !== undefined && word !== null && typeof word !== 'string')
      throw mismatch(word, shortName(typeName), key, 'string');
    if (typeof word === 'string') object[key] = word;
  }
  decodeFields(typeNamed(typeName), value, '', '', unknown, object);
  return { object, unknown };
}

function decodeFields(
  type: ObjectType,
  value: Record<string, unknown>,
  path: string,
  goPath: string,
  unknown: string[],
  into: Record<string, unknown>,
): void {
  for (const key of Object.keys(value)) {
    const field = type.byName.get(key);
    const here = path ? `${path}.${key}` : key;
    const item = value[key];
    if (!field) {
      if (wholeObjects.has(type.name) && path && typeof item === 'string' && isTypeName(key)) into[key] = item;
      else if (path || !isTypeName(key)) unknown.push(`unknown field "${here}"`);
      continue;
    }
    if (item === null || item === undefined) continue;
    setOwn(into, key, decodeField(type, field, item, here, goPath ? `${goPath}.${key}` : key, unknown));
  }
}

function decodeField(
  type: ObjectType,
  field: Field,
  value: unknown,
  path: string,
  goPath: string,
  unknown: string[],
): unknown {
  const one = (item: unknown, itemPath: string): unknown => decodeOne(type, field, item, itemPath, goPath, unknown);
  if (field.shape === 'list') {
    if (!Array.isArray(value)) throw mismatch(value, shortName(type.name), goPath, `[]${goName(field)}`);
    return value.map((item, index) => one(item, `${path}[${index}]`));
  }
  if (field.shape === 'map') {
    if (!isObject(value)) throw mismatch(value, shortName(type.name), goPath, `map[string]${goName(field)}`);
    const map = {};
    for (const key of Object.keys(value)) setOwn(map, key, one(value[key], `${path}.${key}`));
    return map;
  }
  return one(value, path);
}

function decodeOne(
  type: ObjectType,
  field: Field,
  value: unknown,
  path: string,
  goPath: string,
  unknown: string[],
): unknown {
  if (field.scalar) return decodeScalar(type, field, value, goPath);
  if (value === null) return {};
  if (!isObject(value)) throw mismatch(value, shortName(type.name), goPath, goName(field));
  const object: Record<string, unknown> = {};
  decodeFields(typeNamed(field.of), value, path, goPath, unknown, object);
  return object;
}

function decodeScalar(type: ObjectType, field: Field, value: unknown, goPath: string): unknown {
  const wrong = (): DecodeError => mismatch(value, shortName(type.name), goPath, goName(field));
  switch (field.of) {
    case 'string':
      if (value === null) return '';
      if (typeof value !== 'string') throw wrong();
      return value;
    case 'bool':
      if (value === null) return false;
      if (typeof value !== 'boolean') throw wrong();
      return value;
    case 'int32':
    case 'int64':
    case 'uint64':
      if (value === null) return 0;
      if (!isInteger(value, field.of)) throw wrong();
      return value;
    case 'double':
      if (typeof value !== 'number') throw wrong();
      return value;
    case 'int-or-string':
      if (typeof value !== 'string' && !isInteger(value, 'int32')) throw wrong();
      return value;
    case 'bytes':
      return decodeBytes(value, wrong);
    case 'quantity':
      return decodeQuantity(value);
    case 'time':
    case 'micro-time':
      return decodeTime(value, field.of, wrong);
    case 'strings':
      if (!Array.isArray(value) || value.some(item => typeof item !== 'string')) throw wrong();
      return value;
    default:
      return value;
  }
}

function isInteger(value: unknown, kind: 'int32' | 'int64' | 'uint64'): value is number {
  // numbers beyond 2^53 have already lost digits in JSON.parse: refused, never stored wrong
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) return false;
  if (kind === 'int32') return value >= -(2 ** 31) && value < 2 ** 31;
  return kind === 'int64' || value >= 0;
}

function decodeBytes(value: unknown, wrong: () => DecodeError): string {
  if (value === null) return '';
  if (typeof value !== 'string') throw wrong();
  const compact = value.replaceAll('\n', '').replaceAll('\r', '');
  const bad = compact.length % 4 !== 0 ? compact.length : compact.search(/[^A-Za-z0-9+/=]|=(?!=?$)/);
  if (bad >= 0)
    throw new DecodeError(
      `illegal base64 data at input byte ${Math.max(0, bad === compact.length ? compact.length - (compact.length % 4) : bad)}`,
    );
  return compact;
}

function decodeQuantity(value: unknown): string {
  if (value === null) return '0';
  if (typeof value !== 'string' && typeof value !== 'number')
    throw new DecodeError(`quantities must be a string or a number, not ${nameOf(value)}`);
  try {
    return canonicalQuantity(value);
  } catch (error) {
    throw new DecodeError((error as Error).message);
  }
}

function decodeTime(value: unknown, kind: 'time' | 'micro-time', wrong: () => DecodeError): string | null {
  if (value === null) return null;
  if (typeof value !== 'string') throw wrong();
  const ms = parseTime(value);
  if (ms === undefined)
    throw new DecodeError(`parsing time ${JSON.stringify(value)} as "2006-01-02T15:04:05Z07:00": cannot parse`);
  if (kind === 'time') return timestamp(ms);
  // microseconds are kept exactly where the text is already in the canonical form
  return /^\S{19}\.\d{6}Z$/.test(value) ? value : microTimestamp(ms);
}

function mismatch(value: unknown, type: string, path: string, want: string): DecodeError {
  return new DecodeError(
    `json: cannot unmarshal ${nameOf(value)} into Go struct field ${type}.${path} of type ${want}`,
  );
}

function nameOf(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  if (value === null) return 'null';
  if (typeof value === 'boolean') return 'bool';
  return typeof value === 'number' && !Number.isInteger(value) ? `number ${value}` : typeof value;
}

const shortName = (typeName: string): string => typeName.slice(typeName.lastIndexOf('.') + 1);
const goScalars: Record<string, string> = {
  bytes: '[]uint8',
  double: 'float64',
  'int-or-string': 'intstr.IntOrString',
  quantity: 'resource.Quantity',
  time: 'v1.Time',
  'micro-time': 'v1.MicroTime',
  strings: '[]string',
};
const goName = (field: Field): string =>
  field.scalar ? (goScalars[field.of] ?? field.of) : field.of.split('.').slice(-2).join('.');
