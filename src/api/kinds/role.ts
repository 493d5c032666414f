/** rbac.authorization.k8s.io/v1 Role. */
import { checkRoleWrite } from '../auth/escalation.js';
import { pathSegmentProblems, rbacGroup, ruleErrors } from '../auth/role-validation.js';
import { createdColumn, nameColumn } from '../columns.js';
import type { Kind } from '../kind.js';

export const role: Kind = {
  group: rbacGroup,
  version: 'v1',
  kind: 'Role',
  plural: 'roles',
  singular: 'role',
  namespaced: true,
  type: 'rbac.v1.Role',
  description: 'Role is a set of things that may be done in one namespace.',
  columns: [nameColumn, createdColumn],
  nameProblems: pathSegmentProblems,
  defaults: object => {
    object.rules ??= [];
  },
  validate: object => ruleErrors(object, true),
  admitWriter: ({ kind, actor, next, old }) => checkRoleWrite(kind, actor, next, old),
};
