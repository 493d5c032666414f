/** PriorityClasses: the two of the system, what their values may be, and which one a pod gets. */
import type { PriorityClass } from '../../kube/api/scheduling-v1.js';
import { type FieldError, forbiddenField } from '../errors.js';
import { immutable } from '../field-checks.js';
import { choice } from '../pod/validate.js';

/** The highest that users may give; what is above is the system's. */
const highestUserPriority = 1_000_000_000;
const systemPrefix = 'system-';

export const systemPriorityClasses = [
  {
    metadata: { name: 'system-cluster-critical' },
    value: 2_000_000_000,
    description:
      'Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.',
  },
  {
    metadata: { name: 'system-node-critical' },
    value: 2_000_001_000,
    description: 'Used for system critical pods that must not be moved from their current node.',
  },
] as const;

export function validatePriorityClass({ metadata, value, preemptionPolicy }: PriorityClass): FieldError[] {
  const known = systemPriorityClasses.find(({ metadata: { name } }) => name === metadata.name);
  return [
    ...(metadata.name.startsWith(systemPrefix) && known?.value !== value
      ? [forbiddenField('metadata.name', "priority class names with 'system-' prefix are reserved for system use only")]
      : []),
    ...(value > highestUserPriority && !metadata.name.startsWith(systemPrefix)
      ? [forbiddenField('value', `maximum allowed value of a user defined priority is ${highestUserPriority}`)]
      : []),
    ...choice('preemptionPolicy', preemptionPolicy, ['Never', 'PreemptLowerPriority']),
  ];
}

export function validatePriorityClassUpdate(next: PriorityClass, old: PriorityClass): FieldError[] {
  return [
    ...(next.value === old.value ? [] : [forbiddenField('value', 'may not be changed in an update.')]),
    ...immutable('preemptionPolicy', next.preemptionPolicy, old.preemptionPolicy),
  ];
}
