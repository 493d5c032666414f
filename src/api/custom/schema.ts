/**
 * The structural schema of a custom resource (apiextensions/v1 JSONSchemaProps): its form, and whether one is sound. See
 * "Specifying a structural schema" in the Kubernetes documentation.
 */
import { isObject } from '../../kube/json.js';
import { type FieldError, forbiddenField, invalid, notSupported, required } from '../errors.js';
import { patternProblem } from './pattern.js';
import { compileRule } from './rules.js';

/** One node; the names are JSON Schema's. */
export interface Schema {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  readonly description?: string;
  readonly format?: string;
  readonly nullable?: boolean;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly required?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: boolean;
  readonly exclusiveMaximum?: boolean;
  readonly multipleOf?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly uniqueItems?: boolean;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly allOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly not?: Schema;
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean;
  readonly 'x-kubernetes-embedded-resource'?: boolean;
  readonly 'x-kubernetes-int-or-string'?: boolean;
  readonly 'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map';
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-map-type'?: 'atomic' | 'granular';
  readonly 'x-kubernetes-validations'?: readonly Rule[];
}

/** A CEL rule: `self` is the value at its place, `oldSelf` the one before an update. */
export interface Rule {
  readonly rule: string;
  readonly message?: string;
  readonly messageExpression?: string;
  readonly reason?: 'FieldValueInvalid' | 'FieldValueForbidden' | 'FieldValueRequired' | 'FieldValueDuplicate';
  readonly fieldPath?: string;
  readonly optionalOldSelf?: boolean;
}

const types = ['array', 'boolean', 'integer', 'number', 'object', 'string'];
/** No real schema comes near; the walks over it are recursive. */
const maxDepth = 100;

/** What is wrong with a schema, by field path below `path`. */
export function schemaErrors(value: unknown, path: string): FieldError[] {
  if (!isObject(value)) return [invalid(path, value, 'must be an object')];
  const errors = nodeErrors(value as Schema, path, 0);
  const root = value as Schema;
  if (root.type !== 'object') errors.push(invalid(`${path}.type`, root.type ?? '', 'must be object at the root'));
  return errors;
}

function nodeErrors(node: Schema, path: string, depth: number): FieldError[] {
  if (depth > maxDepth) return [invalid(path, '...', `schemas nest at most ${maxDepth} levels deep`)];
  if (!isObject(node as unknown)) return [invalid(path, node, 'must be an object')];
  return [
    ...typeErrors(node, path),
    ...shapeErrors(node, path),
    ...(node.pattern === undefined ? [] : problem(`${path}.pattern`, node.pattern, patternProblem(node.pattern))),
    ...ruleErrors(node, path),
    ...childErrors(node, path, depth),
  ];
}

const problem = (path: string, value: unknown, why: string | undefined): FieldError[] =>
  why === undefined ? [] : [invalid(path, value, why)];

function typeErrors(node: Schema, path: string): FieldError[] {
  const isOpen = node['x-kubernetes-preserve-unknown-fields'] || node['x-kubernetes-int-or-string'];
  if (node.type === undefined)
    return isOpen ? [] : [required(`${path}.type`, 'must not be empty for specified object fields')];
  if (!types.includes(node.type)) return [notSupported(`${path}.type`, node.type, types)];
  if (node['x-kubernetes-int-or-string'])
    return [invalid(`${path}.type`, node.type, 'must be empty if x-kubernetes-int-or-string is true')];
  return [];
}

function shapeErrors(node: Schema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const raw = node as Readonly<Record<string, unknown>>;
  for (const word of ['$ref', 'definitions', 'dependencies', 'patternProperties', 'additionalItems', 'id'])
    if (raw[word] !== undefined) errors.push(forbiddenField(`${path}.${word}`, `${word} is not supported`));
  if (node.properties && node.additionalProperties)
    errors.push(
      forbiddenField(`${path}.additionalProperties`, 'additionalProperties and properties are mutual exclusive'),
    );
  if (node.uniqueItems)
    errors.push(
      forbiddenField(
        `${path}.uniqueItems`,
        'uniqueItems cannot be set to true since the runtime complexity becomes quadratic',
      ),
    );
  if (node.type === 'array' && node.items === undefined) errors.push(required(`${path}.items`, 'must be specified'));
  return [...errors, ...listErrors(node, path)];
}

function listErrors(node: Schema, path: string): FieldError[] {
  const listType = node['x-kubernetes-list-type'];
  const keys = node['x-kubernetes-list-map-keys'];
  if (listType !== undefined && !['atomic', 'set', 'map'].includes(listType))
    return [notSupported(`${path}.x-kubernetes-list-type`, listType, ['atomic', 'map', 'set'])];
  if (listType === 'map' && !keys?.length)
    return [required(`${path}.x-kubernetes-list-map-keys`, 'must not be empty if x-kubernetes-list-type is map')];
  if (listType !== 'map' && keys?.length)
    return [
      forbiddenField(`${path}.x-kubernetes-list-map-keys`, 'must not be set if x-kubernetes-list-type is not map'),
    ];
  return (keys ?? [])
    .filter(key => !node.items?.properties?.[key])
    .map(key => invalid(`${path}.x-kubernetes-list-map-keys`, key, 'entries must all be names of item properties'));
}

/** A rule that cannot be carried out is refused with the schema, not met later by somebody's object. */
function ruleErrors(node: Schema, path: string): FieldError[] {
  return (node['x-kubernetes-validations'] ?? []).flatMap((rule, i) => {
    const here = `${path}.x-kubernetes-validations[${i}]`;
    if (!rule?.rule?.trim()) return [required(`${here}.rule`, 'rule is not specified')];
    const broken = compileRule(rule.rule);
    if (typeof broken === 'string') return [invalid(`${here}.rule`, rule.rule, `compilation failed: ${broken}`)];
    const message = rule.messageExpression === undefined ? undefined : compileRule(rule.messageExpression);
    return typeof message === 'string'
      ? [invalid(`${here}.messageExpression`, rule.messageExpression, `compilation failed: ${message}`)]
      : [];
  });
}

function childErrors(node: Schema, path: string, depth: number): FieldError[] {
  const { additionalProperties, items } = node;
  return [
    ...Object.entries(node.properties ?? {}).flatMap(([name, child]) =>
      nodeErrors(child, `${path}.properties[${name}]`, depth + 1),
    ),
    ...(isObject(additionalProperties)
      ? nodeErrors(additionalProperties as Schema, `${path}.additionalProperties`, depth + 1)
      : []),
    ...(items === undefined ? [] : nodeErrors(items, `${path}.items`, depth + 1)),
  ];
}
