/** `metadata.managedFields`: who owns what. One entry per manager, operation and subresource. Pure. */
import { isObject } from '../../kube/json.js';
import { type FieldSet, type Path, setOf } from './fields.js';

export interface Manager {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  readonly subresource?: string;
}

export interface Owned extends Manager {
  readonly time?: string;
  readonly fields: FieldSet;
}

export const sameManager = (a: Manager, b: Manager): boolean =>
  a.manager === b.manager && a.operation === b.operation && (a.subresource ?? '') === (b.subresource ?? '');

/** Entries that cannot be read are left out: nobody can own what cannot be named. */
export function readManagers(managedFields: readonly unknown[] = []): Owned[] {
  return managedFields.flatMap(entry => {
    if (!isObject(entry) || !isObject(entry.fieldsV1)) return [];
    const { manager, operation, apiVersion, time, subresource } = entry as Record<string, string | undefined>;
    if (operation !== 'Apply' && operation !== 'Update') return [];
    const owned: Owned = {
      manager: manager ?? '',
      operation,
      apiVersion: apiVersion ?? '',
      fields: setOf(pathsOf(entry.fieldsV1)),
      ...(time && { time }),
      ...(subresource && { subresource }),
    };
    return [owned];
  });
}

function* pathsOf(node: Record<string, unknown>, path: Path = []): Generator<Path> {
  for (const [step, below] of Object.entries(node)) {
    if (step === '.') yield path;
    else if (!isStep(step)) continue;
    else if (isObject(below) && Object.keys(below).length > 0) yield* pathsOf(below, [...path, step]);
    else yield [...path, step];
  }
}

/** Clients may write managedFields themselves: anything else, `__proto__` above all, never becomes a key of ours. */
function isStep(step: string): boolean {
  if (step.startsWith('f:')) return true;
  if (!step.startsWith('k:') && !step.startsWith('v:')) return false;
  try {
    return step.startsWith('v:') ? JSON.parse(step.slice(2)) !== undefined : isObject(JSON.parse(step.slice(2)));
  } catch {
    return false;
  }
}

/** Without those who own nothing any more. */
export function writeManagers(managers: readonly Owned[]): object[] {
  return managers
    .filter(({ fields }) => fields.size > 0)
    .map(({ manager, operation, apiVersion, time, subresource, fields }) => ({
      manager,
      operation,
      apiVersion,
      ...(time && { time }),
      fieldsType: 'FieldsV1',
      fieldsV1: treeOf(fields),
      ...(subresource && { subresource }),
    }));
}

type Tree = { [step: string]: Tree };

function treeOf(fields: FieldSet): Tree {
  const root: Tree = {};
  for (const path of fields.values()) {
    let here = root;
    for (const step of path) here = here[step] ??= {};
    // an item is owned beside what is in it
    if (path.at(-1)?.startsWith('k:')) here['.'] = {};
  }
  return root;
}
