/** Job and the template of a CronJob. Pure; Kubernetes' words and paths. */
import type { Job, JobSpec } from '../../kube/api/batch-v1.js';
import type { PodTemplateSpec } from '../../kube/api/core-v1.js';
import { selects } from '../../kube/label-selector.js';
import { type FieldError, invalid, notSupported, required } from '../errors.js';
import { immutable, validateLabelSelector } from '../field-checks.js';
import { choice, notNegative } from '../pod/validate.js';
import { controllerUidLabel, jobNameLabel, legacyControllerUidLabel, legacyJobNameLabel } from './job-selector.js';
import { validateFailurePolicy, validateSuccessPolicy } from './validate-job-policies.js';
import { validateFit, validateTemplate } from './validate-template.js';

export function validateJob({ metadata, spec }: Job): FieldError[] {
  if (!spec) return [required('spec')];
  const { selector, manualSelector } = spec;
  const generated = {
    [controllerUidLabel]: metadata.uid ?? '',
    [jobNameLabel]: metadata.name,
    [legacyControllerUidLabel]: metadata.uid ?? '',
    [legacyJobNameLabel]: metadata.name,
  };
  return [
    ...(selector && !manualSelector && !selects(selector, generated)
      ? [invalid('spec.selector', selector, '`selector` not auto-generated')]
      : []),
    ...(selector ? validateLabelSelector(selector, 'spec.selector') : [required('spec.selector')]),
    ...validateFit(selector, spec.template, 'spec.template'),
    ...validateJobSpec(spec, 'spec'),
  ];
}

const maxIndexedParallelism = 100_000;
const maxIndexed = 2 ** 31 - 1;

/** @param path `spec` or `spec.jobTemplate.spec`. */
export function validateJobSpec(spec: JobSpec, path: string): FieldError[] {
  const indexed = spec.completionMode === 'Indexed';
  return [
    ...notNegative(`${path}.parallelism`, spec.parallelism),
    ...notNegative(`${path}.completions`, spec.completions),
    ...notNegative(`${path}.activeDeadlineSeconds`, spec.activeDeadlineSeconds),
    ...notNegative(`${path}.backoffLimit`, spec.backoffLimit),
    ...notNegative(`${path}.ttlSecondsAfterFinished`, spec.ttlSecondsAfterFinished),
    ...notNegative(`${path}.backoffLimitPerIndex`, spec.backoffLimitPerIndex),
    ...choice(`${path}.completionMode`, spec.completionMode, ['NonIndexed', 'Indexed']),
    ...choice(`${path}.podReplacementPolicy`, spec.podReplacementPolicy, ['TerminatingOrFailed', 'Failed']),
    ...(indexed && spec.completions === undefined
      ? [required(`${path}.completions`, 'when completion mode is Indexed')]
      : []),
    ...(indexed && (spec.parallelism ?? 0) > maxIndexedParallelism
      ? [
          invalid(
            `${path}.parallelism`,
            spec.parallelism,
            `must be less than or equal to ${maxIndexedParallelism} when completion mode is Indexed`,
          ),
        ]
      : []),
    ...(spec.backoffLimitPerIndex !== undefined && !indexed
      ? [invalid(`${path}.backoffLimitPerIndex`, spec.backoffLimitPerIndex, 'requires indexed completion mode')]
      : []),
    ...(spec.maxFailedIndexes !== undefined && spec.maxFailedIndexes > (spec.completions ?? maxIndexed)
      ? [invalid(`${path}.maxFailedIndexes`, spec.maxFailedIndexes, 'must be less than or equal to completions')]
      : []),
    ...validateFailurePolicy(spec, path),
    ...validateSuccessPolicy(spec, `${path}.successPolicy`),
    ...validateTemplate(spec.template, `${path}.template`),
    ...validateRestartPolicy(spec.template, `${path}.template.spec.restartPolicy`),
  ];
}

function validateRestartPolicy({ spec }: PodTemplateSpec, path: string): FieldError[] {
  const policy = spec?.restartPolicy;
  // `Always` is also what stands there when the author said nothing
  if (!policy || policy === 'Always') return [required(path, 'valid values: "OnFailure", "Never"')];
  return policy === 'OnFailure' || policy === 'Never' ? [] : [notSupported(path, policy, ['OnFailure', 'Never'])];
}

export function validateJobUpdate(next: Job, old: Job): FieldError[] {
  const { spec } = next;
  if (!spec || !old.spec) return [];
  // an indexed job may grow or shrink, if all its indexes run at once before and after
  const elastic = spec.completionMode === 'Indexed' && spec.completions === spec.parallelism;
  return [
    ...(elastic ? [] : immutable('spec.completions', spec.completions, old.spec.completions)),
    ...immutable('spec.selector', spec.selector, old.spec.selector),
    ...immutable('spec.template', templateFor(next, old), old.spec.template),
    ...immutable('spec.completionMode', spec.completionMode, old.spec.completionMode),
    ...immutable('spec.podFailurePolicy', spec.podFailurePolicy, old.spec.podFailurePolicy),
    ...immutable('spec.backoffLimitPerIndex', spec.backoffLimitPerIndex, old.spec.backoffLimitPerIndex),
    ...immutable('spec.managedBy', spec.managedBy, old.spec.managedBy),
    ...immutable('spec.successPolicy', spec.successPolicy, old.spec.successPolicy),
  ];
}

/** A job that waits suspended and never began may still be told where its pods shall run. */
function templateFor(next: Job, old: Job): PodTemplateSpec | undefined {
  const template = next.spec?.template;
  const before = old.spec?.template;
  if (!template?.spec || !before?.spec || !old.spec?.suspend || old.status?.startTime) return template;
  const spec = { ...template.spec };
  for (const field of ['nodeSelector', 'affinity', 'tolerations', 'schedulingGates'] as const) {
    const value = (before.spec as unknown as Record<string, unknown>)[field];
    if (value === undefined) delete (spec as unknown as Record<string, unknown>)[field];
    else Object.assign(spec, { [field]: value });
  }
  return { ...template, metadata: before.metadata ?? {}, spec };
}
