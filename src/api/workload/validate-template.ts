/** Pod templates, and how a workload's selector has to fit its own. Pure. */
import type { PodTemplateSpec } from '../../kube/api/core-v1.js';
import type { LabelSelector } from '../../kube/api/meta-v1.js';
import { selects } from '../../kube/label-selector.js';
import { type FieldError, forbiddenField, invalid, notSupported, required } from '../errors.js';
import { isEmptySelector, validateLabelSelector } from '../field-checks.js';
import { validatePodSpec } from '../pod/validate.js';
import { validateAnnotations, validateLabels } from '../validate.js';

/** @param volumes names of volumes that the pods get beside the template's. */
export function validateTemplate(
  template: PodTemplateSpec,
  path: string,
  volumes: readonly string[] = [],
): FieldError[] {
  const { metadata = {}, spec } = template;
  return [
    ...validateLabels(`${path}.metadata.labels`, metadata.labels ?? {}),
    ...validateAnnotations(`${path}.metadata.annotations`, metadata.annotations ?? {}),
    ...(spec ? validatePodSpec(spec, `${path}.spec`, volumes) : [required(`${path}.spec`)]),
    ...((spec as { ephemeralContainers?: unknown[] } | undefined)?.ephemeralContainers?.length
      ? [forbiddenField(`${path}.spec.ephemeralContainers`, 'ephemeral containers not allowed in pod template')]
      : []),
  ];
}

/** For whatever keeps its pods running: they restart always and have no deadline. @param kind for the message. */
export function validateLastingTemplate(
  template: PodTemplateSpec,
  path: string,
  kind: string,
  volumes: readonly string[] = [],
): FieldError[] {
  const { restartPolicy, activeDeadlineSeconds } = template.spec ?? {};
  return [
    ...validateTemplate(template, path, volumes),
    ...(restartPolicy !== undefined && restartPolicy !== 'Always'
      ? [notSupported(`${path}.spec.restartPolicy`, restartPolicy, ['Always'])]
      : []),
    ...(activeDeadlineSeconds !== undefined
      ? [forbiddenField(`${path}.spec.activeDeadlineSeconds`, `activeDeadlineSeconds in ${kind} is not Supported`)]
      : []),
  ];
}

/** @param emptyFor the word of the message for a selector that would select everything. */
export function validateSelector(selector: LabelSelector | undefined, path: string, emptyFor: string): FieldError[] {
  if (!selector) return [required(path)];
  return [
    ...validateLabelSelector(selector, path),
    ...(isEmptySelector(selector) ? [invalid(path, selector, `empty selector is invalid for ${emptyFor}`)] : []),
  ];
}

export function validateFit(
  selector: LabelSelector | undefined,
  template: PodTemplateSpec,
  path: string,
): FieldError[] {
  const labels = template.metadata?.labels;
  return selector && !selects(selector, labels)
    ? [invalid(`${path}.metadata.labels`, labels, '`selector` does not match template `labels`')]
    : [];
}
