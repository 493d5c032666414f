/** discovery.k8s.io/v1. */
export const discoveryTypes = `
package discovery.v1
EndpointSlice
  1 metadata meta.v1.ObjectMeta
  4 addressType string required always
  2 endpoints list:Endpoint required always
  3 ports list:EndpointPort always
Endpoint
  1 addresses list:string required always set
  2 conditions EndpointConditions
  3 hostname string pointer
  4 targetRef core.v1.ObjectReference pointer
  5 deprecatedTopology map:string
  6 nodeName string pointer
  7 zone string pointer
  8 hints EndpointHints pointer
EndpointConditions
  1 ready bool pointer
  2 serving bool pointer
  3 terminating bool pointer
EndpointHints
  1 forZones list:ForZone
  2 forNodes list:ForNode
ForZone
  1 name string required always
ForNode
  1 name string required always
EndpointPort atomic
  1 name string pointer
  2 protocol string pointer
  3 port int32 pointer
  4 appProtocol string pointer
`;
