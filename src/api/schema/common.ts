/** core/v1 parts that several kinds share: references, node selection, taints. */
export const commonTypes = `
package core.v1
ObjectReference atomic
  1 kind string
  2 namespace string
  3 name string
  4 uid string
  5 apiVersion string
  6 resourceVersion string
  7 fieldPath string
LocalObjectReference atomic
  1 name string default=
TypedObjectReference
  1 apiGroup string pointer always
  2 kind string required always
  3 name string required always
  4 namespace string pointer
TypedLocalObjectReference atomic
  1 apiGroup string pointer always
  2 kind string required always
  3 name string required always
SecretReference atomic
  1 name string
  2 namespace string
NodeSelector atomic
  1 nodeSelectorTerms list:NodeSelectorTerm required always
NodeSelectorTerm atomic
  1 matchExpressions list:NodeSelectorRequirement
  2 matchFields list:NodeSelectorRequirement
NodeSelectorRequirement
  1 key string required always
  2 operator string required always
  3 values list:string
Taint
  1 key string required always
  2 value string
  3 effect string required always
  4 timeAdded time pointer
Toleration
  1 key string
  2 operator string
  3 value string
  4 effect string
  5 tolerationSeconds int64 pointer
`;
