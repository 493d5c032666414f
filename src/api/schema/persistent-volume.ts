/** core/v1 PersistentVolume and PersistentVolumeClaim. */
export const persistentVolumeTypes = `
package core.v1
PersistentVolume
  1 metadata meta.v1.ObjectMeta
  2 spec PersistentVolumeSpec
  3 status PersistentVolumeStatus
PersistentVolumeSpec
  1 capacity map:quantity
  2 persistentVolumeSource PersistentVolumeSource inline
  3 accessModes list:string
  4 claimRef ObjectReference pointer
  5 persistentVolumeReclaimPolicy string
  6 storageClassName string
  7 mountOptions list:string
  8 volumeMode string pointer
  9 nodeAffinity VolumeNodeAffinity pointer
  10 volumeAttributesClassName string pointer
PersistentVolumeSource
  1 gcePersistentDisk GCEPersistentDiskVolumeSource pointer
  2 awsElasticBlockStore AWSElasticBlockStoreVolumeSource pointer
  3 hostPath HostPathVolumeSource pointer
  4 glusterfs GlusterfsPersistentVolumeSource pointer
  5 nfs NFSVolumeSource pointer
  6 rbd RBDPersistentVolumeSource pointer
  7 iscsi ISCSIPersistentVolumeSource pointer
  8 cinder CinderPersistentVolumeSource pointer
  9 cephfs CephFSPersistentVolumeSource pointer
  10 fc FCVolumeSource pointer
  11 flocker FlockerVolumeSource pointer
  12 flexVolume FlexPersistentVolumeSource pointer
  13 azureFile AzureFilePersistentVolumeSource pointer
  14 vsphereVolume VsphereVirtualDiskVolumeSource pointer
  15 quobyte QuobyteVolumeSource pointer
  16 azureDisk AzureDiskVolumeSource pointer
  17 photonPersistentDisk PhotonPersistentDiskVolumeSource pointer
  18 portworxVolume PortworxVolumeSource pointer
  19 scaleIO ScaleIOPersistentVolumeSource pointer
  20 local LocalVolumeSource pointer
  21 storageos StorageOSPersistentVolumeSource pointer
  22 csi CSIPersistentVolumeSource pointer
GlusterfsPersistentVolumeSource
  1 endpoints string required always
  2 path string required always
  3 readOnly bool
  4 endpointsNamespace string pointer
RBDPersistentVolumeSource
  1 monitors list:string required always
  2 image string required always
  3 fsType string
  4 pool string default=rbd
  5 user string default=admin
  6 keyring string default=/etc/ceph/keyring
  7 secretRef SecretReference pointer
  8 readOnly bool
ISCSIPersistentVolumeSource
  1 targetPortal string required always
  2 iqn string required always
  3 lun int32 required always
  4 iscsiInterface string default=default
  5 fsType string
  6 readOnly bool
  7 portals list:string
  8 chapAuthDiscovery bool
  11 chapAuthSession bool
  10 secretRef SecretReference pointer
  12 initiatorName string pointer
CinderPersistentVolumeSource
  1 volumeID string required always
  2 fsType string
  3 readOnly bool
  4 secretRef SecretReference pointer
CephFSPersistentVolumeSource
  1 monitors list:string required always
  2 path string
  3 user string
  4 secretFile string
  5 secretRef SecretReference pointer
  6 readOnly bool
FlexPersistentVolumeSource
  1 driver string required always
  2 fsType string
  3 secretRef SecretReference pointer
  4 readOnly bool
  5 options map:string
AzureFilePersistentVolumeSource
  1 secretName string required always
  2 shareName string required always
  3 readOnly bool
  4 secretNamespace string pointer always
ScaleIOPersistentVolumeSource
  1 gateway string required always
  2 system string required always
  3 secretRef SecretReference required pointer always
  4 sslEnabled bool
  5 protectionDomain string
  6 storagePool string
  7 storageMode string default=ThinProvisioned
  8 volumeName string
  9 fsType string default=xfs
  10 readOnly bool
LocalVolumeSource
  1 path string required always
  2 fsType string pointer
StorageOSPersistentVolumeSource
  1 volumeName string
  2 volumeNamespace string
  3 fsType string
  4 readOnly bool
  5 secretRef ObjectReference pointer
CSIPersistentVolumeSource
  1 driver string required always
  2 volumeHandle string required always
  3 readOnly bool
  4 fsType string
  5 volumeAttributes map:string
  6 controllerPublishSecretRef SecretReference pointer
  7 nodeStageSecretRef SecretReference pointer
  8 nodePublishSecretRef SecretReference pointer
  9 controllerExpandSecretRef SecretReference pointer
  10 nodeExpandSecretRef SecretReference pointer
VolumeNodeAffinity
  1 required NodeSelector pointer
PersistentVolumeStatus
  1 phase string
  2 message string
  3 reason string
  4 lastPhaseTransitionTime time pointer
PersistentVolumeClaim
  1 metadata meta.v1.ObjectMeta
  2 spec PersistentVolumeClaimSpec
  3 status PersistentVolumeClaimStatus
PersistentVolumeClaimStatus
  1 phase string
  2 accessModes list:string
  3 capacity map:quantity
  4 conditions list:PersistentVolumeClaimCondition merge=type keys=type
  5 allocatedResources map:quantity
  7 allocatedResourceStatuses map:string
  8 currentVolumeAttributesClassName string pointer
  9 modifyVolumeStatus ModifyVolumeStatus pointer
PersistentVolumeClaimCondition
  1 type string required always
  2 status string required always
  3 lastProbeTime time
  4 lastTransitionTime time
  5 reason string
  6 message string
ModifyVolumeStatus
  1 targetVolumeAttributesClassName string
  2 status string required always
`;
