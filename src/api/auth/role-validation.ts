/** Validation that Roles, ClusterRoles and their bindings share (k8s.io/kubernetes pkg/apis/rbac/validation). Pure. */
import type { ClusterRole, PolicyRule, RoleBinding, Subject } from '../../kube/api/rbac-v1.js';
import { deepEqual } from '../../kube/json.js';
import { subdomainProblems } from '../../kube/names.js';
import { type FieldError, invalid, notSupported, required } from '../errors.js';
import type { AnyObject } from '../kind.js';

export const rbacGroup = 'rbac.authorization.k8s.io';

/** Names of RBAC objects may have colons and capitals; they must only fit into a path. */
export function pathSegmentProblems(name: string): string[] {
  if (name === '.' || name === '..') return [`may not be '${name}'`];
  return ['/', '%'].filter(character => name.includes(character)).map(character => `may not contain '${character}'`);
}

export function ruleErrors(object: AnyObject, namespaced: boolean): FieldError[] {
  const { rules = [] } = object as unknown as ClusterRole;
  return rules.flatMap((rule, i) => errorsOf(rule, `rules[${i}]`, namespaced));
}

function errorsOf(rule: PolicyRule, path: string, namespaced: boolean): FieldError[] {
  const { verbs = [], apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] } = rule;
  const noVerbs = verbs.length === 0 ? [required(`${path}.verbs`, 'verbs must contain at least one value')] : [];
  if (nonResourceURLs.length > 0) {
    const url = `${path}.nonResourceURLs`;
    const mixed = apiGroups.length + resources.length + resourceNames.length > 0;
    return [
      ...noVerbs,
      ...(namespaced ? [invalid(url, nonResourceURLs, 'namespaced rules cannot apply to non-resource URLs')] : []),
      ...(mixed
        ? [invalid(url, nonResourceURLs, 'rules cannot apply to both regular resources and non-resource URLs')]
        : []),
    ];
  }
  return [
    ...noVerbs,
    ...(apiGroups.length === 0
      ? [required(`${path}.apiGroups`, 'resource rules must supply at least one api group')]
      : []),
    ...(resources.length === 0
      ? [required(`${path}.resources`, 'resource rules must supply at least one resource')]
      : []),
  ];
}

export function defaultBinding(object: AnyObject): void {
  const { roleRef, subjects = [] } = object as unknown as RoleBinding;
  if (roleRef && !roleRef.apiGroup) roleRef.apiGroup = rbacGroup;
  for (const subject of subjects)
    if (!subject.apiGroup && (subject.kind === 'User' || subject.kind === 'Group')) subject.apiGroup = rbacGroup;
}

export function bindingErrors(object: AnyObject, namespaced: boolean): FieldError[] {
  const { roleRef, subjects = [] } = object as unknown as RoleBinding;
  const kinds = namespaced ? ['Role', 'ClusterRole'] : ['ClusterRole'];
  const name = roleRef?.name ?? '';
  return [
    ...(roleRef?.apiGroup === rbacGroup
      ? []
      : [notSupported('roleRef.apiGroup', roleRef?.apiGroup ?? '', [rbacGroup])]),
    ...(kinds.includes(roleRef?.kind ?? '') ? [] : [notSupported('roleRef.kind', roleRef?.kind ?? '', kinds)]),
    ...(name === ''
      ? [required('roleRef.name')]
      : pathSegmentProblems(name).map(why => invalid('roleRef.name', name, why))),
    ...subjects.flatMap((subject, i) => subjectErrors(subject, `subjects[${i}]`, namespaced)),
  ];
}

function subjectErrors(subject: Subject, path: string, namespaced: boolean): FieldError[] {
  const { kind, name = '', apiGroup = '', namespace = '' } = subject;
  const unnamed = name === '' ? [required(`${path}.name`)] : [];
  const groupIs = (wanted: string) =>
    apiGroup === wanted ? [] : [notSupported(`${path}.apiGroup`, apiGroup, [wanted])];
  if (kind === 'User' || kind === 'Group') return [...unnamed, ...groupIs(rbacGroup)];
  if (kind !== 'ServiceAccount')
    return [...unnamed, notSupported(`${path}.kind`, kind, ['ServiceAccount', 'User', 'Group'])];
  return [
    ...unnamed,
    ...(name === '' ? [] : subdomainProblems(name).map(why => invalid(`${path}.name`, name, why))),
    ...groupIs(''),
    ...(!namespaced && namespace === '' ? [required(`${path}.namespace`)] : []),
  ];
}

export function bindingUpdateErrors(next: AnyObject, old: AnyObject): FieldError[] {
  return deepEqual(next.roleRef, old.roleRef) ? [] : [invalid('roleRef', next.roleRef, 'cannot change roleRef')];
}

/** Who is meant, for the columns that `-o wide` adds. */
export function subjectsOf(object: AnyObject, kind: string): string {
  const { subjects = [] } = object as unknown as RoleBinding;
  return subjects
    .filter(subject => subject.kind === kind)
    .map(({ name, namespace }) => (kind === 'ServiceAccount' ? `${namespace ?? ''}/${name}` : name))
    .join(', ');
}
