/**
 * Says of a CustomResourceDefinition whether its names were free and that it is served, and empties it before it goes. Keys:
 * its name, or `kind:KIND.GROUP` when an object of that kind has gone.
 */
import type { CustomResourceDefinition } from '../kube/api/apiextensions-v1.js';
import { timestamp } from '../kube/time.js';
import { type Controller, type Facts, type Key, nothing, type Outcome, type Seen, targetOf } from './contract.js';

const cleanup = 'customresourcecleanup.apiextensions.k8s.io';
type Definition = CustomResourceDefinition & Seen;

export const customResourceDefinitionController: Controller = {
  name: 'custom-resource-definition',
  wakes: [
    { kind: 'CustomResourceDefinition', keys: object => [object.metadata.name] },
    { kind: '**', keys: (object, deleted) => (deleted && isForeign(object) ? [`kind:${idOf(object)}`] : []) },
  ],
  writes: ['CustomResourceDefinition status and its cleanup finalizer', 'deletes the objects of a deleted one'],
  reconcile,
};

const isForeign = ({ apiVersion }: Seen): boolean => apiVersion.split('/')[0]!.includes('.');
const idOf = ({ apiVersion, kind }: Seen): string => `${kind}.${apiVersion.split('/')[0]}`;
const idOfDefinition = ({ spec }: CustomResourceDefinition): string => `${spec.names.kind}.${spec.group}`;

function reconcile(facts: Facts, key: Key): Outcome {
  const all = facts.view.list('CustomResourceDefinition') as unknown as Definition[];
  const definition = key.startsWith('kind:')
    ? all.find(one => idOfDefinition(one) === key.slice('kind:'.length))
    : all.find(one => one.metadata.name === key);
  if (!definition) return nothing;
  return definition.metadata.deletionTimestamp ? empty(facts, definition) : judge(facts, definition, all);
}

/** Its objects first, then itself. */
function empty({ view, now }: Facts, definition: Definition): Outcome {
  const { finalizers = [], resourceVersion } = definition.metadata;
  if (!finalizers.includes(cleanup)) return nothing;
  const objects = isAccepted(definition) ? view.list(idOfDefinition(definition)) : [];
  if (objects.length > 0) {
    const live = objects.filter(({ metadata }) => !metadata.deletionTimestamp);
    const terminating = condition(
      definition,
      now,
      'Terminating',
      'True',
      'InstanceDeletionInProgress',
      'CustomResource deletion is in progress',
    );
    return {
      actions: [
        ...statusPatch(definition, terminating),
        ...live.map(object => ({ do: 'delete' as const, target: targetOf(object) })),
      ],
    };
  }
  const left = finalizers.filter(name => name !== cleanup);
  return {
    actions: [
      {
        do: 'patch',
        target: targetOf(definition),
        at: resourceVersion,
        patch: { metadata: { finalizers: left.length > 0 ? left : null } },
      },
    ],
  };
}

const isAccepted = ({ status }: CustomResourceDefinition): boolean =>
  status?.conditions?.some(({ type, status: value }) => type === 'NamesAccepted' && value === 'True') ?? false;

function judge({ now }: Facts, definition: Definition, all: readonly Definition[]): Outcome {
  const taken = conflict(definition, all);
  const conditions = taken
    ? [
        ...condition(definition, now, 'NamesAccepted', 'False', taken.reason, taken.message),
        ...condition(definition, now, 'Established', 'False', 'NotAccepted', 'not all names are accepted'),
      ]
    : [
        ...condition(definition, now, 'NamesAccepted', 'True', 'NoConflicts', 'no conflicts found'),
        ...condition(
          definition,
          now,
          'Established',
          'True',
          'InitialNamesAccepted',
          'the initial names have been accepted',
        ),
      ];
  return { actions: statusPatch(definition, conditions, taken === undefined) };
}

/** Another of the same group, older, has one of its names. */
function conflict(definition: Definition, all: readonly Definition[]): { reason: string; message: string } | undefined {
  const { group, names } = definition.spec;
  for (const other of all) {
    if (other.metadata.uid === definition.metadata.uid || other.spec.group !== group || !isAccepted(other)) continue;
    const theirs = other.spec.names;
    if (theirs.kind === names.kind || theirs.listKind === names.kind)
      return { reason: 'KindConflict', message: `${JSON.stringify(names.kind)} is already in use` };
    const used = new Set([theirs.plural, theirs.singular, ...(theirs.shortNames ?? [])]);
    const clash = [names.plural, names.singular, ...(names.shortNames ?? [])].find(name => name && used.has(name));
    if (clash) return { reason: 'NamesConflict', message: `${JSON.stringify(clash)} is already in use` };
  }
  return undefined;
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime?: string;
}

function condition(
  definition: Definition,
  now: number,
  type: string,
  status: string,
  reason: string,
  message: string,
): Condition[] {
  const before = (definition.status?.conditions ?? []).find(one => one.type === type) as Condition | undefined;
  const lastTransitionTime = before?.status === status ? before.lastTransitionTime : timestamp(now);
  return [{ type, status, ...(lastTransitionTime && { lastTransitionTime }), reason, message }];
}

function statusPatch(definition: Definition, changed: readonly Condition[], accepted = true) {
  const before = (definition.status?.conditions ?? []) as readonly Condition[];
  const conditions = [...before.filter(one => !changed.some(({ type }) => type === one.type)), ...changed];
  const stored = (definition.spec.versions ?? []).filter(({ storage }) => storage).map(({ name }) => name);
  const status = {
    conditions,
    ...(accepted && { acceptedNames: definition.spec.names }),
    storedVersions: [...new Set([...(definition.status?.storedVersions ?? []), ...stored])],
  };
  const isSame =
    JSON.stringify({ ...status }) ===
    JSON.stringify({
      conditions: before,
      ...(accepted && { acceptedNames: definition.status?.acceptedNames }),
      storedVersions: definition.status?.storedVersions,
    });
  if (isSame) return [];
  const { resourceVersion } = definition.metadata;
  return [
    {
      do: 'patch' as const,
      target: targetOf(definition),
      at: resourceVersion,
      patch: { status },
      subresource: 'status' as const,
    },
  ];
}
