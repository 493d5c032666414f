/** core/v1 Service and Endpoints. */
export const serviceTypes = `
package core.v1
Service
  1 metadata meta.v1.ObjectMeta
  2 spec ServiceSpec
  3 status ServiceStatus
ServiceSpec
  1 ports list:ServicePort merge=port keys=port+protocol
  2 selector map:string atomic
  3 clusterIP string
  18 clusterIPs list:string
  4 type string
  5 externalIPs list:string
  7 sessionAffinity string
  8 loadBalancerIP string
  9 loadBalancerSourceRanges list:string
  10 externalName string
  11 externalTrafficPolicy string
  12 healthCheckNodePort int32
  13 publishNotReadyAddresses bool
  14 sessionAffinityConfig SessionAffinityConfig pointer
  19 ipFamilies list:string
  17 ipFamilyPolicy string pointer
  20 allocateLoadBalancerNodePorts bool pointer
  21 loadBalancerClass string pointer
  22 internalTrafficPolicy string pointer
  23 trafficDistribution string pointer
ServicePort
  1 name string
  2 protocol string default=TCP
  6 appProtocol string pointer
  3 port int32 required always
  4 targetPort int-or-string
  5 nodePort int32
SessionAffinityConfig
  1 clientIP ClientIPConfig pointer
ClientIPConfig
  1 timeoutSeconds int32 pointer
ServiceStatus
  1 loadBalancer LoadBalancerStatus
  2 conditions list:meta.v1.Condition merge=type keys=type
LoadBalancerStatus
  1 ingress list:LoadBalancerIngress
LoadBalancerIngress
  1 ip string
  2 hostname string
  3 ipMode string pointer
  4 ports list:PortStatus
PortStatus
  1 port int32 required always
  2 protocol string required always
  3 error string pointer
Endpoints
  1 metadata meta.v1.ObjectMeta
  2 subsets list:EndpointSubset
EndpointSubset
  1 addresses list:EndpointAddress
  2 notReadyAddresses list:EndpointAddress
  3 ports list:EndpointPort
EndpointAddress atomic
  1 ip string required always
  3 hostname string
  4 nodeName string pointer
  2 targetRef ObjectReference pointer
EndpointPort atomic
  1 name string
  2 port int32 required always
  3 protocol string
  4 appProtocol string pointer
package meta.v1
Condition
  1 type string required always
  2 status string required always
  3 observedGeneration int64
  4 lastTransitionTime time required always
  5 reason string required always
  6 message string required always
`;
