/** Values of custom resources against their schema, with the messages that Kubernetes gives. Pure. */
import { isIP, isIPv4, isIPv6 } from 'node:net';
import { deepEqual, isObject } from '../../kube/json.js';
import { parseTime } from '../../kube/time.js';
import { duplicate, type FieldError, forbiddenField, invalid, notSupported, required } from '../errors.js';
import { matchesPattern } from './pattern.js';
import { celValue, compileRule, isTransition } from './rules.js';
import type { Rule, Schema } from './schema.js';

/** @param old the value before an update, for rules about changes. */
export function valueErrors(schema: Schema, value: unknown, path = '', old?: unknown): FieldError[] {
  if (value === null && schema.nullable) return [];
  const mistyped = typeErrors(schema, value, path);
  if (mistyped.length > 0) return mistyped;
  return [
    ...boundErrors(schema, value, path),
    ...junctorErrors(schema, value, path),
    ...partErrors(schema, value, path, old),
    ...ruleErrors(schema, value, path, old),
  ];
}

const at = (path: string, key: string): string => (path ? `${path}.${key}` : key);
const label = (path: string): string => path || '<root>';

function typeErrors(schema: Schema, value: unknown, path: string): FieldError[] {
  if (schema['x-kubernetes-int-or-string'])
    return typeof value === 'string' || Number.isInteger(value) ? [] : [wrongType(path, value, 'integer,string')];
  return schema.type === undefined || isOfType(schema.type, value) ? [] : [wrongType(path, value, schema.type)];
}

const wrongType = (path: string, value: unknown, type: string): FieldError =>
  invalid(label(path), shown(value), `${label(path)} in body must be of type ${type}: ${JSON.stringify(shown(value))}`);

/** Objects and lists are named by what they are: their text would drown the message. */
const shown = (value: unknown): unknown =>
  Array.isArray(value)
    ? 'array'
    : isObject(value)
      ? 'object'
      : value === null
        ? 'null'
        : typeof value === 'string'
          ? 'string'
          : typeof value === 'boolean'
            ? 'boolean'
            : Number.isInteger(value)
              ? 'integer'
              : 'number';

function isOfType(type: string, value: unknown): boolean {
  switch (type) {
    case 'object':
      return isObject(value);
    case 'array':
      return Array.isArray(value);
    case 'integer':
      return Number.isInteger(value);
    default:
      return typeof value === type;
  }
}

function boundErrors(schema: Schema, value: unknown, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (schema.enum && !schema.enum.some(one => deepEqual(one, value)))
    errors.push(
      notSupported(
        label(path),
        value as string,
        schema.enum.map(one => (typeof one === 'string' ? one : JSON.stringify(one))),
      ),
    );
  if (typeof value === 'number') errors.push(...numberErrors(schema, value, path));
  if (typeof value === 'string') errors.push(...textErrors(schema, value, path));
  if (Array.isArray(value)) errors.push(...listErrors(schema, value, path));
  else if (isObject(value)) errors.push(...sizeErrors(schema, value, path));
  return errors;
}

const body = (path: string, value: unknown, why: string): FieldError =>
  invalid(label(path), value, `${label(path)} in body ${why}`);

function numberErrors(schema: Schema, value: number, path: string): FieldError[] {
  const { minimum, maximum, multipleOf } = schema;
  const errors: FieldError[] = [];
  if (minimum !== undefined && (schema.exclusiveMinimum ? value <= minimum : value < minimum))
    errors.push(body(path, value, `should be greater than ${schema.exclusiveMinimum ? '' : 'or equal to '}${minimum}`));
  if (maximum !== undefined && (schema.exclusiveMaximum ? value >= maximum : value > maximum))
    errors.push(body(path, value, `should be less than ${schema.exclusiveMaximum ? '' : 'or equal to '}${maximum}`));
  if (multipleOf && !Number.isInteger(value / multipleOf))
    errors.push(body(path, value, `should be a multiple of ${multipleOf}`));
  if (schema.format === 'int32' && (value < -(2 ** 31) || value >= 2 ** 31))
    errors.push(body(path, value, `must be of type int32: ${JSON.stringify(value)}`));
  return errors;
}

