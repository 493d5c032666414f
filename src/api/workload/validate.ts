/** Deployment, ReplicaSet, ReplicationController, DaemonSet. Pure; Kubernetes' words and paths. */
import type { DaemonSetSpec, DeploymentSpec, DeploymentStrategy, ReplicaSetSpec } from '../../kube/api/apps-v1.js';
import type { ReplicationControllerSpec } from '../../kube/api/core-v1.js';
import { type FieldError, forbiddenField, invalid, notSupported, required } from '../errors.js';
import { amountOf, atMost100Percent, countOrPercent } from '../field-checks.js';
import { notNegative } from '../pod/validate.js';
import { validateFit, validateLastingTemplate, validateSelector } from './validate-template.js';

export function validateDeployment(spec: DeploymentSpec): FieldError[] {
  const { minReadySeconds = 0, progressDeadlineSeconds, strategy } = spec;
  return [
    ...notNegative('spec.replicas', spec.replicas),
    ...validateReplicated(spec),
    ...(strategy ? validateStrategy(strategy, 'spec.strategy') : []),
    ...notNegative('spec.minReadySeconds', minReadySeconds),
    ...notNegative('spec.revisionHistoryLimit', spec.revisionHistoryLimit),
    ...notNegative('spec.progressDeadlineSeconds', progressDeadlineSeconds),
    ...(progressDeadlineSeconds !== undefined && progressDeadlineSeconds <= minReadySeconds
      ? [invalid('spec.progressDeadlineSeconds', progressDeadlineSeconds, 'must be greater than minReadySeconds')]
      : []),
  ];
}

/** Kubernetes says `deployment` and `ReplicaSet` for both kinds. */
function validateReplicated({ selector, template = {} }: Pick<ReplicaSetSpec, 'selector' | 'template'>): FieldError[] {
  return [
    ...validateSelector(selector, 'spec.selector', 'deployment'),
    ...validateFit(selector, template, 'spec.template'),
    ...validateLastingTemplate(template, 'spec.template', 'ReplicaSet'),
  ];
}

export function validateReplicaSet(spec: ReplicaSetSpec): FieldError[] {
  return [
    ...notNegative('spec.replicas', spec.replicas),
    ...notNegative('spec.minReadySeconds', spec.minReadySeconds),
    ...validateReplicated(spec),
  ];
}

export function validateReplicationController(spec: ReplicationControllerSpec): FieldError[] {
  const { selector = {}, template } = spec;
  return [
    ...notNegative('spec.minReadySeconds', spec.minReadySeconds),
    ...(Object.keys(selector).length === 0 ? [required('spec.selector')] : []),
    ...notNegative('spec.replicas', spec.replicas),
    ...(template
      ? [
          ...validateFit({ matchLabels: selector }, template, 'spec.template'),
          ...validateLastingTemplate(template, 'spec.template', 'ReplicationController'),
        ]
      : [required('spec.template')]),
  ];
}

function validateStrategy({ type, rollingUpdate }: DeploymentStrategy, path: string): FieldError[] {
  switch (type) {
    case 'Recreate':
      return rollingUpdate
        ? [forbiddenField(`${path}.rollingUpdate`, "may not be specified when strategy `type` is 'Recreate'")]
        : [];
    case 'RollingUpdate': {
      const { maxUnavailable, maxSurge } = rollingUpdate ?? {};
      const here = `${path}.rollingUpdate`;
      return [
        ...countOrPercent(`${here}.maxUnavailable`, maxUnavailable),
        ...countOrPercent(`${here}.maxSurge`, maxSurge),
        ...(amountOf(maxUnavailable) === 0 && amountOf(maxSurge) === 0
          ? [invalid(`${here}.maxUnavailable`, maxUnavailable, 'may not be 0 when `maxSurge` is 0')]
          : []),
        ...atMost100Percent(`${here}.maxUnavailable`, maxUnavailable),
      ];
    }
    default:
      return [notSupported(`${path}.type`, type, ['Recreate', 'RollingUpdate'])];
  }
}

export function validateDaemonSet(spec: DaemonSetSpec): FieldError[] {
  return [
    ...validateSelector(spec.selector, 'spec.selector', 'daemonset'),
    ...validateFit(spec.selector, spec.template, 'spec.template'),
    ...validateLastingTemplate(spec.template, 'spec.template', 'DaemonSet'),
    ...notNegative('spec.minReadySeconds', spec.minReadySeconds),
    ...validateDaemonUpdate(spec),
    ...notNegative('spec.revisionHistoryLimit', spec.revisionHistoryLimit),
  ];
}

function validateDaemonUpdate({ updateStrategy = {} }: DaemonSetSpec): FieldError[] {
  if (updateStrategy.type === 'OnDelete') return [];
  if (updateStrategy.type !== 'RollingUpdate')
    return [notSupported('spec.updateStrategy.type', updateStrategy.type, ['RollingUpdate', 'OnDelete'])];
  const { maxUnavailable, maxSurge } = updateStrategy.rollingUpdate ?? {};
  const path = 'spec.updateStrategy.rollingUpdate';
  const unavailable = amountOf(maxUnavailable) !== 0;
  const surge = amountOf(maxSurge) !== 0;
  return [
    ...countOrPercent(`${path}.maxUnavailable`, maxUnavailable),
    ...countOrPercent(`${path}.maxSurge`, maxSurge),
    ...atMost100Percent(`${path}.maxUnavailable`, maxUnavailable),
    ...atMost100Percent(`${path}.maxSurge`, maxSurge),
    ...(unavailable && surge
      ? [invalid(`${path}.maxSurge`, maxSurge, 'may not be set when maxUnavailable is non-zero')]
      : []),
    ...(!unavailable && !surge ? [required(`${path}.maxUnavailable`, 'cannot be 0 when maxSurge is 0')] : []),
  ];
}
