/**
 * Server-side apply (kubernetes-wire §9.3): a manager says which fields it wants; what another one owns is a conflict
 * unless forced; what it wanted before and leaves out now goes. Pure.
 *
 * Only objects that have once been applied carry `managedFields`: the others cost nothing, and at their first apply
 * everything they have belongs to `before-first-apply`, as Kubernetes has it for objects from before its time.
 */
import { clone, deepEqual, isObject } from '../../kube/json.js';
import { failure, type StatusError } from '../../kube/status.js';
import { type AnyObject, apiVersionOf, type Kind } from '../kind.js';
import {
  type FieldSet,
  fieldsOf,
  mergeObjects,
  type Path,
  removeAt,
  textOf,
  union,
  valueAt,
  without,
} from './fields.js';
import { type Manager, type Owned, readManagers, sameManager, writeManagers } from './managers.js';

export interface ApplyOptions {
  readonly manager: string;
  readonly force: boolean;
  readonly subresource?: string | undefined;
  /** RFC 3339. */
  readonly time: string;
}

/** The live object (undefined: none yet) with the applied one over it. Throws StatusError 409. */
export function applyTo(kind: Kind, live: AnyObject | undefined, applied: AnyObject, options: ApplyOptions): AnyObject {
  const self: Manager = {
    manager: options.manager,
    operation: 'Apply',
    apiVersion: apiVersionOf(kind),
    ...(options.subresource && { subresource: options.subresource }),
  };
  const wanted = fieldsOf(kind.type, applied);
  if (!live) return withManagers(applied, [{ ...self, time: options.time, fields: wanted }]);
  const managers = managersOf(kind, live);
  const others = managers.filter(one => !sameManager(one, self));
  const taken = conflicts(kind, live, applied, wanted, others);
  if (taken.length > 0 && !options.force) throw conflictError(taken);
  const before = managers.find(one => sameManager(one, self));
  const merged = mergeObjects(kind.type, clone(live), clone(applied) as unknown as Record<string, unknown>);
  dropAbandoned(kind, merged, before?.fields, wanted, others);
  const lost = new Map(taken.map(({ key, path }) => [key, path]));
  const kept = others.map(one => ({ ...one, fields: without(one.fields, lost) }));
  const mine = before && sameFields(before.fields, wanted) ? before : { ...self, time: options.time, fields: wanted };
  return withManagers(merged as unknown as AnyObject, [...kept, mine]);
}

const sameFields = (a: FieldSet, b: FieldSet): boolean => a.size === b.size && [...a.keys()].every(key => b.has(key));

function withManagers(object: AnyObject, managers: readonly Owned[]): AnyObject {
  return { ...object, metadata: { ...object.metadata, managedFields: writeManagers(managers) } };
}

function managersOf(kind: Kind, live: AnyObject): Owned[] {
  const known = readManagers(live.metadata.managedFields);
  if (known.length > 0) return known;
  const fields = fieldsBefore(kind, live);
  const time = live.metadata.creationTimestamp;
  return [
    {
      manager: 'before-first-apply',
      operation: 'Update',
      apiVersion: apiVersionOf(kind),
      fields,
      ...(time && { time }),
    },
  ];
}

/**
 * What of an object without managers is somebody's: what client-side apply has noted that it wanted, else everything but its
 * status. Not what defaults and admission have added to the former: kubectl takes these fields over, and leaves them out next.
 */
function fieldsBefore(kind: Kind, live: AnyObject): FieldSet {
  const { status: _, ...rest } = live;
  const all = fieldsOf(kind.type, kind.hasStatus ? rest : live);
  const noted = parsed(live.metadata.annotations?.[lastApplied]);
  if (!noted) return all;
  const wanted = fieldsOf(kind.type, noted);
  const note = [textOf(['f:metadata', 'f:annotations', `f:${lastApplied}`])];
  return new Map([...all].filter(([key]) => wanted.has(key) || note.includes(key)));
}

/** The annotation in which client-side apply keeps what it was given. */
export const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';

