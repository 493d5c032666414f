/** RFC 6902 JSON patch on plain JSON. A document that is no patch is a 400, an operation that cannot apply a 422. */
import { clone, deepEqual, isObject, setOwn } from '../../kube/json.js';

/** The document is no JSON patch. */
export class PatchSyntaxError extends Error {
  override name = 'PatchSyntaxError';
}
/** An operation does not fit the object. */
export class PatchApplyError extends Error {
  override name = 'PatchApplyError';
}

const maxOperations = 10_000;
/** `copy` may not make an object grow without end (CVE-2019-1002100). */
const maxCopiedBytes = 3 * 1024 * 1024;

interface Operation {
  readonly op: 'add' | 'remove' | 'replace' | 'move' | 'copy' | 'test';
  readonly path: string[];
  readonly from?: string[];
  readonly value?: unknown;
}

/** Returns the patched copy. Throws PatchSyntaxError or PatchApplyError. */
export function applyJsonPatch(object: unknown, patch: unknown): unknown {
  const operations = readPatch(patch);
  const budget = { bytes: maxCopiedBytes };
  // in a holder, so that the root itself can be replaced
  const holder = { root: clone(object) };
  for (const operation of operations) applyOne(holder, operation, budget);
  return holder.root;
}

function readPatch(patch: unknown): Operation[] {
  if (!Array.isArray(patch)) throw new PatchSyntaxError('error decoding patch: a JSON patch is a list of operations');
  if (patch.length > maxOperations)
    throw new PatchSyntaxError(
      `The allowed maximum operations in a JSON patch is ${maxOperations}, got ${patch.length}`,
    );
  return patch.map(readOperation);
}

function readOperation(item: unknown): Operation {
  if (!isObject(item)) throw new PatchSyntaxError('error decoding patch: an operation is an object');
  const { op, path, from } = item;
  if (!['add', 'remove', 'replace', 'move', 'copy', 'test'].includes(op as string))
    throw new PatchSyntaxError(`Unexpected kind: ${String(op)}`);
  if (typeof path !== 'string') throw new PatchSyntaxError(`operation "${String(op)}": path must be a string`);
  const needsFrom = op === 'move' || op === 'copy';
  if (needsFrom && typeof from !== 'string')
    throw new PatchSyntaxError(`operation "${String(op)}": from must be a string`);
  return {
    op: op as Operation['op'],
    path: pointer(path),
    ...(needsFrom && { from: pointer(from as string) }),
    value: item.value ?? null,
  };
}

function pointer(text: string): string[] {
  if (text === '') return ['root'];
  if (!text.startsWith('/')) throw new PatchSyntaxError(`path "${text}" must begin with "/"`);
  return [
    'root',
    ...text
      .slice(1)
      .split('/')
      .map(part => part.replaceAll('~1', '/').replaceAll('~0', '~')),
  ];
}

function applyOne(holder: object, { op, path, from, value }: Operation, budget: { bytes: number }): void {
  switch (op) {
    case 'add':
      add(holder, path, clone(value));
      return;
    case 'remove':
      remove(holder, path);
      return;
    case 'replace':
      read(holder, path, 'replace');
      replace(holder, path, clone(value));
      return;
    case 'test':
      if (!deepEqual(readOrNull(holder, path), value)) throw new PatchApplyError(`testing value ${shown(path)} failed`);
      return;
    case 'copy': {
      const copied = clone(read(holder, from!, 'copy'));
      budget.bytes -= JSON.stringify(copied ?? null).length;
      if (budget.bytes < 0)
        throw new PatchApplyError(
          `Unable to complete the copy, the accumulated size increase of copies exceeds the limit ${maxCopiedBytes}`,
        );
      add(holder, path, copied);
      return;
    }
    case 'move': {
      const moved = read(holder, from!, 'move');
      if (path.length > from!.length && from!.every((part, i) => part === path[i]))
        throw new PatchApplyError('cannot move a value into itself');
      remove(holder, from!);
      add(holder, path, moved);
      return;
    }
  }
}

const shown = (path: readonly string[]): string => `/${path.slice(1).join('/')}`;

function parentOf(holder: object, path: readonly string[], op: string): object {
  let here: unknown = holder;
  for (const part of path.slice(0, -1)) {
    here = Array.isArray(here)
      ? here[index(part, here.length - 1, path)]
      : isObject(here) && Object.hasOwn(here, part)
        ? here[part]
        : undefined;
    if (typeof here !== 'object' || here === null)
      throw new PatchApplyError(`${op} operation does not apply: doc is missing path: "${shown(path)}": missing value`);
  }
  return here as object;
}

function index(part: string, last: number, path: readonly string[]): number {
  if (!/^(0|[1-9]\d{0,8})$/.test(part) || Number(part) > last)
    throw new PatchApplyError(`Unable to access invalid index: ${part} in ${shown(path)}`);
  return Number(part);
}

function read(holder: object, path: readonly string[], op: string): unknown {
  const parent = parentOf(holder, path, op);
  const key = path.at(-1)!;
  if (Array.isArray(parent)) return parent[index(key, parent.length - 1, path)];
  if (!Object.hasOwn(parent, key))
    throw new PatchApplyError(`${op} operation does not apply: doc is missing key: ${shown(path)}: missing value`);
  return (parent as Record<string, unknown>)[key];
}

/** For `test`: what is missing equals null. */
function readOrNull(holder: object, path: readonly string[]): unknown {
  try {
    return read(holder, path, 'test');
  } catch {
    return null;
  }
}

function add(holder: object, path: readonly string[], value: unknown): void {
  const parent = parentOf(holder, path, 'add');
  const key = path.at(-1)!;
  if (!Array.isArray(parent)) {
    setOwn(parent, key, value);
    return;
  }
  parent.splice(key === '-' ? parent.length : index(key, parent.length, path), 0, value);
}

function replace(holder: object, path: readonly string[], value: unknown): void {
  const parent = parentOf(holder, path, 'replace');
  const key = path.at(-1)!;
  if (Array.isArray(parent)) parent[index(key, parent.length - 1, path)] = value;
  else setOwn(parent, key, value);
}

function remove(holder: object, path: readonly string[]): void {
  const parent = parentOf(holder, path, 'remove');
  const key = path.at(-1)!;
  if (Array.isArray(parent)) parent.splice(index(key, parent.length - 1, path), 1);
  else if (Object.hasOwn(parent, key)) delete (parent as Record<string, unknown>)[key];
  else throw new PatchApplyError(`remove operation does not apply: doc is missing key: ${shown(path)}: missing value`);
}
