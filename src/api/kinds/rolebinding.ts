/** rbac.authorization.k8s.io/v1 RoleBinding. */
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

export const roleBinding: Kind = {
  group: rbacGroup,
  version: 'v1',
  kind: 'RoleBinding',
  plural: 'rolebindings',
  singular: 'rolebinding',
  namespaced: true,
  type: 'rbac.v1.RoleBinding',
  description: 'RoleBinding gives a role to users, groups or service accounts in one namespace.',
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
  validate: object => bindingErrors(object, true),
  validateUpdate: bindingUpdateErrors,
  admitWriter: ({ kind, actor, next, old }) => checkBindingWrite(kind, actor, next, old),
};
