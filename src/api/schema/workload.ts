/** core/v1 ReplicationController, PodTemplate, ComponentStatus. */
export const workloadTypes = `
package core.v1
ReplicationController
  1 metadata meta.v1.ObjectMeta
  2 spec ReplicationControllerSpec
  3 status ReplicationControllerStatus
ReplicationControllerSpec
  1 replicas int32 pointer default=1
  4 minReadySeconds int32 default=0
  2 selector map:string atomic
  3 template PodTemplateSpec pointer
PodTemplateSpec
  1 metadata meta.v1.ObjectMeta
  2 spec PodSpec
ReplicationControllerStatus
  1 replicas int32 required always
  2 fullyLabeledReplicas int32
  4 readyReplicas int32
  5 availableReplicas int32
  3 observedGeneration int64
  6 conditions list:ReplicationControllerCondition merge=type keys=type
ReplicationControllerCondition
  1 type string required always
  2 status string required always
  3 lastTransitionTime time
  4 reason string
  5 message string
PodTemplate
  1 metadata meta.v1.ObjectMeta
  2 template PodTemplateSpec
ComponentStatus
  1 metadata meta.v1.ObjectMeta
  2 conditions list:ComponentCondition merge=type keys=type
ComponentCondition
  1 type string required always
  2 status string required always
  3 message string
  4 error string
`;
