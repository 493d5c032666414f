/** rbac.authorization.k8s.io/v1 ClusterRole. */
import type { ClusterRole } from '../../kube/api/rbac-v1.js';
import { checkRoleWrite } from '../auth/escalation.js';
import { pathSegmentProblems, rbacGroup, ruleErrors } from '../auth/role-validation.js';
import { createdColumn, nameColumn } from '../columns.js';
import { required } from '../errors.js';
import type { AnyObject, Kind } from '../kind.js';

export const clusterRole: Kind = {
  group: rbacGroup,
  version: 'v1',
  kind: 'ClusterRole',
  plural: 'clusterroles',
  singular: 'clusterrole',
  namespaced: false,
  type: 'rbac.v1.ClusterRole',
  description:
    'ClusterRole is a set of things that may be done in the whole cluster, or by a RoleBinding in one namespace.',
  columns: [nameColumn, createdColumn],
  nameProblems: pathSegmentProblems,
  defaults: object => {
    object.rules ??= [];
  },
  validate: object => [...ruleErrors(object, false), ...aggregationErrors(object)],
  admitWriter: ({ kind, actor, next, old }) => checkRoleWrite(kind, actor, next, old),
};

function aggregationErrors(object: AnyObject) {
  const { aggregationRule } = object as unknown as ClusterRole;
  if (!aggregationRule || aggregationRule.clusterRoleSelectors?.length) return [];
  const why = 'at least one clusterRoleSelector required if aggregationRule is non-nil';
  return [required('aggregationRule.clusterRoleSelectors', why)];
}
