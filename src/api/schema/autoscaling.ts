/** autoscaling/v2, and what is left of v1: Scale, and the older HorizontalPodAutoscaler. */
export const autoscalingTypes = `
package autoscaling.v2
HorizontalPodAutoscaler
  1 metadata meta.v1.ObjectMeta
  2 spec HorizontalPodAutoscalerSpec
  3 status HorizontalPodAutoscalerStatus
HorizontalPodAutoscalerSpec
  1 scaleTargetRef CrossVersionObjectReference required always
  2 minReplicas int32 pointer
  3 maxReplicas int32 required always
  4 metrics list:MetricSpec
  5 behavior HorizontalPodAutoscalerBehavior pointer
CrossVersionObjectReference
  1 kind string required always
  2 name string required always
  3 apiVersion string
MetricSpec
  1 type string required always
  2 object ObjectMetricSource pointer
  3 pods PodsMetricSource pointer
  4 resource ResourceMetricSource pointer
  7 containerResource ContainerResourceMetricSource pointer
  5 external ExternalMetricSource pointer
ObjectMetricSource
  1 describedObject CrossVersionObjectReference required always
  2 target MetricTarget required always
  3 metric MetricIdentifier required always
MetricTarget
  1 type string required always
  2 value quantity pointer
  3 averageValue quantity pointer
  4 averageUtilization int32 pointer
MetricIdentifier
  1 name string required always
  2 selector meta.v1.LabelSelector pointer
PodsMetricSource
  1 metric MetricIdentifier required always
  2 target MetricTarget required always
ResourceMetricSource
  1 name string required always
  2 target MetricTarget required always
ContainerResourceMetricSource
  1 name string required always
  2 target MetricTarget required always
  3 container string required always
ExternalMetricSource
  1 metric MetricIdentifier required always
  2 target MetricTarget required always
HorizontalPodAutoscalerBehavior
  1 scaleUp HPAScalingRules pointer
  2 scaleDown HPAScalingRules pointer
HPAScalingRules
  3 stabilizationWindowSeconds int32 pointer
  1 selectPolicy string pointer
  2 policies list:HPAScalingPolicy
  4 tolerance quantity pointer
HPAScalingPolicy
  1 type string required always
  2 value int32 required always
  3 periodSeconds int32 required always
HorizontalPodAutoscalerStatus
  1 observedGeneration int64 pointer
  2 lastScaleTime time pointer
  3 currentReplicas int32
  4 desiredReplicas int32 required always
  5 currentMetrics list:MetricStatus always
  6 conditions list:HorizontalPodAutoscalerCondition merge=type keys=type
MetricStatus
  1 type string required always
  2 object ObjectMetricStatus pointer
  3 pods PodsMetricStatus pointer
  4 resource ResourceMetricStatus pointer
  7 containerResource ContainerResourceMetricStatus pointer
  5 external ExternalMetricStatus pointer
ObjectMetricStatus
  1 metric MetricIdentifier required always
  2 current MetricValueStatus required always
  3 describedObject CrossVersionObjectReference required always
MetricValueStatus
  1 value quantity pointer
  2 averageValue quantity pointer
  3 averageUtilization int32 pointer
PodsMetricStatus
  1 metric MetricIdentifier required always
  2 current MetricValueStatus required always
ResourceMetricStatus
  1 name string required always
  2 current MetricValueStatus required always
ContainerResourceMetricStatus
  1 name string required always
  2 current MetricValueStatus required always
  3 container string required always
ExternalMetricStatus
  1 metric MetricIdentifier required always
  2 current MetricValueStatus required always
HorizontalPodAutoscalerCondition
  1 type string required always
  2 status string required always
  3 lastTransitionTime time
  4 reason string
  5 message string
package autoscaling.v1
HorizontalPodAutoscaler
  1 metadata meta.v1.ObjectMeta
  2 spec HorizontalPodAutoscalerSpec
  3 status HorizontalPodAutoscalerStatus
HorizontalPodAutoscalerSpec
  1 scaleTargetRef CrossVersionObjectReference required always
  2 minReplicas int32 pointer
  3 maxReplicas int32 required always
  4 targetCPUUtilizationPercentage int32 pointer
CrossVersionObjectReference atomic
  1 kind string required always
  2 name string required always
  3 apiVersion string
HorizontalPodAutoscalerStatus
  1 observedGeneration int64 pointer
  2 lastScaleTime time pointer
  3 currentReplicas int32 required always
  4 desiredReplicas int32 required always
  5 currentCPUUtilizationPercentage int32 pointer
Scale
  1 metadata meta.v1.ObjectMeta
  2 spec ScaleSpec
  3 status ScaleStatus
ScaleSpec
  1 replicas int32 default=0
ScaleStatus
  1 replicas int32 required always
  2 selector string
`;
