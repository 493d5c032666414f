/** Cells that many kinds share. */
import { age } from '../kube/time.js';
import type { AnyObject, Column } from './kind.js';

export const nameColumn: Column = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'Name must be unique within a namespace.',
  cell: object => object.metadata.name,
};

export const ageColumn: Column = {
  name: 'Age',
  type: 'string',
  description: 'Time since the object was created.',
  cell: (object, now) => age(object.metadata.creationTimestamp, now),
};

/** A string column; @param priority 1 for `-o wide` only. */
export function column(name: string, cell: (object: AnyObject, now: number) => string | number, priority = 0): Column {
  return { name, type: 'string', priority, cell };
}

export function numberColumn(name: string, cell: (object: AnyObject) => number, priority = 0): Column {
  return { name, type: 'integer', priority, cell };
}

export const countKeys = (value: unknown): number =>
  typeof value === 'object' && value !== null ? Object.keys(value).length : 0;

/** As Kubernetes prints booleans that may be absent. */
export const booleanText = (value: boolean | undefined): string =>
  value === undefined ? '<unset>' : value ? 'True' : 'False';

/** `a,b,c + 2 more...`: the first `limit` of a list. */
export function firstOf(list: readonly string[], limit: number): string {
  const shown = list.slice(0, limit).join(',');
  return list.length > limit ? `${shown} + ${list.length - limit} more...` : shown;
}

/** In place of an age, for kinds that Kubernetes has no columns of its own for. */
export const createdColumn: Column = {
  name: 'Created At',
  type: 'date',
  description: 'Time at which the object was created.',
  cell: object => object.metadata.creationTimestamp ?? '',
};
