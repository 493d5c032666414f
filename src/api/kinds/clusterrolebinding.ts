/** rbac.authorization.k8s.io/v1 ClusterRoleBinding. */
import { at } from '../../kube/json.js';
import { checkBindingWrite } from '../auth/escalation.js';
import {
  bindingErrors,
  bindingUpdateErrors,
  defaultBinding,
  pathSegmentProblems,
  rbacGroup,
  subjectsOf,
} from '../auth/role-validation.js';
import { ageColumn, column, nameColumn } from '../columns.js';
import type { Kind } from '../kind.js';

export const clusterRoleBinding: Kind = {
  group: rbacGroup,
  version: 'v1',
  kind: 'ClusterRoleBinding',
  plural: 'clusterrolebindings',
  singular: 'clusterrolebinding',
  namespaced: false,
  type: 'rbac.v1.ClusterRoleBinding',
  description: 'ClusterRoleBinding gives a role to users, groups or service accounts in the whole cluster.',
  columns: [
    nameColumn,
    column('Role', object => `${String(at(object, 'roleRef', 'kind'))}/${String(at(object, 'roleRef', 'name'))}`),
    ageColumn,
    column('Users', object => subjectsOf(object, 'User'), 1),
    column('Groups', object => subjectsOf(object, 'Group'), 1),
    column('ServiceAccounts', object => subjectsOf(object, 'ServiceAccount'), 1),
  ],
  nameProblems: pathSegmentProblems,
  defaults: defaultBinding,
  validate: object => bindingErrors(object, false),
  validateUpdate: bindingUpdateErrors,
  admitWriter: ({ kind, actor, next, old }) => checkBindingWrite(kind, actor, next, old),
};