function textErrors(schema: Schema, value: string, path: string): FieldError[] {
  const { minLength, maxLength, pattern, format } = schema;
  const length = [...value].length;
  const errors: FieldError[] = [];
  if (maxLength !== undefined && length > maxLength)
    errors.push({
      reason: 'TooLong',
      field: label(path),
      message: `Too long: may not be more than ${maxLength} bytes`,
    });
  if (minLength !== undefined && length < minLength)
    errors.push(body(path, value, `should be at least ${minLength} chars long`));
  if (pattern !== undefined && !matchesPattern(pattern, value))
    errors.push(body(path, value, `should match '${pattern}'`));
  if (format !== undefined && formats[format]?.(value) === false)
    errors.push(body(path, value, `must be of type ${format}: ${JSON.stringify(value)}`));
  return errors;
}

/** Formats that Kubernetes checks; others are only words. */
const formats: Readonly<Record<string, (text: string) => boolean>> = {
  'date-time': text => parseTime(text) !== undefined,
  date: text => /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text)),
  duration: text => /^-?(\d+(\.\d+)?(ns|us|µs|ms|s|m|h|d|w)\s?)+$/.test(text) || /^P(?!$)/.test(text),
  ipv4: isIPv4,
  ipv6: isIPv6,
  cidr: text => /^[^/]+\/\d{1,3}$/.test(text) && isIP(text.split('/')[0]!) !== 0,
  uri: text => URL.canParse(text),
  email: text => /^[^@\s]+@[^@\s]+$/.test(text),
  hostname: text => /^[A-Za-z0-9]([-.A-Za-z0-9]{0,251}[A-Za-z0-9])?$/.test(text),
  uuid: text => /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i.test(text),
  byte: text => /^[A-Za-z0-9+/]*={0,2}$/.test(text),
};

function listErrors(schema: Schema, value: readonly unknown[], path: string): FieldError[] {
  const { minItems, maxItems } = schema;
  const errors: FieldError[] = [];
  if (maxItems !== undefined && value.length > maxItems)
    errors.push({
      reason: 'TooMany',
      field: label(path),
      message: `Too many: ${value.length}: must have at most ${maxItems} items`,
    });
  if (minItems !== undefined && value.length < minItems)
    errors.push(body(path, value.length, `should have at least ${minItems} items`));
  return [...errors, ...identityErrors(schema, value, path)];
}

/** Lists that are sets or maps hold nothing twice. */
function identityErrors(schema: Schema, value: readonly unknown[], path: string): FieldError[] {
  const listType = schema['x-kubernetes-list-type'];
  if (listType !== 'set' && listType !== 'map') return [];
  const seen = new Set<string>();
  return value.flatMap((item, i) => {
    const identity = listType === 'set' ? item : mapKeys(schema, item);
    const text = JSON.stringify(identity);
    if (seen.has(text)) return [duplicate(`${label(path)}[${i}]`, identity as string)];
    seen.add(text);
    return [];
  });
}

const mapKeys = (schema: Schema, item: unknown): object =>
  Object.fromEntries(
    (schema['x-kubernetes-list-map-keys'] ?? []).map(key => [
      key,
      isObject(item) ? (item as Record<string, unknown>)[key] : undefined,
    ]),
  );

function sizeErrors(schema: Schema, value: object, path: string): FieldError[] {
  const count = Object.keys(value).length;
  const { minProperties, maxProperties } = schema;
  if (maxProperties !== undefined && count > maxProperties)
    return [
      {
        reason: 'TooMany',
        field: label(path),
        message: `Too many: ${count}: must have at most ${maxProperties} items`,
      },
    ];
  if (minProperties !== undefined && count < minProperties)
    return [body(path, count, `should have at least ${minProperties} properties`)];
  return [];
}

