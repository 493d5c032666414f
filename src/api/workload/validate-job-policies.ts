/** podFailurePolicy and successPolicy of a Job. Pure; Kubernetes' words and paths. */
import type { JobSpec, PodFailurePolicyRule, SuccessPolicyRule } from '../../kube/api/batch-v1.js';
import { qualifiedNameProblems } from '../../kube/names.js';
import { duplicate, type FieldError, invalid, required } from '../errors.js';
import { choice, notNegative } from '../pod/validate.js';

/** @param path of the Job's spec */
export function validateFailurePolicy(spec: JobSpec, path: string): FieldError[] {
  if (!spec.podFailurePolicy) return [];
  const restartPolicy = spec.template.spec?.restartPolicy;
  const why = 'only "Never" is supported when podFailurePolicy is specified';
  return [
    ...(restartPolicy === 'Never' ? [] : [invalid(`${path}.template.spec.restartPolicy`, restartPolicy, why)]),
    ...(spec.podFailurePolicy.rules ?? []).flatMap((rule, i) =>
      validateRule(spec, rule, `${path}.podFailurePolicy.rules[${i}]`),
    ),
  ];
}

function validateRule(spec: JobSpec, rule: PodFailurePolicyRule, path: string): FieldError[] {
  const { action, onExitCodes, onPodConditions = [] } = rule;
  const actions = ['Count', 'FailIndex', 'FailJob', 'Ignore'];
  return [
    ...(action ? choice(`${path}.action`, action, actions) : [required(`${path}.action`)]),
    ...(action === 'FailIndex' && spec.backoffLimitPerIndex === undefined
      ? [invalid(`${path}.action`, action, 'requires the backoffLimitPerIndex to be set')]
      : []),
    ...(onExitCodes ? validateExitCodes(spec, onExitCodes, `${path}.onExitCodes`) : []),
    ...onPodConditions.flatMap(({ type, status }, i) => {
      const here = `${path}.onPodConditions[${i}]`;
      return [
        ...qualifiedNameProblems(type).map(why => invalid(`${here}.type`, type, why)),
        ...choice(`${here}.status`, status, ['False', 'True', 'Unknown']),
      ];
    }),
    ...oneOfBoth(onExitCodes !== undefined, onPodConditions.length > 0, path),
  ];
}

function oneOfBoth(codes: boolean, conditions: boolean, path: string): FieldError[] {
  if (codes !== conditions) return [];
  const why = codes
    ? 'specifying both OnExitCodes and OnPodConditions is not supported'
    : 'specifying one of OnExitCodes and OnPodConditions is required';
  return [invalid(path, '{}', why)];
}

type ExitCodes = NonNullable<PodFailurePolicyRule['onExitCodes']>;

function validateExitCodes(spec: JobSpec, { containerName, operator, values = [] }: ExitCodes, path: string) {
  const { containers = [], initContainers = [] } = spec.template.spec ?? {};
  const known = [...containers, ...initContainers].some(({ name }) => name === containerName);
  const unknown = 'must be one of the container or initContainer names in the pod template';
  return [
    ...choice(`${path}.operator`, operator, ['In', 'NotIn']),
    ...(containerName === undefined || known ? [] : [invalid(`${path}.containerName`, containerName, unknown)]),
    ...(values.length === 0 ? [invalid(`${path}.values`, values, 'at least one value is required')] : []),
    ...(values.length > 255 ? [invalid(`${path}.values`, values.length, 'must be at most 255 values')] : []),
    ...values.flatMap((value, i) => {
      if (operator === 'In' && value === 0)
        return [invalid(`${path}.values[${i}]`, 0, 'must not be 0 for the In operator')];
      return values.indexOf(value) < i ? [duplicate(`${path}.values[${i}]`, value)] : [];
    }),
  ];
}

/** @param path of the policy */
export function validateSuccessPolicy(spec: JobSpec, path: string): FieldError[] {
  if (!spec.successPolicy) return [];
  if (spec.completionMode !== 'Indexed') return [invalid(path, spec.successPolicy, 'requires indexed completion mode')];
  const rules = spec.successPolicy.rules ?? [];
  if (rules.length === 0)
    return [required(`${path}.rules`, 'at least one rules must be specified when the successPolicy is specified')];
  return rules.flatMap((rule, i) => validateSuccessRule(rule, spec.completions ?? 0, `${path}.rules[${i}]`));
}

function validateSuccessRule(
  { succeededCount, succeededIndexes }: SuccessPolicyRule,
  completions: number,
  path: string,
) {
  const tooMany = `must be less than or equal to ${completions} (the number of specified completions)`;
  return [
    ...(succeededCount === undefined && succeededIndexes === undefined
      ? [required(path, 'at least one of succeededCount or succeededIndexes must be specified')]
      : []),
    ...notNegative(`${path}.succeededCount`, succeededCount),
    ...(succeededCount !== undefined && succeededCount > completions
      ? [invalid(`${path}.succeededCount`, succeededCount, tooMany)]
      : []),
    ...indexErrors(succeededIndexes ?? '', completions, `${path}.succeededIndexes`),
  ];
}

/** Like `1,3-5,7`: rising, below the number of completions. */
function indexErrors(text: string, completions: number, path: string): FieldError[] {
  if (text === '') return [];
  let last = -1;
  for (const part of text.split(',')) {
    const [, from, to] = /^(\d{1,10})(?:-(\d{1,10}))?$/.exec(part) ?? [];
    if (from === undefined) return [invalid(path, text, `cannot convert string to integer for index: "${part}"`)];
    const [first, end] = [Number(from), Number(to ?? from)];
    if (first <= last || end < first || (to !== undefined && end === first))
      return [invalid(path, text, `non-increasing order, in "${part}"`)];
    if (end >= completions) return [invalid(path, text, `"${end}" must be less than ${completions}`)];
    last = end;
  }
  return [];
}
