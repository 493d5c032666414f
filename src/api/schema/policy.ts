/** policy/v1. */
export const policyTypes = `
package policy.v1
PodDisruptionBudget
  1 metadata meta.v1.ObjectMeta
  2 spec PodDisruptionBudgetSpec
  3 status PodDisruptionBudgetStatus
PodDisruptionBudgetSpec
  1 minAvailable int-or-string pointer
  2 selector meta.v1.LabelSelector pointer replace
  3 maxUnavailable int-or-string pointer
  4 unhealthyPodEvictionPolicy string pointer
PodDisruptionBudgetStatus
  1 observedGeneration int64
  2 disruptedPods map:time
  3 disruptionsAllowed int32 required always
  4 currentHealthy int32 required always
  5 desiredHealthy int32 required always
  6 expectedPods int32 required always
  7 conditions list:meta.v1.Condition merge=type keys=type
`;
