/** rbac.authorization.k8s.io/v1. */
export const rbacTypes = `
package rbac.v1
Role
  1 metadata meta.v1.ObjectMeta
  2 rules list:PolicyRule always
PolicyRule
  1 verbs list:string required always
  2 apiGroups list:string
  3 resources list:string
  4 resourceNames list:string
  5 nonResourceURLs list:string
ClusterRole
  1 metadata meta.v1.ObjectMeta
  2 rules list:PolicyRule always
  3 aggregationRule AggregationRule pointer
AggregationRule
  1 clusterRoleSelectors list:meta.v1.LabelSelector
RoleBinding
  1 metadata meta.v1.ObjectMeta
  2 subjects list:Subject
  3 roleRef RoleRef required always
Subject atomic
  1 kind string required always
  2 apiGroup string
  3 name string required always
  4 namespace string
RoleRef atomic
  1 apiGroup string required always
  2 kind string required always
  3 name string required always
ClusterRoleBinding
  1 metadata meta.v1.ObjectMeta
  2 subjects list:Subject
  3 roleRef RoleRef required always
`;
