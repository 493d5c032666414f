/** CronJob. Pure; Kubernetes' words and paths. */
import type { CronJob } from '../../kube/api/batch-v1.js';
import { scheduleProblem, timeZoneProblem } from '../../kube/cron.js';
import { type FieldError, invalid, required } from '../errors.js';
import { choice, notNegative, problem } from '../pod/validate.js';
import { validateJobSpec } from './validate-job.js';

/** The Jobs' names are the CronJob's with a minute behind, and have to stay a label's value. */
const nameLimit = 52;

export function validateCronJob({ metadata, spec }: CronJob): FieldError[] {
  if (!spec) return [required('spec')];
  const { schedule, timeZone, jobTemplate } = spec;
  return [
    ...(metadata.name.length > nameLimit
      ? [invalid('metadata.name', metadata.name, `must be no more than ${nameLimit} characters`)]
      : []),
    ...(schedule ? problem('spec.schedule', schedule, scheduleProblem(schedule)) : [required('spec.schedule')]),
    ...(timeZone !== undefined ? problem('spec.timeZone', timeZone, timeZoneProblem(timeZone)) : []),
    ...notNegative('spec.startingDeadlineSeconds', spec.startingDeadlineSeconds),
    ...choice('spec.concurrencyPolicy', spec.concurrencyPolicy, ['Allow', 'Forbid', 'Replace']),
    ...(jobTemplate.spec ? validateJobSpec(jobTemplate.spec, 'spec.jobTemplate.spec') : []),
    ...notNegative('spec.successfulJobsHistoryLimit', spec.successfulJobsHistoryLimit),
    ...notNegative('spec.failedJobsHistoryLimit', spec.failedJobsHistoryLimit),
  ];
}
