/** Fills ClusterRoles that are made of others: the rules of all that their selectors choose. Key: the role's name. */
import type { ClusterRole, PolicyRule } from '../kube/api/rbac-v1.js';
import { deepEqual } from '../kube/json.js';
import { selects } from '../kube/label-selector.js';
import { type Controller, type Facts, type Key, nothing, type Outcome, targetOf } from './contract.js';

/** Any change may concern any aggregated role: there are few of those, and they are looked at together. */
const everyRole = 'all';

export const clusterRoleAggregationController: Controller = {
  name: 'cluster-role-aggregation',
  wakes: [{ kind: 'ClusterRole', keys: () => [everyRole] }],
  writes: ['rules of ClusterRoles with an aggregationRule'],
  reconcile,
};

function reconcile({ view }: Facts, _key: Key): Outcome {
  const roles = view.list('ClusterRole') as unknown as ClusterRole[];
  const actions = roles.flatMap(role => {
    if (!role.aggregationRule) return [];
    const rules = aggregated(role, roles);
    if (deepEqual(rules, role.rules ?? [])) return [];
    return [{ do: 'patch' as const, target: targetOf(role), at: role.metadata.resourceVersion, patch: { rules } }];
  });
  return actions.length === 0 ? nothing : { actions };
}

/** In the order of the chosen roles' names, each rule once. */
export function aggregated(role: ClusterRole, roles: readonly ClusterRole[]): PolicyRule[] {
  const selectors = role.aggregationRule?.clusterRoleSelectors ?? [];
  const chosen = roles
    .filter(one => one.metadata.name !== role.metadata.name)
    .filter(one => selectors.some(selector => selects(selector, one.metadata.labels)))
    .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  const rules = chosen.flatMap(one => one.rules ?? []);
  return rules.filter((rule, i) => rules.findIndex(other => deepEqual(other, rule)) === i);
}
