/** StatefulSet. Pure; Kubernetes' words and paths. */
import type { StatefulSetSpec } from '../../kube/api/apps-v1.js';
import { deepEqual } from '../../kube/json.js';
import { type FieldError, forbiddenField, invalid, required } from '../errors.js';
import { countOrPercent } from '../field-checks.js';
import { choice, notNegative } from '../pod/validate.js';
import { validateFit, validateLastingTemplate, validateSelector } from './validate-template.js';

export function validateStatefulSet(spec: StatefulSetSpec): FieldError[] {
  const { podManagementPolicy, persistentVolumeClaimRetentionPolicy: retention } = spec;
  const claims = (spec.volumeClaimTemplates ?? []).map(({ metadata }) => metadata?.name ?? '');
  return [
    ...(['OrderedReady', 'Parallel'].includes(podManagementPolicy ?? '')
      ? []
      : [invalid('spec.podManagementPolicy', podManagementPolicy, "must be 'OrderedReady' or 'Parallel'")]),
    ...validateUpdateStrategy(spec),
    ...choice('spec.persistentVolumeClaimRetentionPolicy.whenDeleted', retention?.whenDeleted, ['Retain', 'Delete']),
    ...choice('spec.persistentVolumeClaimRetentionPolicy.whenScaled', retention?.whenScaled, ['Retain', 'Delete']),
    ...notNegative('spec.replicas', spec.replicas),
    ...notNegative('spec.minReadySeconds', spec.minReadySeconds),
    ...notNegative('spec.revisionHistoryLimit', spec.revisionHistoryLimit),
    ...notNegative('spec.ordinals.start', spec.ordinals?.start),
    ...validateSelector(spec.selector, 'spec.selector', 'statefulset'),
    ...claims.flatMap((name, i) => (name ? [] : [required(`spec.volumeClaimTemplates[${i}].metadata.name`)])),
    ...validateFit(spec.selector, spec.template, 'spec.template'),
    ...validateLastingTemplate(spec.template, 'spec.template', 'StatefulSet', claims),
  ];
}

function validateUpdateStrategy({ updateStrategy = {} }: StatefulSetSpec): FieldError[] {
  const path = 'spec.updateStrategy';
  const { type, rollingUpdate } = updateStrategy;
  switch (type) {
    case 'OnDelete':
      return rollingUpdate
        ? [invalid(`${path}.rollingUpdate`, rollingUpdate, "only allowed for updateStrategy 'RollingUpdate'")]
        : [];
    case 'RollingUpdate':
      return [
        ...notNegative(`${path}.rollingUpdate.partition`, rollingUpdate?.partition),
        ...countOrPercent(`${path}.rollingUpdate.maxUnavailable`, rollingUpdate?.maxUnavailable),
      ];
    default:
      return [invalid(path, updateStrategy, "must be 'RollingUpdate' or 'OnDelete'")];
  }
}

const changeable = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
] as const;

export function validateStatefulSetUpdate(next: StatefulSetSpec, old: StatefulSetSpec): FieldError[] {
  return deepEqual(fixedPart(next), fixedPart(old))
    ? []
    : [
        forbiddenField(
          'spec',
          "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
        ),
      ];
}

const fixedPart = (spec: StatefulSetSpec): unknown =>
  Object.fromEntries(Object.entries(spec).filter(([field]) => !(changeable as readonly string[]).includes(field)));
