/** meta/v1: what every object and every request carries. */
export const metaTypes = `
package meta.v1
ObjectMeta
  1 name string
  2 generateName string
  3 namespace string
  4 selfLink string
  5 uid string
  6 resourceVersion string
  7 generation int64
  8 creationTimestamp time
  9 deletionTimestamp time pointer
  10 deletionGracePeriodSeconds int64 pointer
  11 labels map:string
  12 annotations map:string
  13 ownerReferences list:OwnerReference merge=uid keys=uid
  14 finalizers list:string merge set
  17 managedFields list:ManagedFieldsEntry
OwnerReference atomic
  5 apiVersion string required always
  1 kind string required always
  3 name string required always
  4 uid string required always
  6 controller bool pointer
  7 blockOwnerDeletion bool pointer
ManagedFieldsEntry
  1 manager string
  2 operation string
  3 apiVersion string
  4 time time pointer
  6 fieldsType string
  7 fieldsV1 fields pointer
  8 subresource string
ListMeta
  1 selfLink string
  2 resourceVersion string
  3 continue string
  4 remainingItemCount int64 pointer
DeleteOptions
  1 gracePeriodSeconds int64 pointer
  2 preconditions Preconditions pointer
  3 orphanDependents bool pointer
  4 propagationPolicy string pointer
  5 dryRun list:string
  6 ignoreStoreReadErrorWithClusterBreakingPotential bool pointer
Preconditions
  1 uid string pointer
  2 resourceVersion string pointer
LabelSelector atomic
  1 matchLabels map:string
  2 matchExpressions list:LabelSelectorRequirement
LabelSelectorRequirement
  1 key string required always
  2 operator string required always
  3 values list:string
Status
  1 metadata ListMeta
  2 status string
  3 message string
  4 reason string
  5 details StatusDetails pointer
  6 code int32
StatusDetails
  1 name string
  2 group string
  3 kind string
  6 uid string
  4 causes list:StatusCause
  5 retryAfterSeconds int32
StatusCause
  1 reason string
  2 message string
  3 field string
`;
