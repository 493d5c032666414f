/** batch/v1. */
export const batchTypes = `
package batch.v1
Job
  1 metadata meta.v1.ObjectMeta
  2 spec JobSpec
  3 status JobStatus
JobSpec
  1 parallelism int32 pointer
  2 completions int32 pointer
  3 activeDeadlineSeconds int64 pointer
  11 podFailurePolicy PodFailurePolicy pointer
  16 successPolicy SuccessPolicy pointer
  7 backoffLimit int32 pointer
  12 backoffLimitPerIndex int32 pointer
  13 maxFailedIndexes int32 pointer
  4 selector meta.v1.LabelSelector pointer
  5 manualSelector bool pointer
  6 template core.v1.PodTemplateSpec required always
  8 ttlSecondsAfterFinished int32 pointer
  9 completionMode string pointer
  10 suspend bool pointer
  14 podReplacementPolicy string pointer
  15 managedBy string pointer
PodFailurePolicy
  1 rules list:PodFailurePolicyRule required always
PodFailurePolicyRule
  1 action string required always
  2 onExitCodes PodFailurePolicyOnExitCodesRequirement pointer
  3 onPodConditions list:PodFailurePolicyOnPodConditionsPattern
PodFailurePolicyOnExitCodesRequirement
  1 containerName string pointer
  2 operator string required always
  3 values list:int32 required always set
PodFailurePolicyOnPodConditionsPattern
  1 type string required always
  2 status string always
SuccessPolicy
  1 rules list:SuccessPolicyRule required always
SuccessPolicyRule
  1 succeededIndexes string pointer
  2 succeededCount int32 pointer
JobStatus
  1 conditions list:JobCondition merge=type
  2 startTime time pointer
  3 completionTime time pointer
  4 active int32
  5 succeeded int32
  6 failed int32
  11 terminating int32 pointer
  7 completedIndexes string
  10 failedIndexes string pointer
  8 uncountedTerminatedPods UncountedTerminatedPods pointer
  9 ready int32 pointer
JobCondition
  1 type string required always
  2 status string required always
  3 lastProbeTime time
  4 lastTransitionTime time
  5 reason string
  6 message string
UncountedTerminatedPods
  1 succeeded list:string set
  2 failed list:string set
CronJob
  1 metadata meta.v1.ObjectMeta
  2 spec CronJobSpec
  3 status CronJobStatus
CronJobSpec
  1 schedule string required always
  8 timeZone string pointer
  2 startingDeadlineSeconds int64 pointer
  3 concurrencyPolicy string
  4 suspend bool pointer
  5 jobTemplate JobTemplateSpec required always
  6 successfulJobsHistoryLimit int32 pointer
  7 failedJobsHistoryLimit int32 pointer
JobTemplateSpec
  1 metadata meta.v1.ObjectMeta
  2 spec JobSpec
CronJobStatus
  1 active list:core.v1.ObjectReference
  4 lastScheduleTime time pointer
  5 lastSuccessfulTime time pointer
`;
