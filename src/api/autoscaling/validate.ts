/** HorizontalPodAutoscaler (autoscaling/v2). Pure; Kubernetes' words and paths. */
import type {
  HorizontalPodAutoscalerSpec,
  HPAScalingRules,
  MetricSpec,
  MetricTarget,
} from '../../kube/api/autoscaling-v2.js';
import { compareQuantities } from '../../kube/quantity.js';
import { type FieldError, invalid, notSupported, required } from '../errors.js';
import { between } from '../field-checks.js';
import { choice } from '../pod/validate.js';

export function validateAutoscaler(spec: HorizontalPodAutoscalerSpec): FieldError[] {
  const { minReplicas = 1, maxReplicas = 0, scaleTargetRef, metrics = [], behavior } = spec;
  return [
    ...(minReplicas < 1 ? [invalid('spec.minReplicas', minReplicas, 'must be greater than or equal to 1')] : []),
    ...(maxReplicas < 1 ? [invalid('spec.maxReplicas', maxReplicas, 'must be greater than 0')] : []),
    ...(maxReplicas < minReplicas
      ? [invalid('spec.maxReplicas', maxReplicas, 'must be greater than or equal to `minReplicas`')]
      : []),
    ...(['kind', 'name'] as const)
      .filter(field => !scaleTargetRef?.[field])
      .map(field => required(`spec.scaleTargetRef.${field}`)),
    ...metrics.flatMap((metric, i) => validateMetric(metric, `spec.metrics[${i}]`)),
    ...validateRules(behavior?.scaleUp, 'spec.behavior.scaleUp'),
    ...validateRules(behavior?.scaleDown, 'spec.behavior.scaleDown'),
  ];
}

const sources: Readonly<Record<string, 'containerResource' | 'external' | 'object' | 'pods' | 'resource'>> = {
  ContainerResource: 'containerResource',
  External: 'external',
  Object: 'object',
  Pods: 'pods',
  Resource: 'resource',
};

function validateMetric(metric: MetricSpec, path: string): FieldError[] {
  if (!metric.type) return [required(`${path}.type`, 'must specify a metric source type')];
  const field = sources[metric.type];
  if (!field) return [notSupported(`${path}.type`, metric.type, Object.keys(sources))];
  const source = metric[field];
  if (!source) return [required(`${path}.${field}`, 'must populate information for the given metric source')];
  const here = `${path}.${field}`;
  return [
    ...('name' in source && !source.name ? [required(`${here}.name`, 'must specify a resource name')] : []),
    ...('metric' in source && !source.metric?.name
      ? [required(`${here}.metric.name`, 'must specify a metric name')]
      : []),
    ...validateTarget(source.target ?? ({} as MetricTarget), field, `${here}.target`),
  ];
}

function validateTarget(target: MetricTarget, source: string, path: string): FieldError[] {
  const { type, value, averageValue, averageUtilization } = target;
  const positive = (field: string, quantity: string | undefined): FieldError[] =>
    quantity !== undefined && compareQuantities(quantity, '0') <= 0
      ? [invalid(`${path}.${field}`, quantity, 'must be positive')]
      : [];
  return [
    ...(type
      ? choice(`${path}.type`, type, ['Utilization', 'Value', 'AverageValue'])
      : [required(`${path}.type`, 'must specify a metric target type')]),
    ...positive('value', value),
    ...positive('averageValue', averageValue),
    ...(averageUtilization !== undefined && averageUtilization < 1
      ? [invalid(`${path}.averageUtilization`, averageUtilization, 'must be greater than 0')]
      : []),
    ...validateWanted(target, source, path),
  ];
}

/** Which of the three values the kind of metric needs. */
function validateWanted({ value, averageValue, averageUtilization }: MetricTarget, source: string, path: string) {
  switch (source) {
    case 'resource':
    case 'containerResource':
      if (averageUtilization === undefined && averageValue === undefined)
        return [required(`${path}.averageUtilization`, 'must set either a target raw value or a target utilization')];
      return averageUtilization !== undefined && averageValue !== undefined
        ? [
            invalid(
              `${path}.averageValue`,
              averageValue,
              'may not set both a target raw value and a target utilization',
            ),
          ]
        : [];
    case 'pods':
      return averageValue === undefined
        ? [required(`${path}.averageValue`, 'must specify a positive target averageValue')]
        : [];
    default:
      return value === undefined && averageValue === undefined
        ? [required(`${path}.averageValue`, 'must set either a target value for metric or a per-pod target')]
        : [];
  }
}

const hourInSeconds = 3600;
const policyLimitSeconds = 1800;

function validateRules(rules: HPAScalingRules | undefined, path: string): FieldError[] {
  if (!rules) return [];
  return [
    ...between(`${path}.stabilizationWindowSeconds`, rules.stabilizationWindowSeconds, 0, hourInSeconds),
    ...choice(`${path}.selectPolicy`, rules.selectPolicy, ['Disabled', 'Max', 'Min']),
    ...(rules.policies?.length ? [] : [required(`${path}.policies`, 'must specify at least one Policy')]),
    ...(rules.policies ?? []).flatMap(({ type, value, periodSeconds }, i) => [
      ...choice(`${path}.policies[${i}].type`, type, ['Percent', 'Pods']),
      ...(value <= 0 ? [invalid(`${path}.policies[${i}].value`, value, 'must be greater than zero')] : []),
      ...(periodSeconds <= 0
        ? [invalid(`${path}.policies[${i}].periodSeconds`, periodSeconds, 'must be greater than zero')]
        : []),
      ...(periodSeconds > policyLimitSeconds
        ? [
            invalid(
              `${path}.policies[${i}].periodSeconds`,
              periodSeconds,
              `must be less than or equal to ${policyLimitSeconds}`,
            ),
          ]
        : []),
    ]),
  ];
}
