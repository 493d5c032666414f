/** core/v1 Node. */
export const nodeTypes = `
package core.v1
Node
  1 metadata meta.v1.ObjectMeta
  2 spec NodeSpec
  3 status NodeStatus
NodeSpec
  1 podCIDR string
  7 podCIDRs list:string merge set
  3 providerID string
  4 unschedulable bool
  5 taints list:Taint
  6 configSource NodeConfigSource pointer
  2 externalID string
NodeConfigSource
  2 configMap ConfigMapNodeConfigSource pointer
ConfigMapNodeConfigSource
  1 namespace string required always
  2 name string required always
  3 uid string
  4 resourceVersion string
  5 kubeletConfigKey string required always
NodeStatus
  1 capacity map:quantity
  2 allocatable map:quantity
  3 phase string
  4 conditions list:NodeCondition merge=type keys=type
  5 addresses list:NodeAddress merge=type keys=type
  6 daemonEndpoints NodeDaemonEndpoints
  7 nodeInfo NodeSystemInfo
  8 images list:ContainerImage
  9 volumesInUse list:string
  10 volumesAttached list:AttachedVolume
  11 config NodeConfigStatus pointer
  12 runtimeHandlers list:NodeRuntimeHandler
  13 features NodeFeatures pointer
  14 declaredFeatures list:string
NodeCondition
  1 type string required always
  2 status string required always
  3 lastHeartbeatTime time
  4 lastTransitionTime time
  5 reason string
  6 message string
NodeAddress
  1 type string required always
  2 address string required always
NodeDaemonEndpoints
  1 kubeletEndpoint DaemonEndpoint
DaemonEndpoint
  1 Port int32 required always
NodeSystemInfo
  1 machineID string required always
  2 systemUUID string required always
  3 bootID string required always
  4 kernelVersion string required always
  5 osImage string required always
  6 containerRuntimeVersion string required always
  7 kubeletVersion string required always
  8 kubeProxyVersion string required always
  9 operatingSystem string required always
  10 architecture string required always
  11 swap NodeSwapStatus pointer
NodeSwapStatus
  1 capacity int64 pointer
ContainerImage
  1 names list:string always
  2 sizeBytes int64
AttachedVolume
  1 name string required always
  2 devicePath string required always
NodeConfigStatus
  1 assigned NodeConfigSource pointer
  2 active NodeConfigSource pointer
  3 lastKnownGood NodeConfigSource pointer
  4 error string
NodeRuntimeHandler
  1 name string always
  2 features NodeRuntimeHandlerFeatures pointer
NodeRuntimeHandlerFeatures
  1 recursiveReadOnlyMounts bool pointer
  2 userNamespaces bool pointer
NodeFeatures
  1 supplementalGroupsPolicy bool pointer
`;
