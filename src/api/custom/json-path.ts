/**
 * The JSONPath of printer columns, `/scale` and selectable fields: `.spec.names[0]`, `.metadata.labels['a/b']`, `[*]`,
 * `[?(@.type=="Ready")].status`. A path is parsed once; finding it never throws.
 */
import { isObject } from '../../kube/json.js';

type Step =
  | { readonly field: string }
  | { readonly index: number }
  | { readonly all: true }
  | { readonly filter: { readonly path: readonly string[]; readonly equal: boolean; readonly value: unknown } };

export type JsonPath = readonly Step[];

const pattern =
  /\.((?:[\w$-]|\\.)+|\*)|\.?\[\s*'((?:[^'\\]|\\.)*)'\s*\]|\.?\["((?:[^"\\]|\\.)*)"\]|\[\s*(-?\d+)\s*\]|\[\s*(\*)\s*\]|\[\?\(\s*@((?:\.[\w$-]+)+)\s*(==|!=)\s*("[^"]*"|'[^']*'|true|false|-?\d+(?:\.\d+)?)\s*\)\]/y;

/** Undefined for what is no such path. */
export function parseJsonPath(text: string): JsonPath | undefined {
  const whole = text.startsWith('$') ? text.slice(1) : text.startsWith('.') || text.startsWith('[') ? text : `.${text}`;
  const steps: Step[] = [];
  pattern.lastIndex = 0;
  while (pattern.lastIndex < whole.length) {
    const match = pattern.exec(whole);
    if (!match) return undefined;
    steps.push(stepOf(match));
  }
  return steps;
}

function stepOf(match: RegExpExecArray): Step {
  const [, name, single, double, index, all, filterPath, operator, value] = match;
  if (name === '*' || all !== undefined) return { all: true };
  if (index !== undefined) return { index: Number(index) };
  if (filterPath !== undefined)
    return {
      filter: { path: filterPath.slice(1).split('.'), equal: operator === '==', value: literal(value!) },
    };
  // `.metadata.labels.a\.b`: an escaped dot belongs to the name
  return { field: (name ?? single ?? double ?? '').replace(/\\(.)/g, '$1') };
}

const literal = (text: string): unknown => (text.startsWith("'") ? text.slice(1, -1) : (JSON.parse(text) as unknown));

/** Everything at the path, in order. */
export function findAll(path: JsonPath, value: unknown): unknown[] {
  return path.reduce<unknown[]>((found, step) => found.flatMap(item => take(step, item)), [value]);
}

function take(step: Step, value: unknown): unknown[] {
  if ('field' in step) return isObject(value) && Object.hasOwn(value, step.field) ? [value[step.field]] : [];
  if ('all' in step) return Array.isArray(value) ? value : isObject(value) ? Object.values(value) : [];
  if (!Array.isArray(value)) return [];
  if ('index' in step) return value.slice(step.index, step.index === -1 ? undefined : step.index + 1);
  const { path, equal, value: wanted } = step.filter;
  return value.filter(
    item =>
      (findAll(
        path.map(field => ({ field })),
        item,
      )[0] ===
        wanted) ===
      equal,
  );
}
