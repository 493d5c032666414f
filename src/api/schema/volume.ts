/** core/v1 volumes and their sources. */
export const volumeTypes = `
package core.v1
Volume
  1 name string required always
  2 volumeSource VolumeSource inline
VolumeSource
  1 hostPath HostPathVolumeSource pointer
  2 emptyDir EmptyDirVolumeSource pointer
  3 gcePersistentDisk GCEPersistentDiskVolumeSource pointer
  4 awsElasticBlockStore AWSElasticBlockStoreVolumeSource pointer
  5 gitRepo GitRepoVolumeSource pointer
  6 secret SecretVolumeSource pointer
  7 nfs NFSVolumeSource pointer
  8 iscsi ISCSIVolumeSource pointer
  9 glusterfs GlusterfsVolumeSource pointer
  10 persistentVolumeClaim PersistentVolumeClaimVolumeSource pointer
  11 rbd RBDVolumeSource pointer
  12 flexVolume FlexVolumeSource pointer
  13 cinder CinderVolumeSource pointer
  14 cephfs CephFSVolumeSource pointer
  15 flocker FlockerVolumeSource pointer
  16 downwardAPI DownwardAPIVolumeSource pointer
  17 fc FCVolumeSource pointer
  18 azureFile AzureFileVolumeSource pointer
  19 configMap ConfigMapVolumeSource pointer
  20 vsphereVolume VsphereVirtualDiskVolumeSource pointer
  21 quobyte QuobyteVolumeSource pointer
  22 azureDisk AzureDiskVolumeSource pointer
  23 photonPersistentDisk PhotonPersistentDiskVolumeSource pointer
  26 projected ProjectedVolumeSource pointer
  24 portworxVolume PortworxVolumeSource pointer
  25 scaleIO ScaleIOVolumeSource pointer
  27 storageos StorageOSVolumeSource pointer
  28 csi CSIVolumeSource pointer
  29 ephemeral EphemeralVolumeSource pointer
  30 image ImageVolumeSource pointer
HostPathVolumeSource
  1 path string required always
  2 type string pointer
EmptyDirVolumeSource
  1 medium string
  2 sizeLimit quantity pointer
GCEPersistentDiskVolumeSource
  1 pdName string required always
  2 fsType string
  3 partition int32
  4 readOnly bool
AWSElasticBlockStoreVolumeSource
  1 volumeID string required always
  2 fsType string
  3 partition int32
  4 readOnly bool
GitRepoVolumeSource
  1 repository string required always
  2 revision string
  3 directory string
SecretVolumeSource
  1 secretName string
  2 items list:KeyToPath
  3 defaultMode int32 pointer
  4 optional bool pointer
KeyToPath
  1 key string required always
  2 path string required always
  3 mode int32 pointer
NFSVolumeSource
  1 server string required always
  2 path string required always
  3 readOnly bool
ISCSIVolumeSource
  1 targetPortal string required always
  2 iqn string required always
  3 lun int32 required always
  4 iscsiInterface string default=default
  5 fsType string
  6 readOnly bool
  7 portals list:string
  8 chapAuthDiscovery bool
  11 chapAuthSession bool
  10 secretRef LocalObjectReference pointer
  12 initiatorName string pointer
GlusterfsVolumeSource
  1 endpoints string required always
  2 path string required always
  3 readOnly bool
PersistentVolumeClaimVolumeSource
  1 claimName string required always
  2 readOnly bool
RBDVolumeSource
  1 monitors list:string required always
  2 image string required always
  3 fsType string
  4 pool string default=rbd
  5 user string default=admin
  6 keyring string default=/etc/ceph/keyring
  7 secretRef LocalObjectReference pointer
  8 readOnly bool
FlexVolumeSource
  1 driver string required always
  2 fsType string
  3 secretRef LocalObjectReference pointer
  4 readOnly bool
  5 options map:string
CinderVolumeSource
  1 volumeID string required always
  2 fsType string
  3 readOnly bool
  4 secretRef LocalObjectReference pointer
CephFSVolumeSource
  1 monitors list:string required always
  2 path string
  3 user string
  4 secretFile string
  5 secretRef LocalObjectReference pointer
  6 readOnly bool
FlockerVolumeSource
  1 datasetName string
  2 datasetUUID string
DownwardAPIVolumeSource
  1 items list:DownwardAPIVolumeFile
  2 defaultMode int32 pointer
DownwardAPIVolumeFile
  1 path string required always
  2 fieldRef ObjectFieldSelector pointer
  3 resourceFieldRef ResourceFieldSelector pointer
  4 mode int32 pointer
ObjectFieldSelector atomic
  1 apiVersion string
  2 fieldPath string required always
ResourceFieldSelector atomic
  1 containerName string
  2 resource string required always
  3 divisor quantity
FCVolumeSource
  1 targetWWNs list:string
  2 lun int32 pointer
  3 fsType string
  4 readOnly bool
  5 wwids list:string
AzureFileVolumeSource
  1 secretName string required always
  2 shareName string required always
  3 readOnly bool
ConfigMapVolumeSource
  1 localObjectReference LocalObjectReference inline
  2 items list:KeyToPath
  3 defaultMode int32 pointer
  4 optional bool pointer
VsphereVirtualDiskVolumeSource
  1 volumePath string required always
  2 fsType string
  3 storagePolicyName string
  4 storagePolicyID string
QuobyteVolumeSource
  1 registry string required always
  2 volume string required always
  3 readOnly bool
  4 user string
  5 group string
  6 tenant string
AzureDiskVolumeSource
  1 diskName string required always
  2 diskURI string required always
  3 cachingMode string pointer default=ReadWrite
  4 fsType string pointer default=ext4
  5 readOnly bool pointer default=False
  6 kind string pointer default=Shared
PhotonPersistentDiskVolumeSource
  1 pdID string required always
  2 fsType string
ProjectedVolumeSource
  1 sources list:VolumeProjection always
  2 defaultMode int32 pointer
VolumeProjection
  1 secret SecretProjection pointer
  2 downwardAPI DownwardAPIProjection pointer
  3 configMap ConfigMapProjection pointer
  4 serviceAccountToken ServiceAccountTokenProjection pointer
  5 clusterTrustBundle ClusterTrustBundleProjection pointer
  6 podCertificate PodCertificateProjection pointer
SecretProjection
  1 localObjectReference LocalObjectReference inline
  2 items list:KeyToPath
  4 optional bool pointer
DownwardAPIProjection
  1 items list:DownwardAPIVolumeFile
ConfigMapProjection
  1 localObjectReference LocalObjectReference inline
  2 items list:KeyToPath
  4 optional bool pointer
ServiceAccountTokenProjection
  1 audience string
  2 expirationSeconds int64 pointer
  3 path string required always
ClusterTrustBundleProjection
  1 name string pointer
  2 signerName string pointer
  3 labelSelector meta.v1.LabelSelector pointer
  5 optional bool pointer
  4 path string required always
PodCertificateProjection
  1 signerName string required
  2 keyType string required
  3 maxExpirationSeconds int32 pointer
  4 credentialBundlePath string
  5 keyPath string
  6 certificateChainPath string
  7 userAnnotations map:string
PortworxVolumeSource
  1 volumeID string required always
  2 fsType string
  3 readOnly bool
ScaleIOVolumeSource
  1 gateway string required always
  2 system string required always
  3 secretRef LocalObjectReference required pointer always
  4 sslEnabled bool
  5 protectionDomain string
  6 storagePool string
  7 storageMode string default=ThinProvisioned
  8 volumeName string
  9 fsType string default=xfs
  10 readOnly bool
StorageOSVolumeSource
  1 volumeName string
  2 volumeNamespace string
  3 fsType string
  4 readOnly bool
  5 secretRef LocalObjectReference pointer
CSIVolumeSource
  1 driver string required always
  2 readOnly bool pointer
  3 fsType string pointer
  4 volumeAttributes map:string
  5 nodePublishSecretRef LocalObjectReference pointer
EphemeralVolumeSource
  1 volumeClaimTemplate PersistentVolumeClaimTemplate pointer
PersistentVolumeClaimTemplate
  1 metadata meta.v1.ObjectMeta
  2 spec PersistentVolumeClaimSpec required always
PersistentVolumeClaimSpec
  1 accessModes list:string
  4 selector meta.v1.LabelSelector pointer
  2 resources VolumeResourceRequirements
  3 volumeName string
  5 storageClassName string pointer
  6 volumeMode string pointer
  7 dataSource TypedLocalObjectReference pointer
  8 dataSourceRef TypedObjectReference pointer
  9 volumeAttributesClassName string pointer
VolumeResourceRequirements
  1 limits map:quantity
  2 requests map:quantity
ImageVolumeSource
  1 reference string
  2 pullPolicy string
VolumeMount
  1 name string required always
  2 readOnly bool
  7 recursiveReadOnly string pointer
  3 mountPath string required always
  4 subPath string
  5 mountPropagation string pointer
  6 subPathExpr string
VolumeDevice
  1 name string required always
  2 devicePath string required always
`;
