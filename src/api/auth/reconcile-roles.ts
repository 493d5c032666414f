/**
 * Default roles and bindings, brought up to date at every start: rules and subjects that are missing are added, what
 * somebody has added stays, and what is marked `rbac.authorization.kubernetes.io/autoupdate: "false"` is left alone.
 */
import type { ClusterRole, ClusterRoleBinding, Subject } from '../../kube/api/rbac-v1.js';
import { deepEqual } from '../../kube/json.js';
import type { KubeObject } from '../../kube/meta.js';
import type { AnyObject } from '../kind.js';
import type { ObjectView } from '../view.js';
import { compactRules, missingRules } from './covers.js';
import { type DefaultBinding, defaultBindings, systemRoles } from './system-roles.js';
import { type DefaultRole, userRoles } from './user-roles.js';

const autoupdate = 'rbac.authorization.kubernetes.io/autoupdate';
const apiVersion = 'rbac.authorization.k8s.io/v1';
const labels = { 'kubernetes.io/bootstrapping': 'rbac-defaults' };

export interface RoleWrites {
  create(object: KubeObject): Promise<unknown>;
  replace(object: KubeObject): Promise<unknown>;
}

export async function reconcileRoles(view: Pick<ObjectView, 'get'>, writes: RoleWrites): Promise<void> {
  const wanted = [
    ...[...systemRoles, ...userRoles].map(role => ({ ...roleObject(role), merge: mergeRole })),
    ...defaultBindings.map(binding => ({ ...bindingObject(binding), merge: mergeBinding })),
  ];
  await Promise.all(
    wanted.map(({ merge, ...object }) => {
      const found = view.get(object.kind, undefined, object.metadata.name);
      if (!found) return writes.create(object);
      if (found.metadata.annotations?.[autoupdate] === 'false') return undefined;
      const next = merge(found, object);
      return deepEqual(next, found) ? undefined : writes.replace(next);
    }),
  );
}

const metadataOf = (name: string, more?: Readonly<Record<string, string>>) => ({
  name,
  annotations: { [autoupdate]: 'true' },
  labels: { ...labels, ...more },
});

function roleObject({ name, labels: more, rules = [], aggregates }: DefaultRole): ClusterRole {
  return {
    apiVersion,
    kind: 'ClusterRole',
    metadata: metadataOf(name, more),
    ...(aggregates && { aggregationRule: { clusterRoleSelectors: [{ matchLabels: { [aggregates]: 'true' } }] } }),
    rules: [...rules],
  };
}

const bindingObject = ({ name, roleRef, subjects }: DefaultBinding): ClusterRoleBinding => ({
  apiVersion,
  kind: 'ClusterRoleBinding',
  metadata: metadataOf(name),
  roleRef,
  subjects: [...subjects],
});

function withMetadata(found: AnyObject, wanted: KubeObject): KubeObject['metadata'] {
  const { metadata } = found;
  return {
    ...metadata,
    labels: { ...metadata.labels, ...wanted.metadata.labels },
    annotations: { ...metadata.annotations, ...wanted.metadata.annotations },
  };
}

export function mergeRole(found: AnyObject, wanted: KubeObject): AnyObject {
  const role = wanted as ClusterRole;
  const before = found as unknown as ClusterRole;
  const metadata = withMetadata(found, wanted);
  if (role.aggregationRule) return { ...found, metadata, aggregationRule: role.aggregationRule };
  const missing = compactRules(missingRules(before.rules ?? [], role.rules ?? []));
  return { ...found, metadata, rules: [...(before.rules ?? []), ...missing] };
}

export function mergeBinding(found: AnyObject, wanted: KubeObject): AnyObject {
  const binding = wanted as ClusterRoleBinding;
  const before = found as unknown as ClusterRoleBinding;
  const known = before.subjects ?? [];
  const missing = (binding.subjects ?? []).filter(subject => !known.some(one => sameSubject(one, subject)));
  return { ...found, metadata: withMetadata(found, wanted), subjects: [...known, ...missing] };
}

const sameSubject = (a: Subject, b: Subject): boolean =>
  a.kind === b.kind && a.name === b.name && (a.namespace ?? '') === (b.namespace ?? '');
