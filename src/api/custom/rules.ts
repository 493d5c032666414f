/**
 * CEL: rules of schemas (`x-kubernetes-validations`, on `self` and `oldSelf`) and match conditions of webhooks (on `object`,
 * `oldObject` and `request`). Compiled once, run on values converted to CEL's types.
 */
import { Environment } from '@marcbachmann/cel-js';
import { isObject } from '../../kube/json.js';
import { quantityProblem } from '../../kube/quantity.js';
import { matchesPattern } from './pattern.js';
import type { Schema } from './schema.js';

type Run = (variables: Readonly<Record<string, unknown>>) => unknown;

/** Kubernetes' own functions beside CEL's that schemas in the wild use. */
const environment = new Environment({
  homogeneousAggregateLiterals: false,
  enableOptionalTypes: true,
  limits: { maxAstNodes: 5000, maxDepth: 100, maxListElements: 1000, maxMapEntries: 1000, maxCallArguments: 32 },
})
  .registerVariable('self', 'dyn')
  .registerVariable('oldSelf', 'dyn')
  .registerVariable('object', 'dyn')
  .registerVariable('oldObject', 'dyn')
  .registerVariable('request', 'dyn')
  .registerFunction('isURL(string): bool', (text: string) => URL.canParse(text))
  .registerFunction('isQuantity(string): bool', (text: string) => quantityProblem(text) === undefined)
  .registerFunction('string.find(string): string', (text: string, pattern: string) => firstMatch(text, pattern))
  .registerFunction('list.isSorted(): bool', (items: unknown[]) => isSorted(items))
  .registerFunction('list.sum(): dyn', (items: (bigint | number)[]) => sum(items))
  .registerFunction('list.min(): dyn', (items: (bigint | number)[]) => extreme(items, (a, b) => a < b))
  .registerFunction('list.max(): dyn', (items: (bigint | number)[]) => extreme(items, (a, b) => a > b))
  .registerFunction('list.indexOf(dyn): int', (items: unknown[], item: unknown) => BigInt(items.indexOf(item)));

function firstMatch(text: string, pattern: string): string {
  // the shortest prefix and start that match would cost more than it tells: a match, or nothing
  return matchesPattern(pattern, text) ? text : '';
}

const isSorted = (items: readonly unknown[]): boolean =>
  items.every((item, i) => i === 0 || (items[i - 1] as string) <= (item as string));

/** int64 and double compare with each other, but Math takes one kind only. */
function extreme<T>(items: readonly T[], isBetter: (a: T, b: T) => boolean): T | undefined {
  return items.reduce<T | undefined>(
    (best, item) => (best === undefined || isBetter(item, best) ? item : best),
    undefined,
  );
}

const sum = (items: readonly (bigint | number)[]): bigint | number =>
  items.reduce((a, b) => (typeof a === 'bigint' && typeof b === 'bigint' ? a + b : Number(a) + Number(b)), 0n);

const compiled = new Map<string, Run | string>();
const cacheSize = 5000;

/** The rule as a function, or why it is none. */
export function compileRule(text: string): Run | string {
  let found = compiled.get(text);
  if (found === undefined) {
    if (compiled.size >= cacheSize) compiled.clear();
    found = compile(text);
    compiled.set(text, found);
  }
  return found;
}

function compile(text: string): Run | string {
  try {
    const checked = environment.check(text);
    if (!checked.valid) return checked.error?.message ?? 'the expression cannot be checked';
    return environment.parse(text) as Run;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Rules about a change run on updates only. */
export const isTransition = (rule: string): boolean => /\boldSelf\b/.test(rule);

/** JSON in CEL's types: integers are int64, as the schema says. */
export function celValue(schema: Schema | undefined, value: unknown): unknown {
  if (typeof value === 'number') {
    const isWhole = schema?.type === 'integer' || (schema?.type !== 'number' && Number.isInteger(value));
    return isWhole && Number.isInteger(value) ? BigInt(value) : value;
  }
  if (Array.isArray(value)) return value.map(item => celValue(schema?.items, item));
  if (!isObject(value)) return value;
  const more = isObject(schema?.additionalProperties) ? (schema.additionalProperties as Schema) : undefined;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, celValue(schema?.properties?.[key] ?? more, item)]),
  );
}
