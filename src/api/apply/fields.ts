/**
 * Sets of fields, as `metadata.managedFields` keeps them (kubernetes-wire §9.3): `f:name` a field, `k:{…}` the item of a list
 * with that key, `v:…` a member of a set. A path is a list of such steps; a set holds the leaves, and items themselves.
 */
import { deepEqual, getOwn, isObject, setOwn } from '../../kube/json.js';
import { typeNamed } from '../schema/index.js';
import type { Field, ObjectType } from '../schema/types.js';

export type Path = readonly string[];
/** By the path's text. */
export type FieldSet = ReadonlyMap<string, Path>;

export const textOf = (path: Path): string => path.join('\n');
export const setOf = (paths: Iterable<Path>): FieldSet => new Map(Array.from(paths, path => [textOf(path), path]));
export const union = (a: FieldSet, b: FieldSet): FieldSet => new Map([...a, ...b]);
export const without = (a: FieldSet, b: FieldSet): FieldSet => new Map([...a].filter(([key]) => !b.has(key)));

/** What the server owns, whoever writes it. */
const untracked = new Set(
  ['apiVersion', 'kind']
    .map(name => textOf([`f:${name}`]))
    .concat(
      [
        ...['name', 'namespace', 'uid', 'resourceVersion', 'generation', 'creationTimestamp', 'selfLink'],
        ...['managedFields', 'deletionTimestamp', 'deletionGracePeriodSeconds', 'generateName'],
      ].map(name => textOf(['f:metadata', `f:${name}`])),
    ),
);

/** Every field that an object of the type says. */
export function fieldsOf(typeName: string, object: object): FieldSet {
  const found: Path[] = [];
  visitObject(typeNamed(typeName), object as Record<string, unknown>, [], found);
  return setOf(found.filter(path => !untracked.has(textOf(path))));
}

function visitObject(type: ObjectType, object: Record<string, unknown>, path: Path, found: Path[]): void {
  for (const key of Object.keys(object)) {
    const field = type.byName.get(key);
    if (field) visitField(field, object[key], [...path, `f:${key}`], found);
    // apiVersion and kind of the object itself
    else found.push([...path, `f:${key}`]);
  }
}

function visitField(field: Field, value: unknown, path: Path, found: Path[]): void {
  // an empty list or object can only be owned as itself
  if (typeof value === 'object' && value !== null && Object.keys(value).length === 0) {
    found.push(path);
    return;
  }
  switch (granularity(field, value)) {
    case 'map':
      for (const key of Object.keys(value as object)) found.push([...path, `f:${key}`]);
      return;
    case 'set':
      for (const item of value as unknown[]) found.push([...path, memberStep(item)]);
      return;
    case 'items':
      for (const item of value as Record<string, unknown>[]) {
        const here = [...path, itemStep(field, item)];
        found.push(here);
        visitObject(typeNamed(field.of), item, here, found);
      }
      return;
    case 'object':
      visitObject(typeNamed(field.of), value as Record<string, unknown>, path, found);
      return;
    case 'whole':
      found.push(path);
  }
}

type Granularity = 'map' | 'set' | 'items' | 'object' | 'whole';

/** Into what parts a value is owned and merged. */
function granularity(field: Field, value: unknown): Granularity {
  if (field.shape === 'list') {
    if (!Array.isArray(value)) return 'whole';
    if (field.set) return 'set';
    return field.listKeys && !field.scalar && value.every(isObject) ? 'items' : 'whole';
  }
  if (!isObject(value) || field.atomic) return 'whole';
  if (field.shape === 'map') return 'map';
  return field.scalar || typeNamed(field.of).atomic ? 'whole' : 'object';
}

export const memberStep = (item: unknown): string => `v:${JSON.stringify(item)}`;

