/** networking.k8s.io/v1. */
export const networkingTypes = `
package networking.v1
Ingress
  1 metadata meta.v1.ObjectMeta
  2 spec IngressSpec
  3 status IngressStatus
IngressSpec
  4 ingressClassName string pointer
  1 defaultBackend IngressBackend pointer
  2 tls list:IngressTLS
  3 rules list:IngressRule
IngressBackend
  4 service IngressServiceBackend pointer
  3 resource core.v1.TypedLocalObjectReference pointer
IngressServiceBackend
  1 name string required always
  2 port ServiceBackendPort
ServiceBackendPort atomic
  1 name string
  2 number int32
IngressTLS
  1 hosts list:string
  2 secretName string
IngressRule
  1 host string
  2 ingressRuleValue IngressRuleValue inline
IngressRuleValue
  1 http HTTPIngressRuleValue pointer
HTTPIngressRuleValue
  1 paths list:HTTPIngressPath required always
HTTPIngressPath
  1 path string
  3 pathType string required pointer always
  2 backend IngressBackend required always
IngressStatus
  1 loadBalancer IngressLoadBalancerStatus
IngressLoadBalancerStatus
  1 ingress list:IngressLoadBalancerIngress
IngressLoadBalancerIngress
  1 ip string
  2 hostname string
  4 ports list:IngressPortStatus
IngressPortStatus
  1 port int32 required always
  2 protocol string required always
  3 error string pointer
IngressClass
  1 metadata meta.v1.ObjectMeta
  2 spec IngressClassSpec
IngressClassSpec
  1 controller string
  2 parameters IngressClassParametersReference pointer
IngressClassParametersReference
  1 apiGroup string pointer
  2 kind string required always
  3 name string required always
  4 scope string pointer always
  5 namespace string pointer
NetworkPolicy
  1 metadata meta.v1.ObjectMeta
  2 spec NetworkPolicySpec
NetworkPolicySpec
  1 podSelector meta.v1.LabelSelector always
  2 ingress list:NetworkPolicyIngressRule
  3 egress list:NetworkPolicyEgressRule
  4 policyTypes list:string
NetworkPolicyIngressRule
  1 ports list:NetworkPolicyPort
  2 from list:NetworkPolicyPeer
NetworkPolicyPort
  1 protocol string pointer
  2 port int-or-string pointer
  3 endPort int32 pointer
NetworkPolicyPeer
  1 podSelector meta.v1.LabelSelector pointer
  2 namespaceSelector meta.v1.LabelSelector pointer
  3 ipBlock IPBlock pointer
IPBlock
  1 cidr string required always
  2 except list:string
NetworkPolicyEgressRule
  1 ports list:NetworkPolicyPort
  2 to list:NetworkPolicyPeer
`;