function parsed(text: string | undefined): object | undefined {
  try {
    const value: unknown = JSON.parse(text ?? '');
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

interface Conflict {
  readonly key: string;
  readonly path: Path;
  readonly owner: Owned;
}

function conflicts(
  kind: Kind,
  live: AnyObject,
  applied: AnyObject,
  wanted: FieldSet,
  others: readonly Owned[],
): Conflict[] {
  return [...wanted].flatMap(([key, path]) => {
    if (path.at(-1)?.startsWith('k:')) return [];
    if (deepEqual(valueAt(kind.type, live, path), valueAt(kind.type, applied, path))) return [];
    return others.filter(({ fields }) => fields.has(key)).map(owner => ({ key, path, owner }));
  });
}

/** What this manager wanted before, wants no more, and nobody else owns. An item goes whole, unless others have a part in it. */
function dropAbandoned(
  kind: Kind,
  object: object,
  before: FieldSet | undefined,
  wanted: FieldSet,
  others: readonly Owned[],
): void {
  if (!before) return;
  const owned = others.reduce((all, { fields }) => union(all, fields), wanted);
  const inUse = [...owned.values()];
  // an item before what is in it: with its key gone it could not be found
  const abandoned = [...without(before, owned).values()].sort((a, b) => a.length - b.length);
  for (const path of abandoned) {
    const isHeld = inUse.some(other => other.length > path.length && path.every((step, i) => step === other[i]));
    if (!isHeld && !isKey(path)) removeAt(kind.type, object, path);
  }
}

/** The field that an item is known by: it stays as long as the item does. */
function isKey(path: Path): boolean {
  const [item = '', field = ''] = path.slice(-2);
  return item.startsWith('k:') && Object.hasOwn(JSON.parse(item.slice(2)) as object, field.slice(2));
}

/** `.spec.containers[name="c"].image` */
function shown(path: Path): string {
  return path
    .map(step => {
      if (step.startsWith('f:')) return `.${step.slice(2)}`;
      if (step.startsWith('v:')) return `[=${step.slice(2)}]`;
      const keys = Object.entries(JSON.parse(step.slice(2)) as object);
      return `[${keys.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(',')}]`;
    })
    .join('');
}

function nameOf({ manager, operation, apiVersion, subresource }: Owned): string {
  const part = subresource ? ` with subresource "${subresource}"` : '';
  return `"${manager}"${part}${operation === 'Update' ? ` using ${apiVersion}` : ''}`;
}

function conflictError(found: readonly Conflict[]): StatusError {
  const byOwner = new Map<string, string[]>();
  for (const { owner, path } of found) byOwner.set(nameOf(owner), [...(byOwner.get(nameOf(owner)) ?? []), shown(path)]);
  const texts = [...byOwner].map(([name, paths]) =>
    paths.length === 1
      ? `conflict with ${name}: ${paths[0]}`
      : `conflicts with ${name}:\n${paths.map(path => `- ${path}`).join('\n')}`,
  );
  const count = `${found.length} conflict${found.length === 1 ? '' : 's'}`;
  const causes = found.map(({ owner, path }) => ({
    reason: 'FieldManagerConflict',
    message: `conflict with ${nameOf(owner)}`,
    field: shown(path),
  }));
  return failure(409, 'Conflict', `Apply failed with ${count}: ${texts.join('\n')}`, { causes });
}

/**
 * After a write that is no apply: what it changed belongs to its manager now, what it removed to nobody. Objects that were
 * never applied, and writes that set `managedFields` themselves, are left alone.
 */
export function trackUpdate(
  kind: Kind,
  old: AnyObject,
  next: AnyObject,
  { manager, subresource, time }: Omit<ApplyOptions, 'force'>,
): AnyObject {
  const managers = readManagers(old.metadata.managedFields);
  if (managers.length === 0 || !deepEqual(next.metadata.managedFields, old.metadata.managedFields)) return next;
  const [before, after] = [fieldsOf(kind.type, old), fieldsOf(kind.type, next)];
  const changed: FieldSet = new Map(
    [...after].filter(
      ([key, path]) => !before.has(key) || !deepEqual(valueAt(kind.type, old, path), valueAt(kind.type, next, path)),
    ),
  );
  const isItem = (path: Path): boolean => path.at(-1)?.startsWith('k:') ?? false;
  const own: FieldSet = new Map([...changed].filter(([key, path]) => !isItem(path) || !before.has(key)));
  const removed = without(before, after);
  if (own.size === 0 && removed.size === 0) return next;
  const self: Manager = {
    manager,
    operation: 'Update',
    apiVersion: apiVersionOf(kind),
    ...(subresource && { subresource }),
  };
  const mine = managers.find(one => sameManager(one, self))?.fields ?? new Map<string, Path>();
  const others = managers
    .filter(one => !sameManager(one, self))
    .map(one => ({ ...one, fields: without(without(one.fields, removed), own) }));
  return withManagers(next, [...others, { ...self, time, fields: union(without(mine, removed), own) }]);
}