/** `k:{"name":"c"}`; a key that is left out counts with its default. */
export function itemStep(field: Field, item: Record<string, unknown>): string {
  const type = typeNamed(field.of);
  const keys = [...(field.listKeys ?? [])].sort();
  const pairs = keys.map(key => [key, getOwn(item, key) ?? type.byName.get(key)?.defaultValue] as const);
  return `k:${JSON.stringify(Object.fromEntries(pairs.filter(([, value]) => value !== undefined)))}`;
}

/** The value at a path, or undefined. */
export function valueAt(typeName: string, object: unknown, path: Path): unknown {
  return walk(typeName, object, path)?.value;
}

interface Place {
  readonly value: unknown;
  /** What holds it, and under which name or index. */
  readonly parent: object;
  readonly key: string | number;
}

function walk(typeName: string, object: unknown, path: Path): Place | undefined {
  let type: ObjectType | undefined = typeNamed(typeName);
  let field: Field | undefined;
  let place: Place | undefined;
  let value: unknown = object;
  for (const step of path) {
    const key = keyOf(step, value, field);
    if (key === undefined || typeof value !== 'object' || value === null) return undefined;
    place = { value: (value as Record<string | number, unknown>)[key], parent: value, key };
    value = place.value;
    if (step.startsWith('f:')) {
      field = type?.byName.get(step.slice(2));
      type = field && !field.scalar && field.shape === 'one' ? typeNamed(field.of) : undefined;
    } else type = field && !field.scalar ? typeNamed(field.of) : undefined;
  }
  return place;
}

function keyOf(step: string, value: unknown, field: Field | undefined): string | number | undefined {
  if (step.startsWith('f:')) return isObject(value) && Object.hasOwn(value, step.slice(2)) ? step.slice(2) : undefined;
  if (!Array.isArray(value) || !field) return undefined;
  const index = value.findIndex(item =>
    step.startsWith('v:') ? memberStep(item) === step : isObject(item) && itemStep(field, item) === step,
  );
  return index < 0 ? undefined : index;
}

/** In place. Containers that this leaves empty stay. */
export function removeAt(typeName: string, object: object, path: Path): void {
  const place = walk(typeName, object, path);
  if (!place) return;
  if (Array.isArray(place.parent)) place.parent.splice(place.key as number, 1);
  else delete (place.parent as Record<string, unknown>)[place.key as string];
}

/** The applied object over the live one; each part replaced as a whole that is owned as a whole. */
export function mergeObjects(
  typeName: string,
  live: unknown,
  applied: Record<string, unknown>,
): Record<string, unknown> {
  const type = typeNamed(typeName);
  const result: Record<string, unknown> = isObject(live) ? { ...live } : {};
  for (const key of Object.keys(applied)) {
    const field = type.byName.get(key);
    const value = applied[key];
    setOwn(result, key, field ? mergeField(field, getOwn(result, key), value) : value);
  }
  return result;
}

function mergeField(field: Field, live: unknown, applied: unknown): unknown {
  switch (granularity(field, applied)) {
    case 'map': {
      const result = isObject(live) ? { ...live } : {};
      for (const [key, value] of Object.entries(applied as object)) setOwn(result, key, value);
      return result;
    }
    case 'set': {
      const old = Array.isArray(live) ? live : [];
      return [...old, ...(applied as unknown[]).filter(item => !old.some(other => deepEqual(other, item)))];
    }
    case 'items':
      return mergeItems(field, Array.isArray(live) ? live : [], applied as Record<string, unknown>[]);
    case 'object':
      return mergeObjects(field.of, live, applied as Record<string, unknown>);
    case 'whole':
      return applied;
  }
}

function mergeItems(field: Field, live: readonly unknown[], applied: readonly Record<string, unknown>[]): unknown[] {
  const byStep = new Map(applied.map(item => [itemStep(field, item), item]));
  const kept = live.map(item => {
    const step = isObject(item) ? itemStep(field, item) : '';
    const change = byStep.get(step);
    byStep.delete(step);
    return change ? mergeObjects(field.of, item, change) : item;
  });
  return [...kept, ...[...byStep.values()].map(item => mergeObjects(field.of, undefined, item))];
}
