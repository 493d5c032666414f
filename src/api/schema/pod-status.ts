/** core/v1 PodStatus. */
export const podStatusTypes = `
package core.v1
PodStatus
  17 observedGeneration int64
  1 phase string
  2 conditions list:PodCondition merge=type keys=type
  3 message string
  4 reason string
  11 nominatedNodeName string
  5 hostIP string
  16 hostIPs list:HostIP merge=ip
  6 podIP string
  12 podIPs list:PodIP merge=ip keys=ip
  7 startTime time pointer
  10 initContainerStatuses list:ContainerStatus
  8 containerStatuses list:ContainerStatus
  9 qosClass string
  13 ephemeralContainerStatuses list:ContainerStatus
  14 resize string
  15 resourceClaimStatuses list:PodResourceClaimStatus merge=name retainKeys keys=name
  18 extendedResourceClaimStatus PodExtendedResourceClaimStatus pointer
  19 allocatedResources map:quantity
  20 resources ResourceRequirements pointer
PodCondition
  1 type string required always
  7 observedGeneration int64
  2 status string required always
  3 lastProbeTime time
  4 lastTransitionTime time
  5 reason string
  6 message string
HostIP
  1 ip string required always
PodIP
  1 ip string required always
ContainerStatus
  1 name string required always
  2 state ContainerState
  3 lastState ContainerState
  4 ready bool required always
  5 restartCount int32 required always
  6 image string required always
  7 imageID string required always
  8 containerID string
  9 started bool pointer
  10 allocatedResources map:quantity
  11 resources ResourceRequirements pointer
  12 volumeMounts list:VolumeMountStatus merge=mountPath keys=mountPath
  13 user ContainerUser pointer
  14 allocatedResourcesStatus list:ResourceStatus merge=name keys=name
  15 stopSignal string pointer
ContainerState
  1 waiting ContainerStateWaiting pointer
  2 running ContainerStateRunning pointer
  3 terminated ContainerStateTerminated pointer
ContainerStateWaiting
  1 reason string
  2 message string
ContainerStateRunning
  1 startedAt time
ContainerStateTerminated
  1 exitCode int32 required always
  2 signal int32
  3 reason string
  4 message string
  5 startedAt time
  6 finishedAt time
  7 containerID string
VolumeMountStatus
  1 name string required always
  2 mountPath string required always
  3 readOnly bool
  4 recursiveReadOnly string pointer
ContainerUser
  1 linux LinuxContainerUser pointer
LinuxContainerUser
  1 uid int64 required always
  2 gid int64 required always
  3 supplementalGroups list:int64
ResourceStatus
  1 name string required always
  2 resources list:ResourceHealth keys=resourceID
ResourceHealth
  1 resourceID string required always
  2 health string
PodResourceClaimStatus
  1 name string required always
  2 resourceClaimName string pointer
PodExtendedResourceClaimStatus
  1 requestMappings list:ContainerExtendedResourceRequest required always
  2 resourceClaimName string required always
ContainerExtendedResourceRequest
  1 containerName string required always
  2 resourceName string required always
  3 requestName string required always
`;
