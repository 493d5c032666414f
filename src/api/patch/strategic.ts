/**
 * Strategic merge patch (kubernetes-wire §9.2): like a merge patch, but lists of objects merge by their key, and directives
 * ($patch, $setElementOrder, $deleteFromPrimitiveList, $retainKeys) say what plain JSON cannot. The merge keys come from the
 * schema table.
 */
import { clone, deepEqual, getOwn, isObject, setOwn } from '../../kube/json.js';
import { typeNamed } from '../schema/index.js';
import type { Field, ObjectType } from '../schema/types.js';
import { PatchSyntaxError } from './json.js';

type Fields = Record<string, unknown>;

const orderPrefix = '$setElementOrder/';
const removePrefix = '$deleteFromPrimitiveList/';

/** Returns the patched copy of an object of that type. Throws PatchSyntaxError. */
export function applyStrategicPatch(typeName: string, object: unknown, patch: unknown): unknown {
  if (!isObject(patch)) throw new PatchSyntaxError('a strategic merge patch is an object');
  return mergeObject(typeNamed(typeName), isObject(object) ? object : {}, patch, false);
}

function mergeObject(type: ObjectType | undefined, target: Fields, patch: Fields, retainKeys: boolean): Fields {
  const directive = patch.$patch;
  if (directive === 'delete') return {};
  if (directive !== undefined && directive !== 'replace' && directive !== 'merge')
    throw new PatchSyntaxError(`Unknown patch directive $patch: ${JSON.stringify(directive)}`);
  const result: Fields = directive === 'replace' ? {} : clone(target);
  const kept = patch.$retainKeys;
  if (kept !== undefined) dropOthers(result, kept, patch, retainKeys);
  for (const key of Object.keys(patch))
    if (key.startsWith(removePrefix)) removePrimitives(result, key.slice(removePrefix.length), patch[key]);
  for (const key of Object.keys(patch)) if (!key.startsWith('$')) mergeField(type, result, key, patch);
  for (const key of Object.keys(patch))
    if (key.startsWith(orderPrefix)) setOrder(type, result, key.slice(orderPrefix.length), patch[key], target);
  return result;
}

function dropOthers(result: Fields, kept: unknown, patch: Fields, allowed: boolean): void {
  if (!Array.isArray(kept)) throw new PatchSyntaxError('$retainKeys must be a list of field names');
  if (!allowed) throw new PatchSyntaxError('$retainKeys is not allowed here');
  const names = new Set(kept);
  const extra = Object.keys(patch).find(key => !key.startsWith('$') && patch[key] !== null && !names.has(key));
  if (extra) throw new PatchSyntaxError(`$retainKeys does not name the field "${extra}" that the patch sets`);
  for (const key of Object.keys(result)) if (!names.has(key)) delete result[key];
}

function removePrimitives(result: Fields, key: string, removed: unknown): void {
  const list = getOwn(result, key);
  if (!Array.isArray(removed)) throw new PatchSyntaxError(`${removePrefix}${key} must be a list`);
  if (Array.isArray(list))
    setOwn(
      result,
      key,
      list.filter(item => !removed.some(other => deepEqual(item, other))),
    );
}

function mergeField(type: ObjectType | undefined, result: Fields, key: string, patch: Fields): void {
  const value = patch[key];
  if (value === null) {
    delete result[key];
    return;
  }
  const field = type?.byName.get(key);
  const old = getOwn(result, key);
  if (field?.replace) setOwn(result, key, clean(value));
  else if (Array.isArray(value)) setOwn(result, key, mergeList(field, Array.isArray(old) ? old : [], value));
  else if (isObject(value))
    setOwn(result, key, mergeObject(elementType(field), isObject(old) ? old : {}, value, field?.retainKeys ?? false));
  else setOwn(result, key, value);
}

const elementType = (field: Field | undefined): ObjectType | undefined =>
  field && !field.scalar && field.shape !== 'map' ? typeNamed(field.of) : undefined;

/** A new value without the directives and nulls that only mean something to a merge. */
function clean(value: unknown): unknown {
  if (Array.isArray(value)) return value.filter(item => !isObject(item) || item.$patch === undefined).map(clean);
  if (!isObject(value)) return value;
  const copy = {};
  for (const key of Object.keys(value))
    if (!key.startsWith('$') && value[key] !== null) setOwn(copy, key, clean(value[key]));
  return copy;
}

function mergeList(field: Field | undefined, old: readonly unknown[], patch: readonly unknown[]): unknown[] {
  if (patch.some(item => isObject(item) && item.$patch === 'replace'))
    return patch.filter(item => !(isObject(item) && item.$patch !== undefined)).map(clean);
  if (field?.mergeKey === undefined) return patch.map(clean);
  if (field.mergeKey === '')
    return [
      ...old,
      ...patch.filter(
        (item, i) =>
          !old.some(other => deepEqual(other, item)) && patch.findIndex(other => deepEqual(other, item)) === i,
      ),
    ];
  return mergeByKey(field, field.mergeKey, old, patch);
}

function mergeByKey(field: Field, key: string, old: readonly unknown[], patch: readonly unknown[]): unknown[] {
  const result = [...old];
  for (const item of patch) {
    if (!isObject(item))
      throw new PatchSyntaxError(`list "${field.name}" is merged by "${key}": its elements must be objects`);
    const value = getOwn(item, key);
    if (value === undefined)
      throw new PatchSyntaxError(`map: ${JSON.stringify(item)} does not contain declared merge key: ${key}`);
    const position = result.findIndex(other => isObject(other) && deepEqual(getOwn(other, key), value));
    if (item.$patch === 'delete') {
      if (position >= 0) result.splice(position, 1);
      continue;
    }
    const merged = mergeObject(
      elementType(field),
      position < 0 ? {} : (result[position] as Fields),
      item,
      field.retainKeys,
    );
    if (position < 0) result.push(merged);
    else result[position] = merged;
  }
  return result;
}

/** Sorts by the given order; an item that it does not name stays behind its neighbour of before. */
function setOrder(type: ObjectType | undefined, result: Fields, name: string, order: unknown, before: Fields): void {
  const list = getOwn(result, name);
  if (!Array.isArray(order) || !Array.isArray(list)) return;
  const key = type?.byName.get(name)?.mergeKey;
  const identity = (item: unknown): string =>
    JSON.stringify(key && isObject(item) ? (getOwn(item, key) ?? null) : item);
  const wanted = new Map(order.map((item, i) => [identity(item), i]));
  const old = getOwn(before, name);
  const oldOrder = new Map((Array.isArray(old) ? old : []).map((item, i) => [identity(item), i]));
  const named = list
    .filter(item => wanted.has(identity(item)))
    .sort((a, b) => wanted.get(identity(a))! - wanted.get(identity(b))!);
  const others = list.filter(item => !wanted.has(identity(item)));
  setOwn(
    result,
    name,
    weave(named, others, item => oldOrder.get(identity(item))),
  );
}

/** Puts `others` among `named` by their old positions, keeping both orders. */
function weave(
  named: readonly unknown[],
  others: readonly unknown[],
  position: (item: unknown) => number | undefined,
): unknown[] {
  const result: unknown[] = [];
  let next = 0;
  for (const item of named) {
    const here = position(item);
    while (next < others.length && here !== undefined && (position(others[next]) ?? Number.POSITIVE_INFINITY) < here)
      result.push(others[next++]);
    result.push(item);
  }
  return [...result, ...others.slice(next)];
}