function junctorErrors(schema: Schema, value: unknown, path: string): FieldError[] {
  const passes = (one: Schema): boolean => valueErrors(one, value, path).length === 0;
  const must = (why: string): FieldError => invalid(label(path), shown(value), `"${label(path)}" must ${why}`);
  const errors: FieldError[] = (schema.allOf ?? []).flatMap(one => valueErrors(one, value, path));
  if (schema.anyOf && !schema.anyOf.some(passes)) errors.push(must('validate at least one schema (anyOf)'));
  if (schema.oneOf) {
    const count = schema.oneOf.filter(passes).length;
    if (count !== 1)
      errors.push(must(`validate one and only one schema (oneOf). Found ${count === 0 ? 'none' : count} valid`));
  }
  if (schema.not && passes(schema.not)) errors.push(must('not validate the schema (not)'));
  return errors;
}

function partErrors(schema: Schema, value: unknown, path: string, old: unknown): FieldError[] {
  if (Array.isArray(value))
    return schema.items
      ? value.flatMap((item, i) => valueErrors(schema.items!, item, `${path}[${i}]`, oldItem(schema, old, item)))
      : [];
  if (!isObject(value)) return [];
  const object = value as Record<string, unknown>;
  const missing = (schema.required ?? []).filter(key => !Object.hasOwn(object, key) || object[key] === undefined);
  const more = isObject(schema.additionalProperties) ? (schema.additionalProperties as Schema) : undefined;
  return [
    ...missing.map(key => required(at(path, key))),
    ...Object.keys(object).flatMap(key => {
      const child = schema.properties && Object.hasOwn(schema.properties, key) ? schema.properties[key] : more;
      return child
        ? valueErrors(
            child,
            object[key],
            at(path, key),
            isObject(old) ? (old as Record<string, unknown>)[key] : undefined,
          )
        : [];
    }),
  ];
}

/** Items of lists with keys are followed through an update; others have no past. */
function oldItem(schema: Schema, old: unknown, item: unknown): unknown {
  if (schema['x-kubernetes-list-type'] !== 'map' || !Array.isArray(old)) return undefined;
  const wanted = mapKeys(schema, item);
  return old.find(one => deepEqual(mapKeys(schema, one), wanted));
}

function ruleErrors(schema: Schema, value: unknown, path: string, old: unknown): FieldError[] {
  const rules = schema['x-kubernetes-validations'];
  if (!rules?.length) return [];
  const self = celValue(schema, value);
  const oldSelf = celValue(schema, old);
  return rules.flatMap(rule => {
    if (isTransition(rule.rule) && old === undefined) return [];
    const why = broken(rule, self, oldSelf);
    return why === undefined ? [] : [ruleError(rule, why, at(path, '').replace(/\.$/, ''), value)];
  });
}

/** Why the rule is not met. A rule that fails to run counts as not met. */
function broken(rule: Rule, self: unknown, oldSelf: unknown): string | undefined {
  const run = compileRule(rule.rule);
  if (typeof run === 'string') return run;
  try {
    if (run({ self, oldSelf }) === true) return undefined;
  } catch (error) {
    return `rule evaluation error: ${(error as Error).message.split('\n')[0]}`;
  }
  return messageOf(rule, self, oldSelf) ?? rule.message ?? `failed rule: ${rule.rule.trim()}`;
}

function messageOf(rule: Rule, self: unknown, oldSelf: unknown): string | undefined {
  if (rule.messageExpression === undefined) return undefined;
  const run = compileRule(rule.messageExpression);
  if (typeof run === 'string') return undefined;
  try {
    const text = run({ self, oldSelf });
    return typeof text === 'string' && text.trim() !== '' ? text : undefined;
  } catch {
    return undefined;
  }
}

function ruleError(rule: Rule, why: string, path: string, value: unknown): FieldError {
  const field = label(rule.fieldPath ? `${path}${rule.fieldPath}`.replace(/^\./, '') : path);
  switch (rule.reason) {
    case 'FieldValueForbidden':
      return forbiddenField(field, why);
    case 'FieldValueRequired':
      return required(field, why);
    case 'FieldValueDuplicate':
      return duplicate(field, shown(value) as string);
    default:
      return invalid(field, isObject(value) || Array.isArray(value) ? shown(value) : value, why);
  }
}
