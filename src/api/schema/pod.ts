/** core/v1 Pod and PodSpec. */
export const podTypes = `
package core.v1
Pod
  1 metadata meta.v1.ObjectMeta
  2 spec PodSpec
  3 status PodStatus
PodSpec
  1 volumes list:Volume merge=name retainKeys keys=name
  20 initContainers list:Container merge=name keys=name
  2 containers list:Container required always merge=name keys=name
  34 ephemeralContainers list:EphemeralContainer merge=name keys=name
  3 restartPolicy string
  4 terminationGracePeriodSeconds int64 pointer
  5 activeDeadlineSeconds int64 pointer
  6 dnsPolicy string
  7 nodeSelector map:string atomic
  8 serviceAccountName string
  9 serviceAccount string
  21 automountServiceAccountToken bool pointer
  10 nodeName string
  11 hostNetwork bool
  12 hostPID bool
  13 hostIPC bool
  27 shareProcessNamespace bool pointer
  14 securityContext PodSecurityContext pointer
  15 imagePullSecrets list:LocalObjectReference merge=name keys=name
  16 hostname string
  17 subdomain string
  18 affinity Affinity pointer
  19 schedulerName string
  22 tolerations list:Toleration
  23 hostAliases list:HostAlias merge=ip keys=ip
  24 priorityClassName string
  25 priority int32 pointer
  26 dnsConfig PodDNSConfig pointer
  28 readinessGates list:PodReadinessGate
  29 runtimeClassName string pointer
  30 enableServiceLinks bool pointer
  31 preemptionPolicy string pointer
  32 overhead map:quantity
  33 topologySpreadConstraints list:TopologySpreadConstraint merge=topologyKey keys=topologyKey+whenUnsatisfiable
  35 setHostnameAsFQDN bool pointer
  36 os PodOS pointer
  37 hostUsers bool pointer
  38 schedulingGates list:PodSchedulingGate merge=name keys=name
  39 resourceClaims list:PodResourceClaim merge=name retainKeys keys=name
  40 resources ResourceRequirements pointer
  41 hostnameOverride string pointer
  42 workloadRef WorkloadReference pointer
PodSecurityContext
  1 seLinuxOptions SELinuxOptions pointer
  8 windowsOptions WindowsSecurityContextOptions pointer
  2 runAsUser int64 pointer
  6 runAsGroup int64 pointer
  3 runAsNonRoot bool pointer
  4 supplementalGroups list:int64
  12 supplementalGroupsPolicy string pointer
  5 fsGroup int64 pointer
  7 sysctls list:Sysctl
  9 fsGroupChangePolicy string pointer
  10 seccompProfile SeccompProfile pointer
  11 appArmorProfile AppArmorProfile pointer
  13 seLinuxChangePolicy string pointer
Sysctl
  1 name string required always
  2 value string required always
Affinity
  1 nodeAffinity NodeAffinity pointer
  2 podAffinity PodAffinity pointer
  3 podAntiAffinity PodAntiAffinity pointer
NodeAffinity
  1 requiredDuringSchedulingIgnoredDuringExecution NodeSelector pointer
  2 preferredDuringSchedulingIgnoredDuringExecution list:PreferredSchedulingTerm
PreferredSchedulingTerm
  1 weight int32 required always
  2 preference NodeSelectorTerm required always
PodAffinity
  1 requiredDuringSchedulingIgnoredDuringExecution list:PodAffinityTerm
  2 preferredDuringSchedulingIgnoredDuringExecution list:WeightedPodAffinityTerm
PodAffinityTerm
  1 labelSelector meta.v1.LabelSelector pointer
  2 namespaces list:string
  3 topologyKey string required always
  4 namespaceSelector meta.v1.LabelSelector pointer
  5 matchLabelKeys list:string
  6 mismatchLabelKeys list:string
WeightedPodAffinityTerm
  1 weight int32 required always
  2 podAffinityTerm PodAffinityTerm required always
PodAntiAffinity
  1 requiredDuringSchedulingIgnoredDuringExecution list:PodAffinityTerm
  2 preferredDuringSchedulingIgnoredDuringExecution list:WeightedPodAffinityTerm
HostAlias
  1 ip string required always
  2 hostnames list:string
PodDNSConfig
  1 nameservers list:string
  2 searches list:string
  3 options list:PodDNSConfigOption
PodDNSConfigOption
  1 name string
  2 value string pointer
PodReadinessGate
  1 conditionType string required always
TopologySpreadConstraint
  1 maxSkew int32 required always
  2 topologyKey string required always
  3 whenUnsatisfiable string required always
  4 labelSelector meta.v1.LabelSelector pointer
  5 minDomains int32 pointer
  6 nodeAffinityPolicy string pointer
  7 nodeTaintsPolicy string pointer
  8 matchLabelKeys list:string
PodOS
  1 name string required always
PodSchedulingGate
  1 name string required always
PodResourceClaim
  1 name string required always
  3 resourceClaimName string pointer
  4 resourceClaimTemplateName string pointer
WorkloadReference
  1 name string required always
  2 podGroup string required always
  3 podGroupReplicaKey string
`;
