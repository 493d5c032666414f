/** core/v1 containers, probes, environment, security. */
export const containerTypes = `
package core.v1
Container
  1 name string required always
  2 image string
  3 command list:string
  4 args list:string
  5 workingDir string
  6 ports list:ContainerPort merge=containerPort keys=containerPort+protocol
  19 envFrom list:EnvFromSource
  7 env list:EnvVar merge=name keys=name
  8 resources ResourceRequirements
  23 resizePolicy list:ContainerResizePolicy
  24 restartPolicy string pointer
  25 restartPolicyRules list:ContainerRestartRule
  9 volumeMounts list:VolumeMount merge=mountPath keys=mountPath
  21 volumeDevices list:VolumeDevice merge=devicePath keys=devicePath
  10 livenessProbe Probe pointer
  11 readinessProbe Probe pointer
  22 startupProbe Probe pointer
  12 lifecycle Lifecycle pointer
  13 terminationMessagePath string
  20 terminationMessagePolicy string
  14 imagePullPolicy string
  15 securityContext SecurityContext pointer
  16 stdin bool
  17 stdinOnce bool
  18 tty bool
ContainerPort
  1 name string
  2 hostPort int32
  3 containerPort int32 required always
  4 protocol string default=TCP
  5 hostIP string
EnvFromSource
  1 prefix string
  2 configMapRef ConfigMapEnvSource pointer
  3 secretRef SecretEnvSource pointer
ConfigMapEnvSource
  1 localObjectReference LocalObjectReference inline
  2 optional bool pointer
SecretEnvSource
  1 localObjectReference LocalObjectReference inline
  2 optional bool pointer
EnvVar
  1 name string required always
  2 value string
  3 valueFrom EnvVarSource pointer
EnvVarSource
  1 fieldRef ObjectFieldSelector pointer
  2 resourceFieldRef ResourceFieldSelector pointer
  3 configMapKeyRef ConfigMapKeySelector pointer
  4 secretKeyRef SecretKeySelector pointer
  5 fileKeyRef FileKeySelector pointer
ConfigMapKeySelector atomic
  1 localObjectReference LocalObjectReference inline
  2 key string required always
  3 optional bool pointer
SecretKeySelector atomic
  1 localObjectReference LocalObjectReference inline
  2 key string required always
  3 optional bool pointer
FileKeySelector atomic
  1 volumeName string required always
  2 path string required always
  3 key string required always
  4 optional bool pointer default=False
ResourceRequirements
  1 limits map:quantity
  2 requests map:quantity
  3 claims list:ResourceClaim keys=name
ResourceClaim
  1 name string required always
  2 request string
ContainerResizePolicy
  1 resourceName string required always
  2 restartPolicy string required always
ContainerRestartRule
  1 action string required
  2 exitCodes ContainerRestartRuleOnExitCodes pointer
ContainerRestartRuleOnExitCodes
  1 operator string required
  2 values list:int32 set
Probe
  1 handler ProbeHandler inline
  2 initialDelaySeconds int32
  3 timeoutSeconds int32
  4 periodSeconds int32
  5 successThreshold int32
  6 failureThreshold int32
  7 terminationGracePeriodSeconds int64 pointer
ProbeHandler
  1 exec ExecAction pointer
  2 httpGet HTTPGetAction pointer
  3 tcpSocket TCPSocketAction pointer
  4 grpc GRPCAction pointer
ExecAction
  1 command list:string
HTTPGetAction
  1 path string
  2 port int-or-string required always
  3 host string
  4 scheme string
  5 httpHeaders list:HTTPHeader
HTTPHeader
  1 name string required always
  2 value string required always
TCPSocketAction
  1 port int-or-string required always
  2 host string
GRPCAction
  1 port int32 required always
  2 service string pointer always default=
Lifecycle
  1 postStart LifecycleHandler pointer
  2 preStop LifecycleHandler pointer
  3 stopSignal string pointer
LifecycleHandler
  1 exec ExecAction pointer
  2 httpGet HTTPGetAction pointer
  3 tcpSocket TCPSocketAction pointer
  4 sleep SleepAction pointer
SleepAction
  1 seconds int64 required always
SecurityContext
  1 capabilities Capabilities pointer
  2 privileged bool pointer
  3 seLinuxOptions SELinuxOptions pointer
  10 windowsOptions WindowsSecurityContextOptions pointer
  4 runAsUser int64 pointer
  8 runAsGroup int64 pointer
  5 runAsNonRoot bool pointer
  6 readOnlyRootFilesystem bool pointer
  7 allowPrivilegeEscalation bool pointer
  9 procMount string pointer
  11 seccompProfile SeccompProfile pointer
  12 appArmorProfile AppArmorProfile pointer
Capabilities
  1 add list:string
  2 drop list:string
SELinuxOptions
  1 user string
  2 role string
  3 type string
  4 level string
WindowsSecurityContextOptions
  1 gmsaCredentialSpecName string pointer
  2 gmsaCredentialSpec string pointer
  3 runAsUserName string pointer
  4 hostProcess bool pointer
SeccompProfile
  1 type string required always
  2 localhostProfile string pointer
AppArmorProfile
  1 type string required always
  2 localhostProfile string pointer
EphemeralContainer
  1 ephemeralContainerCommon EphemeralContainerCommon inline
  2 targetContainerName string
EphemeralContainerCommon
  1 name string required always
  2 image string
  3 command list:string
  4 args list:string
  5 workingDir string
  6 ports list:ContainerPort merge=containerPort keys=containerPort+protocol
  19 envFrom list:EnvFromSource
  7 env list:EnvVar merge=name keys=name
  8 resources ResourceRequirements
  23 resizePolicy list:ContainerResizePolicy
  24 restartPolicy string pointer
  25 restartPolicyRules list:ContainerRestartRule
  9 volumeMounts list:VolumeMount merge=mountPath keys=mountPath
  21 volumeDevices list:VolumeDevice merge=devicePath keys=devicePath
  10 livenessProbe Probe pointer
  11 readinessProbe Probe pointer
  22 startupProbe Probe pointer
  12 lifecycle Lifecycle pointer
  13 terminationMessagePath string
  20 terminationMessagePolicy string
  14 imagePullPolicy string
  15 securityContext SecurityContext pointer
  16 stdin bool
  17 stdinOnce bool
  18 tty bool
`;
