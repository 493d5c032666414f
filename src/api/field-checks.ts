/** Checks of single values that many kinds share; each gives the complaints, in Kubernetes' words. Pure. */
import type { LabelSelector } from '../kube/api/meta-v1.js';
import { deepEqual } from '../kube/json.js';
import { labelValueProblems, qualifiedNameProblems } from '../kube/names.js';
import { type FieldError, forbiddenField, invalid, required } from './errors.js';
import { validateLabels } from './validate.js';

export const immutable = (path: string, next: unknown, old: unknown): FieldError[] =>
  deepEqual(next, old) ? [] : [invalid(path, next, 'field is immutable')];

export const between = (path: string, value: number | undefined, low: number, high: number): FieldError[] =>
  value === undefined || (value >= low && value <= high)
    ? []
    : [invalid(path, value, `must be between ${low} and ${high}, inclusive`)];

const percentForm = /^[0-9]+%$/;

/** A count, or a share such as `25%`. */
export function countOrPercent(path: string, value: number | string | undefined): FieldError[] {
  if (value === undefined) return [];
  if (typeof value === 'number') return value < 0 ? [invalid(path, value, 'must be greater than or equal to 0')] : [];
  return percentForm.test(value)
    ? []
    : [
        invalid(
          path,
          value,
          "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
        ),
      ];
}

export const atMost100Percent = (path: string, value: number | string | undefined): FieldError[] =>
  typeof value === 'string' && percentForm.test(value) && Number.parseInt(value, 10) > 100
    ? [invalid(path, value, 'must not be greater than 100%')]
    : [];

/** The number of a count or percentage; something unreadable is 0. */
export const amountOf = (value: number | string | undefined): number =>
  typeof value === 'number' ? value : Number.parseInt(value ?? '0', 10) || 0;

export function validateLabelSelector(selector: LabelSelector | undefined, path: string): FieldError[] {
  return [
    ...validateLabels(`${path}.matchLabels`, selector?.matchLabels ?? {}),
    ...(selector?.matchExpressions ?? []).flatMap(({ key, operator, values = [] }, i) => {
      const here = `${path}.matchExpressions[${i}]`;
      return [
        ...operatorErrors(here, operator, values),
        ...qualifiedNameProblems(key ?? '').map(why => invalid(`${here}.key`, key, why)),
        ...values.flatMap((value, j) =>
          labelValueProblems(value).map(why => invalid(`${here}.values[${j}]`, value, why)),
        ),
      ];
    }),
  ];
}

function operatorErrors(path: string, operator: string, values: readonly string[]): FieldError[] {
  switch (operator) {
    case 'In':
    case 'NotIn':
      return values.length > 0
        ? []
        : [required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'")];
    case 'Exists':
    case 'DoesNotExist':
      return values.length === 0
        ? []
        : [forbiddenField(`${path}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")];
    default:
      return [invalid(`${path}.operator`, operator, 'not a valid selector operator')];
  }
}

export const isEmptySelector = (selector: LabelSelector): boolean =>
  Object.keys(selector.matchLabels ?? {}).length + (selector.matchExpressions ?? []).length === 0;
