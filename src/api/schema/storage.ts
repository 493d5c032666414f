/** storage.k8s.io/v1. */
export const storageTypes = `
package storage.v1
StorageClass
  1 metadata meta.v1.ObjectMeta
  2 provisioner string required always
  3 parameters map:string
  4 reclaimPolicy string pointer
  5 mountOptions list:string
  6 allowVolumeExpansion bool pointer
  7 volumeBindingMode string pointer
  8 allowedTopologies list:core.v1.TopologySelectorTerm
VolumeAttachment
  1 metadata meta.v1.ObjectMeta
  2 spec VolumeAttachmentSpec required always
  3 status VolumeAttachmentStatus
VolumeAttachmentSpec
  1 attacher string required always
  2 source VolumeAttachmentSource required always
  3 nodeName string required always
VolumeAttachmentSource
  1 persistentVolumeName string pointer
  2 inlineVolumeSpec core.v1.PersistentVolumeSpec pointer
VolumeAttachmentStatus
  1 attached bool required always
  2 attachmentMetadata map:string
  3 attachError VolumeError pointer
  4 detachError VolumeError pointer
VolumeError
  1 time time
  2 message string
  3 errorCode int32 pointer
CSIDriver
  1 metadata meta.v1.ObjectMeta
  2 spec CSIDriverSpec required always
CSIDriverSpec
  1 attachRequired bool pointer
  2 podInfoOnMount bool pointer
  3 volumeLifecycleModes list:string set
  4 storageCapacity bool pointer
  5 fsGroupPolicy string pointer
  6 tokenRequests list:TokenRequest
  7 requiresRepublish bool pointer
  8 seLinuxMount bool pointer
  9 nodeAllocatableUpdatePeriodSeconds int64 pointer
  10 serviceAccountTokenInSecrets bool pointer
TokenRequest
  1 audience string required always
  2 expirationSeconds int64 pointer
CSINode
  1 metadata meta.v1.ObjectMeta
  2 spec CSINodeSpec required always
CSINodeSpec
  1 drivers list:CSINodeDriver required always merge=name keys=name
CSINodeDriver
  1 name string required always
  2 nodeID string required always
  3 topologyKeys list:string always
  4 allocatable VolumeNodeResources pointer
VolumeNodeResources
  1 count int32 pointer
package core.v1
TopologySelectorTerm atomic
  1 matchLabelExpressions list:TopologySelectorLabelRequirement
TopologySelectorLabelRequirement
  1 key string required always
  2 values list:string required always
`;
