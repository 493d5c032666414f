/** Nobody grants what they do not hold: writes of roles and bindings, seen with the writer's own rights. */
import type { ClusterRole, PolicyRule, RoleBinding, RoleRef } from '../../kube/api/rbac-v1.js';
import { deepEqual } from '../../kube/json.js';
import { type Actor, admins } from '../authorize.js';
import { forbidden, notFound } from '../errors.js';
import type { AnyObject, Kind } from '../kind.js';
import { compactRules, describeRule, missingRules, quoteList } from './covers.js';

const group = 'rbac.authorization.k8s.io';
const everything: readonly PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
];

/** Throws StatusError 403. */
export function checkRoleWrite(kind: Kind, actor: Actor, next: AnyObject, old: AnyObject | undefined): void {
  const role = next as unknown as ClusterRole;
  const before = old as unknown as ClusterRole | undefined;
  const sameRules = before && deepEqual(role.rules ?? [], before.rules ?? []);
  const sameAggregation = deepEqual(role.aggregationRule, before?.aggregationRule);
  if (sameRules && sameAggregation) return;
  const { namespace, name } = role.metadata;
  if (mayVerb(actor, 'escalate', kind.plural, namespace, name)) return;
  const { rules: held } = actor.authorizer.rbac.rulesFor(actor.identity, namespace);
  if (role.aggregationRule && !sameAggregation && missingRules(held, everything).length > 0)
    throw forbidden(kind, name, 'must have cluster-admin privileges to use the aggregationRule');
  if (!sameRules) refuseMissing(kind, actor, name, namespace, role.rules ?? []);
}

/** Throws StatusError 403, and 404 for a role that is not there, unless the writer may bind it anyway. */
export function checkBindingWrite(kind: Kind, actor: Actor, next: AnyObject, old: AnyObject | undefined): void {
  const binding = next as unknown as RoleBinding;
  const before = old as unknown as RoleBinding | undefined;
  if (before && deepEqual(binding.subjects ?? [], before.subjects ?? []) && deepEqual(binding.roleRef, before.roleRef))
    return;
  const { roleRef, metadata } = binding;
  const resource = resourceOf(roleRef);
  if (mayVerb(actor, 'bind', resource, metadata.namespace, roleRef.name)) return;
  const rules = actor.authorizer.rbac.rulesOfRole(roleRef, metadata.namespace);
  if (!rules) throw notFound({ group, plural: resource, kind: roleRef.kind }, roleRef.name);
  refuseMissing(kind, actor, metadata.name, metadata.namespace, rules);
}

const resourceOf = ({ kind }: RoleRef): string => (kind === 'ClusterRole' ? 'clusterroles' : 'roles');

function mayVerb(
  { identity, authorizer }: Actor,
  verb: string,
  resource: string,
  namespace: string | undefined,
  name: string,
): boolean {
  if (identity.groups.includes(admins)) return true;
  const attributes = { verb, group, resource, name, ...(namespace !== undefined && { namespace }) };
  return authorizer.decide(identity, attributes).allowed;
}

function refuseMissing(
  kind: Kind,
  { identity, authorizer }: Actor,
  name: string,
  namespace: string | undefined,
  wanted: readonly PolicyRule[],
): void {
  const { rules, missing: unknown } = authorizer.rbac.rulesFor(identity, namespace);
  const missing = missingRules(rules, wanted);
  if (missing.length === 0) return;
  const shown = [...new Set(compactRules(missing).map(describeRule))].sort();
  const also = unknown.length > 0 ? `; resolution errors: [${unknown.join(', ')}]` : '';
  throw forbidden(
    kind,
    name,
    `user ${JSON.stringify(identity.name)} (groups=${quoteList(identity.groups)}) is attempting to grant RBAC permissions not currently held:\n${shown.join('\n')}${also}`,
  );
}
