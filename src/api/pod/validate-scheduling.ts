/** Whether a pod's wishes about its node make sense: affinity, spreading, gates. Pure; Kubernetes' paths and words. */
import type {
  Affinity,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  PodAffinityTerm,
  TopologySpreadConstraint,
} from '../../kube/api/core-v1.js';
import { qualifiedNameProblems } from '../../kube/names.js';
import { affinityOf } from '../../kube/node-selector.js';
import type { PodSpec } from '../../kube/pod.js';
import { duplicate, type FieldError, forbiddenField, invalid, notSupported, required } from '../errors.js';
import { validateLabelSelector } from '../field-checks.js';

type Wishes = PodSpec & {
  readonly readinessGates?: readonly { readonly conditionType: string }[];
};

/** @param path `spec` or `spec.template.spec` */
export function validateScheduling(pod: PodSpec, path: string): FieldError[] {
  const spec = pod as Wishes;
  return [
    ...validateAffinity(affinityOf(spec) ?? {}, `${path}.affinity`),
    ...validateSpread(spec.topologySpreadConstraints ?? [], `${path}.topologySpreadConstraints`),
    ...validateGates(spec.schedulingGates ?? [], `${path}.schedulingGates`),
    ...(spec.readinessGates ?? []).flatMap(({ conditionType }, i) =>
      label(`${path}.readinessGates[${i}].conditionType`, conditionType),
    ),
  ];
}

const label = (path: string, name: string): FieldError[] =>
  qualifiedNameProblems(name).map(why => invalid(path, name, why));

function validateAffinity({ nodeAffinity, podAffinity, podAntiAffinity }: Affinity, path: string): FieldError[] {
  const must = nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const terms = `${path}.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms`;
  const may = nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  return [
    ...(must && !must.nodeSelectorTerms?.length ? [required(terms, 'must have at least one node selector term')] : []),
    ...(must?.nodeSelectorTerms ?? []).flatMap((term, i) => validateNodeTerm(term, `${terms}[${i}]`)),
    ...may.flatMap(({ weight, preference }, i) => {
      const here = `${path}.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[${i}]`;
      return [...validateWeight(weight, here), ...validateNodeTerm(preference ?? {}, `${here}.preference`)];
    }),
    ...validatePodAffinity(podAffinity, `${path}.podAffinity`),
    ...validatePodAffinity(podAntiAffinity, `${path}.podAntiAffinity`),
  ];
}

const validateWeight = (weight: number, path: string): FieldError[] =>
  weight >= 1 && weight <= 100 ? [] : [invalid(`${path}.weight`, weight ?? 0, 'must be in the range 1-100')];

function validateNodeTerm({ matchExpressions = [], matchFields = [] }: NodeSelectorTerm, path: string): FieldError[] {
  return [
    ...matchExpressions.flatMap((one, i) => validateExpression(one, `${path}.matchExpressions[${i}]`)),
    ...matchFields.flatMap((one, i) => validateMatchField(one, `${path}.matchFields[${i}]`)),
  ];
}

function validateExpression({ key, operator, values = [] }: NodeSelectorRequirement, path: string): FieldError[] {
  return [...valueErrors(operator, values, path), ...label(`${path}.key`, key)];
}

