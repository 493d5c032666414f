/** The structured label selector of specs (meta/v1 LabelSelector): to requirements, to text. Pure. */
import type { LabelSelector } from './api/meta-v1.js';
import { type LabelRequirement, matchesLabels } from './selector.js';

const operators: Readonly<Record<string, LabelRequirement['operator']>> = {
  In: 'in',
  NotIn: 'notin',
  Exists: 'exists',
  DoesNotExist: 'absent',
};

/** An absent selector selects nothing, an empty one everything; an unknown operator (never stored) nothing. */
export function selects(
  selector: LabelSelector | undefined,
  labels: Readonly<Record<string, string>> | undefined,
): boolean {
  const requirements = requirementsOf(selector);
  return requirements !== undefined && matchesLabels(requirements, labels);
}

/** Undefined: selects nothing. */
export function requirementsOf(selector: LabelSelector | undefined): LabelRequirement[] | undefined {
  if (!selector) return undefined;
  const exact = Object.entries(selector.matchLabels ?? {}).map(
    ([key, value]): LabelRequirement => ({
      key,
      operator: 'in',
      values: [value],
    }),
  );
  const others = (selector.matchExpressions ?? []).map(({ key, operator, values = [] }) => {
    const known = operators[operator];
    return known && { key, operator: known, values };
  });
  const known = others.filter(item => item !== undefined);
  return known.length === others.length ? [...exact, ...known] : undefined;
}

/** `a=b,c in (x,y),!d`, in order of keys; `''` for none or everything. Readable by parseLabelSelector. */
export function selectorText(selector: LabelSelector | undefined): string {
  const exact = Object.entries(selector?.matchLabels ?? {}).map(([key, value]) => ({ key, text: `${key}=${value}` }));
  const others = (selector?.matchExpressions ?? []).map(({ key, operator, values = [] }) => ({
    key,
    text: expressionText(key, operator, values),
  }));
  return [...exact, ...others]
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .map(({ text }) => text)
    .join(',');
}

function expressionText(key: string, operator: string, values: readonly string[]): string {
  switch (operator) {
    case 'Exists':
      return key;
    case 'DoesNotExist':
      return `!${key}`;
    default:
      return `${key} ${operator.toLowerCase()} (${[...values].sort().join(',')})`;
  }
}

/** `a=b,c=d` in order of keys. */
export function labelsText(labels: Readonly<Record<string, string>> | undefined): string {
  return Object.entries(labels ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
}
