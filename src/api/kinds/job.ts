/** batch/v1 Job. */
import type { Job, JobSpec } from '../../kube/api/batch-v1.js';
import { humanDuration, parseTime } from '../../kube/time.js';
import { ageColumn, column, nameColumn } from '../columns.js';
import type { AnyObject, Kind } from '../kind.js';
import { selectorColumn, templateColumns } from '../workload/columns.js';
import { defaultTemplate } from '../workload/defaults.js';
import { generateJobSelector } from '../workload/job-selector.js';
import { validateJob, validateJobUpdate } from '../workload/validate-job.js';
import { statusSubresource } from './served.js';

const asJob = (object: AnyObject): Job => object as unknown as Job;
const specOf = (object: AnyObject): JobSpec => asJob(object).spec ?? ({} as JobSpec);

export const job: Kind = {
  group: 'batch',
  version: 'v1',
  kind: 'Job',
  plural: 'jobs',
  singular: 'job',
  namespaced: true,
  categories: ['all'],
  type: 'batch.v1.Job',
  description: 'Job runs pods until so many of them have succeeded.',
  hasStatus: true,
  subresources: [statusSubresource],
  columns: [
    nameColumn,
    column('Status', object => statusText(asJob(object))),
    column('Completions', object => completionsText(asJob(object))),
    column('Duration', (object, now) => durationText(asJob(object), now)),
    ageColumn,
    ...templateColumns(object => specOf(object).template),
    selectorColumn(object => specOf(object).selector),
  ],
  defaults: object => {
    object.spec ??= {};
    const spec = specOf(object);
    defaultJobSpec(spec);
    const labels = spec.template.metadata?.labels;
    if (labels && Object.keys(object.metadata.labels ?? {}).length === 0) object.metadata.labels = { ...labels };
  },
  prepareCreate: object => {
    generateJobSelector(asJob(object));
    object.status = {};
  },
  validate: object => validateJob(asJob(object)),
  validateUpdate: (next, old) => validateJobUpdate(asJob(next), asJob(old)),
  fieldLabels: { 'status.successful': object => String(asJob(object).status?.succeeded ?? 0) },
};

const maxInt32 = 2 ** 31 - 1;

function defaultJobSpec(spec: JobSpec): void {
  if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1;
  spec.parallelism ??= 1;
  spec.backoffLimit ??= spec.backoffLimitPerIndex === undefined ? 6 : maxInt32;
  spec.completionMode ??= 'NonIndexed';
  spec.suspend ??= false;
  spec.manualSelector ??= false;
  spec.podReplacementPolicy ??= spec.podFailurePolicy ? 'Failed' : 'TerminatingOrFailed';
  for (const rule of spec.podFailurePolicy?.rules ?? [])
    for (const condition of rule.onPodConditions ?? []) condition.status ||= 'True';
  spec.template ??= {};
  defaultTemplate(spec.template);
}

function statusText({ metadata, status }: Job): string {
  const is = (type: string) => status?.conditions?.some(item => item.type === type && item.status === 'True');
  if (is('Complete')) return 'Complete';
  if (is('Failed')) return 'Failed';
  if (metadata.deletionTimestamp) return 'Terminating';
  return ['Suspended', 'FailureTarget', 'SuccessCriteriaMet'].find(is) ?? 'Running';
}

function completionsText({ spec, status }: Job): string {
  const succeeded = status?.succeeded ?? 0;
  if (spec?.completions !== undefined) return `${succeeded}/${spec.completions}`;
  const parallelism = spec?.parallelism ?? 0;
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`;
}

function durationText({ status }: Job, now: number): string {
  const start = parseTime(status?.startTime ?? '');
  if (start === undefined) return '';
  return humanDuration((parseTime(status?.completionTime ?? '') ?? now) - start);
}
