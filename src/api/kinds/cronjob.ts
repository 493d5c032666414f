/** batch/v1 CronJob. */
import type { CronJob, CronJobSpec, JobSpec } from '../../kube/api/batch-v1.js';
import { age } from '../../kube/time.js';
import { ageColumn, booleanText, column, nameColumn, numberColumn } from '../columns.js';
import type { AnyObject, Kind } from '../kind.js';
import { selectorColumn, templateColumns } from '../workload/columns.js';
import { defaultTemplate } from '../workload/defaults.js';
import { validateCronJob } from '../workload/validate-cronjob.js';
import { statusSubresource } from './served.js';

const asCronJob = (object: AnyObject): CronJob => object as unknown as CronJob;
const specOf = (object: AnyObject): CronJobSpec => asCronJob(object).spec ?? ({} as CronJobSpec);

export const cronJob: Kind = {
  group: 'batch',
  version: 'v1',
  kind: 'CronJob',
  plural: 'cronjobs',
  singular: 'cronjob',
  namespaced: true,
  shortNames: ['cj'],
  categories: ['all'],
  type: 'batch.v1.CronJob',
  description: 'CronJob makes a Job at the times that a cron expression names.',
  hasStatus: true,
  subresources: [statusSubresource],
  columns: [
    nameColumn,
    column('Schedule', object => specOf(object).schedule ?? ''),
    column('Timezone', object => specOf(object).timeZone ?? '<none>'),
    column('Suspend', object => booleanText(specOf(object).suspend)),
    numberColumn('Active', object => asCronJob(object).status?.active?.length ?? 0),
    column('Last Schedule', (object, now) => {
      const last = asCronJob(object).status?.lastScheduleTime;
      return last ? age(last, now) : '<none>';
    }),
    ageColumn,
    ...templateColumns(object => specOf(object).jobTemplate?.spec?.template),
    selectorColumn(object => specOf(object).jobTemplate?.spec?.selector),
  ],
  defaults: object => {
    object.spec ??= {};
    const spec = specOf(object);
    spec.concurrencyPolicy ||= 'Allow';
    spec.suspend ??= false;
    spec.successfulJobsHistoryLimit ??= 3;
    spec.failedJobsHistoryLimit ??= 1;
    spec.jobTemplate ??= {} as CronJobSpec['jobTemplate'];
    spec.jobTemplate.spec ??= {} as JobSpec;
    spec.jobTemplate.spec.template ??= {};
    defaultTemplate(spec.jobTemplate.spec.template);
  },
  prepareCreate: object => {
    object.status = {};
  },
  validate: object => validateCronJob(asCronJob(object)),
};
