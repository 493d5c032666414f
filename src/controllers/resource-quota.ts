/** Counts anew what a namespace uses when something in it has gone or changed. Key: the namespace. */
import type { ResourceQuota } from '../kube/api/core-v1.js';
import { deepEqual } from '../kube/json.js';
import { quantityOf } from '../kube/quantity.js';
import { isInScope, usageOf } from '../kube/quota.js';
import { type Action, type Controller, type Facts, type Key, type Outcome, type Seen, targetOf } from './contract.js';

export const resourceQuotaController: Controller = {
  name: 'resource-quota',
  wakes: [
    { kind: 'ResourceQuota', keys: object => [object.metadata.namespace ?? ''] },
    {
      kind: '*',
      keys: (object, deleted) => (deleted || object.kind === 'Pod' ? [object.metadata.namespace ?? ''] : []),
    },
  ],
  writes: ['ResourceQuota status'],
  reconcile,
};

function reconcile({ view }: Facts, namespace: Key): Outcome {
  const quotas = view.list('ResourceQuota', namespace) as unknown as (ResourceQuota & Seen)[];
  if (quotas.length === 0) return { actions: [] };
  const objects = view.namespacedKinds.flatMap(kind => {
    const counted = view.countedAs(kind);
    return counted
      ? view.list(kind, namespace).map(object => ({ counted, object, usage: usageOf(counted, object) }))
      : [];
  });
  return { actions: quotas.flatMap(quota => count(quota, objects)) };
}

interface Entry {
  readonly counted: { readonly group: string; readonly plural: string };
  readonly object: Seen;
  readonly usage: ReadonlyMap<string, bigint>;
}

function count(quota: ResourceQuota & Seen, objects: readonly Entry[]): Action[] {
  const hard = quota.spec?.hard ?? {};
  const totals = new Map(Object.keys(hard).map(name => [name, 0n]));
  for (const { counted, object, usage } of objects) {
    if (!isInScope(quota.spec ?? {}, counted, object)) continue;
    for (const [name, amount] of usage) if (totals.has(name)) totals.set(name, totals.get(name)! + amount);
  }
  const used = Object.fromEntries([...totals].map(([name, amount]) => [name, quantityOf(amount, hard[name]!)]));
  if (deepEqual({ hard, used }, quota.status ?? {})) return [];
  // a merge patch keeps names that are no longer limited: they are taken out by name
  const gone = (now: object, before: object | undefined) =>
    Object.fromEntries(
      Object.keys(before ?? {})
        .filter(name => !Object.hasOwn(now, name))
        .map(name => [name, null]),
    );
  const status = {
    hard: { ...gone(hard, quota.status?.hard), ...hard },
    used: { ...gone(used, quota.status?.used), ...used },
  };
  return [
    {
      do: 'patch',
      target: targetOf(quota),
      at: quota.metadata.resourceVersion,
      patch: { status },
      subresource: 'status',
    },
  ];
}
