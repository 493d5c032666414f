/** The small kinds: Namespace, Event, ConfigMap, Secret, ServiceAccount, Binding, Lease, Eviction. */
export const objectTypes = `
package core.v1
Namespace
  1 metadata meta.v1.ObjectMeta
  2 spec NamespaceSpec
  3 status NamespaceStatus
NamespaceSpec
  1 finalizers list:string
NamespaceStatus
  1 phase string
  2 conditions list:NamespaceCondition merge=type keys=type
NamespaceCondition
  1 type string required always
  2 status string required always
  4 lastTransitionTime time
  5 reason string
  6 message string
Event
  1 metadata meta.v1.ObjectMeta required always
  2 involvedObject ObjectReference required always
  3 reason string
  4 message string
  5 source EventSource
  6 firstTimestamp time
  7 lastTimestamp time
  8 count int32
  9 type string
  10 eventTime micro-time
  11 series EventSeries pointer
  12 action string
  13 related ObjectReference pointer
  14 reportingComponent string always
  15 reportingInstance string always
EventSource
  1 component string
  2 host string
EventSeries
  1 count int32
  2 lastObservedTime micro-time
ConfigMap
  1 metadata meta.v1.ObjectMeta
  4 immutable bool pointer
  2 data map:string
  3 binaryData map:bytes
Secret
  1 metadata meta.v1.ObjectMeta
  5 immutable bool pointer
  2 data map:bytes
  4 stringData map:string
  3 type string
ServiceAccount
  1 metadata meta.v1.ObjectMeta
  2 secrets list:ObjectReference merge=name keys=name
  3 imagePullSecrets list:LocalObjectReference
  4 automountServiceAccountToken bool pointer
Binding
  1 metadata meta.v1.ObjectMeta
  2 target ObjectReference required always
package coordination.v1
Lease
  1 metadata meta.v1.ObjectMeta
  2 spec LeaseSpec
LeaseSpec
  1 holderIdentity string pointer
  2 leaseDurationSeconds int32 pointer
  3 acquireTime micro-time pointer
  4 renewTime micro-time pointer
  5 leaseTransitions int32 pointer
  6 strategy string pointer
  7 preferredHolder string pointer
package policy.v1
Eviction
  1 metadata meta.v1.ObjectMeta
  2 deleteOptions meta.v1.DeleteOptions pointer
package events.v1
Event
  1 metadata meta.v1.ObjectMeta always
  2 eventTime micro-time required always
  3 series EventSeries pointer
  4 reportingController string
  5 reportingInstance string
  6 action string
  7 reason string
  8 regarding core.v1.ObjectReference
  9 related core.v1.ObjectReference pointer
  10 note string
  11 type string
  12 deprecatedSource core.v1.EventSource
  13 deprecatedFirstTimestamp time
  14 deprecatedLastTimestamp time
  15 deprecatedCount int32
EventSeries
  1 count int32 required always
  2 lastObservedTime micro-time required always
`;
