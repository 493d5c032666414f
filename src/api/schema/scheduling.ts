/** scheduling.k8s.io/v1 and node.k8s.io/v1. */
export const schedulingTypes = `
package scheduling.v1
PriorityClass
  1 metadata meta.v1.ObjectMeta
  2 value int32 required always
  3 globalDefault bool
  4 description string
  5 preemptionPolicy string pointer
package node.v1
RuntimeClass
  1 metadata meta.v1.ObjectMeta
  2 handler string required always
  3 overhead Overhead pointer
  4 scheduling Scheduling pointer
Overhead
  1 podFixed map:quantity
Scheduling
  1 nodeSelector map:string atomic
  2 tolerations list:core.v1.Toleration
`;
