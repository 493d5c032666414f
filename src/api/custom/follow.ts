/** Keeps the kinds of CustomResourceDefinitions in step with the definitions themselves, from the moment they are stored. */
import type { CustomResourceDefinition } from '../../kube/api/apiextensions-v1.js';
import type { Store } from '../../store/contract.js';
import { type AnyObject, idOf, type Kind, storePrefix } from '../kind.js';
import type { KindRegistry } from '../kind-registry.js';
import { customResourceDefinition } from '../kinds/customresourcedefinition.js';
import { setCustomTypes } from '../schema/index.js';
import type { View } from '../view.js';
import { kindsOf, schemaOf, typeName } from './kind.js';
import { typesOf } from './types.js';

/** The definitions that the store has, before there is a cache: it must know their kinds when it loads. */
export function loadCustomKinds(store: Store, registry: KindRegistry): void {
  const prefix = storePrefix(customResourceDefinition);
  const found = [...store.range(prefix, `${prefix.slice(0, -1)}0`)];
  take(
    registry,
    found.map(({ value }) => JSON.parse(value.toString('utf8')) as CustomResourceDefinition),
  );
}

export function followCustomKinds(view: View, registry: KindRegistry): { close(): void } {
  return view.subscribe(({ kind }) => {
    if (kind !== customResourceDefinition.kind) return;
    const before = new Map(registry.stored.map(one => [idOf(one), one]));
    take(registry, view.list(kind) as AnyObject[] as unknown as CustomResourceDefinition[]);
    const now = new Set(registry.stored.map(idOf));
    for (const id of before.keys()) if (!now.has(id)) view.removeKind(id);
    for (const one of registry.stored) if (isNew(before.get(idOf(one)), one)) view.addKind(one);
  });
}

/** Its objects are elsewhere than those of the one before. */
const isNew = (before: Kind | undefined, now: Kind): boolean =>
  !before || storePrefix(before) !== storePrefix(now) || before.namespaced !== now.namespaced;

function take(registry: KindRegistry, definitions: readonly CustomResourceDefinition[]): void {
  const accepted = definitions.filter(definition => !isRefused(definition));
  setCustomTypes(
    new Map(
      accepted.flatMap(definition =>
        (definition.spec.versions ?? []).flatMap(version => [
          ...typesOf(schemaOf(version), typeName(definition, version.name)),
        ]),
      ),
    ),
  );
  registry.setCustom(accepted.flatMap(kindsOf));
}

/** Its names belong to another. */
const isRefused = ({ status }: CustomResourceDefinition): boolean =>
  status?.conditions?.some(({ type, status: value }) => type === 'NamesAccepted' && value === 'False') ?? false;
