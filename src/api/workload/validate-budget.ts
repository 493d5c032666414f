/** PodDisruptionBudget. Pure; Kubernetes' words and paths. */
import type { PodDisruptionBudgetSpec } from '../../kube/api/policy-v1.js';
import { type FieldError, invalid } from '../errors.js';
import { atMost100Percent, countOrPercent, validateLabelSelector } from '../field-checks.js';
import { choice } from '../pod/validate.js';

export function validateBudget(spec: PodDisruptionBudgetSpec): FieldError[] {
  const { minAvailable, maxUnavailable } = spec;
  return [
    ...(minAvailable !== undefined && maxUnavailable !== undefined
      ? [invalid('spec', spec, 'minAvailable and maxUnavailable cannot be both set')]
      : []),
    ...countOrPercent('spec.minAvailable', minAvailable),
    ...atMost100Percent('spec.minAvailable', minAvailable),
    ...countOrPercent('spec.maxUnavailable', maxUnavailable),
    ...atMost100Percent('spec.maxUnavailable', maxUnavailable),
    ...validateLabelSelector(spec.selector, 'spec.selector'),
    ...choice('spec.unhealthyPodEvictionPolicy', spec.unhealthyPodEvictionPolicy, ['AlwaysAllow', 'IfHealthyBudget']),
  ];
}
