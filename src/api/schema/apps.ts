/** apps/v1. */
export const appsTypes = `
package apps.v1
Deployment
  1 metadata meta.v1.ObjectMeta
  2 spec DeploymentSpec
  3 status DeploymentStatus
DeploymentSpec
  1 replicas int32 pointer
  2 selector meta.v1.LabelSelector required pointer always
  3 template core.v1.PodTemplateSpec required always
  4 strategy DeploymentStrategy retainKeys
  5 minReadySeconds int32
  6 revisionHistoryLimit int32 pointer
  7 paused bool
  9 progressDeadlineSeconds int32 pointer
DeploymentStrategy
  1 type string
  2 rollingUpdate RollingUpdateDeployment pointer
RollingUpdateDeployment
  1 maxUnavailable int-or-string pointer
  2 maxSurge int-or-string pointer
DeploymentStatus
  1 observedGeneration int64
  2 replicas int32
  3 updatedReplicas int32
  7 readyReplicas int32
  4 availableReplicas int32
  5 unavailableReplicas int32
  9 terminatingReplicas int32 pointer
  6 conditions list:DeploymentCondition merge=type keys=type
  8 collisionCount int32 pointer
DeploymentCondition
  1 type string required always
  2 status string required always
  6 lastUpdateTime time
  7 lastTransitionTime time
  4 reason string
  5 message string
ReplicaSet
  1 metadata meta.v1.ObjectMeta
  2 spec ReplicaSetSpec
  3 status ReplicaSetStatus
ReplicaSetSpec
  1 replicas int32 pointer
  4 minReadySeconds int32
  2 selector meta.v1.LabelSelector required pointer always
  3 template core.v1.PodTemplateSpec
ReplicaSetStatus
  1 replicas int32 required always
  2 fullyLabeledReplicas int32
  4 readyReplicas int32
  5 availableReplicas int32
  7 terminatingReplicas int32 pointer
  3 observedGeneration int64
  6 conditions list:ReplicaSetCondition merge=type keys=type
ReplicaSetCondition
  1 type string required always
  2 status string required always
  3 lastTransitionTime time
  4 reason string
  5 message string
StatefulSet
  1 metadata meta.v1.ObjectMeta
  2 spec StatefulSetSpec
  3 status StatefulSetStatus
StatefulSetSpec
  1 replicas int32 pointer
  2 selector meta.v1.LabelSelector required pointer always
  3 template core.v1.PodTemplateSpec required always
  4 volumeClaimTemplates list:core.v1.PersistentVolumeClaim
  5 serviceName string always
  6 podManagementPolicy string
  7 updateStrategy StatefulSetUpdateStrategy
  8 revisionHistoryLimit int32 pointer
  9 minReadySeconds int32
  10 persistentVolumeClaimRetentionPolicy StatefulSetPersistentVolumeClaimRetentionPolicy pointer
  11 ordinals StatefulSetOrdinals pointer
StatefulSetUpdateStrategy
  1 type string
  2 rollingUpdate RollingUpdateStatefulSetStrategy pointer
RollingUpdateStatefulSetStrategy
  1 partition int32 pointer
  2 maxUnavailable int-or-string pointer
StatefulSetPersistentVolumeClaimRetentionPolicy
  1 whenDeleted string
  2 whenScaled string
StatefulSetOrdinals
  1 start int32 always
StatefulSetStatus
  1 observedGeneration int64
  2 replicas int32 required always
  3 readyReplicas int32
  4 currentReplicas int32
  5 updatedReplicas int32
  6 currentRevision string
  7 updateRevision string
  9 collisionCount int32 pointer
  10 conditions list:StatefulSetCondition merge=type keys=type
  11 availableReplicas int32 always
StatefulSetCondition
  1 type string required always
  2 status string required always
  3 lastTransitionTime time
  4 reason string
  5 message string
DaemonSet
  1 metadata meta.v1.ObjectMeta
  2 spec DaemonSetSpec
  3 status DaemonSetStatus
DaemonSetSpec
  1 selector meta.v1.LabelSelector required pointer always
  2 template core.v1.PodTemplateSpec required always
  3 updateStrategy DaemonSetUpdateStrategy
  4 minReadySeconds int32
  6 revisionHistoryLimit int32 pointer
DaemonSetUpdateStrategy
  1 type string
  2 rollingUpdate RollingUpdateDaemonSet pointer
RollingUpdateDaemonSet
  1 maxUnavailable int-or-string pointer
  2 maxSurge int-or-string pointer
DaemonSetStatus
  1 currentNumberScheduled int32 required always
  2 numberMisscheduled int32 required always
  3 desiredNumberScheduled int32 required always
  4 numberReady int32 required always
  5 observedGeneration int64
  6 updatedNumberScheduled int32
  7 numberAvailable int32
  8 numberUnavailable int32
  9 collisionCount int32 pointer
  10 conditions list:DaemonSetCondition merge=type keys=type
DaemonSetCondition
  1 type string required always
  2 status string required always
  3 lastTransitionTime time
  4 reason string
  5 message string
ControllerRevision
  1 metadata meta.v1.ObjectMeta
  2 data raw
  3 revision int64 required always
`;