function valueErrors(operator: string, values: readonly string[], path: string): FieldError[] {
  switch (operator) {
    case 'In':
    case 'NotIn':
      if (values.length > 0) return [];
      return [required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'")];
    case 'Exists':
    case 'DoesNotExist':
      if (values.length === 0) return [];
      return [forbiddenField(`${path}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")];
    case 'Gt':
    case 'Lt':
      if (values.length === 1) return [];
      return [required(`${path}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'")];
    default:
      return [invalid(`${path}.operator`, operator, 'not a valid selector operator')];
  }
}

function validateMatchField({ key, operator, values = [] }: NodeSelectorRequirement, path: string): FieldError[] {
  const one = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector";
  const known = operator === 'In' || operator === 'NotIn';
  return [
    ...(known ? [] : [invalid(`${path}.operator`, operator, 'not a valid selector operator')]),
    ...(known && values.length !== 1 ? [required(`${path}.values`, one)] : []),
    ...(key === 'metadata.name' ? [] : [invalid(`${path}.key`, key, 'not a valid field selector key')]),
  ];
}

function validatePodAffinity(affinity: Affinity['podAffinity'], path: string): FieldError[] {
  const must = affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  const may = affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  return [
    ...must.flatMap((term, i) => validatePodTerm(term, `${path}.requiredDuringSchedulingIgnoredDuringExecution[${i}]`)),
    ...may.flatMap(({ weight, podAffinityTerm }, i) => {
      const here = `${path}.preferredDuringSchedulingIgnoredDuringExecution[${i}]`;
      return [...validateWeight(weight, here), ...validatePodTerm(podAffinityTerm, `${here}.podAffinityTerm`)];
    }),
  ];
}

function validatePodTerm(term: PodAffinityTerm | undefined, path: string): FieldError[] {
  return [
    ...validateLabelSelector(term?.labelSelector, `${path}.labelSelector`),
    ...validateLabelSelector(term?.namespaceSelector, `${path}.namespaceSelector`),
    ...(term?.topologyKey
      ? label(`${path}.topologyKey`, term.topologyKey)
      : [required(`${path}.topologyKey`, 'can not be empty')]),
  ];
}

function validateSpread(constraints: readonly TopologySpreadConstraint[], path: string): FieldError[] {
  const seen = new Set<string>();
  return constraints.flatMap((one, i) => {
    const pair = `{${one.topologyKey}, ${one.whenUnsatisfiable}}`;
    const repeated = seen.has(pair);
    seen.add(pair);
    return [
      ...validateConstraint(one, `${path}[${i}]`),
      ...(repeated ? [duplicate(`${path}[${i}].{topologyKey, whenUnsatisfiable}`, pair)] : []),
    ];
  });
}

function validateConstraint(one: TopologySpreadConstraint, path: string): FieldError[] {
  const { maxSkew, topologyKey, whenUnsatisfiable: when } = one;
  const actions = ['DoNotSchedule', 'ScheduleAnyway'];
  return [
    ...(maxSkew > 0 ? [] : [invalid(`${path}.maxSkew`, maxSkew ?? 0, 'must be greater than zero')]),
    ...(topologyKey ? [] : [required(`${path}.topologyKey`, 'can not be empty')]),
    ...(actions.includes(when) ? [] : [notSupported(`${path}.whenUnsatisfiable`, when, actions)]),
    ...validateMinDomains(one, `${path}.minDomains`),
    ...validatePolicy(one.nodeAffinityPolicy, `${path}.nodeAffinityPolicy`),
    ...validatePolicy(one.nodeTaintsPolicy, `${path}.nodeTaintsPolicy`),
    ...validateLabelSelector(one.labelSelector, `${path}.labelSelector`),
  ];
}

function validateMinDomains({ minDomains, whenUnsatisfiable: when }: TopologySpreadConstraint, path: string) {
  if (minDomains === undefined) return [];
  const why = `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${when}`;
  return [
    ...(minDomains > 0 ? [] : [invalid(path, minDomains, 'must be greater than zero')]),
    ...(when === 'DoNotSchedule' ? [] : [invalid(path, minDomains, why)]),
  ];
}

const validatePolicy = (policy: string | undefined, path: string): FieldError[] =>
  policy === undefined || policy === 'Honor' || policy === 'Ignore'
    ? []
    : [notSupported(path, policy, ['Honor', 'Ignore'])];

function validateGates(gates: readonly { readonly name: string }[], path: string): FieldError[] {
  return gates.flatMap(({ name }, i) => [
    ...label(`${path}[${i}]`, name),
    ...(gates.findIndex(other => other.name === name) < i ? [duplicate(`${path}[${i}]`, name)] : []),
  ]);
}
