/** Which nodes a pod asks for by nodeSelector and required node affinity (core/v1 NodeSelector). Pure. */
import type { Affinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm } from './api/core-v1.js';
import type { Node } from './node.js';
import type { PodSpec } from './pod.js';

type Values = Readonly<Record<string, string>>;

/** What a pod's author and its controller require; preferences do not count. */
export function isNodeWanted(spec: PodSpec, node: Node): boolean {
  const labels = node.metadata.labels ?? {};
  const pairs = Object.entries(spec.nodeSelector ?? {});
  if (!pairs.every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value)) return false;
  const required = affinityOf(spec)?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return required === undefined || matchesNodeSelector(required, node);
}

export const affinityOf = (spec: PodSpec): Affinity | undefined => (spec as { affinity?: Affinity }).affinity;

/** One of the terms must match; no term matches nothing. */
export function matchesNodeSelector({ nodeSelectorTerms = [] }: NodeSelector, node: Node): boolean {
  return nodeSelectorTerms.some(term => matchesNodeSelectorTerm(term, node));
}

/** Everything in the term must match; an empty term matches nothing. */
export function matchesNodeSelectorTerm(term: NodeSelectorTerm, node: Node): boolean {
  const { matchExpressions = [], matchFields = [] } = term;
  if (matchExpressions.length + matchFields.length === 0) return false;
  const fields: Values = { 'metadata.name': node.metadata.name };
  return (
    matchExpressions.every(requirement => matches(requirement, node.metadata.labels ?? {})) &&
    matchFields.every(requirement => matches(requirement, fields))
  );
}

function matches({ key, operator, values = [] }: NodeSelectorRequirement, labels: Values): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
    case 'Lt':
      return compares(operator, value, values[0]);
    default:
      return false;
  }
}

/** Both must be whole numbers; beyond 2^53 they are compared exactly too. */
function compares(operator: 'Gt' | 'Lt', value: string | undefined, bound: string | undefined): boolean {
  const whole = /^[+-]?\d{1,19}$/;
  if (value === undefined || bound === undefined || !whole.test(value) || !whole.test(bound)) return false;
  const [left, right] = [BigInt(value.replace('+', '')), BigInt(bound.replace('+', ''))];
  return operator === 'Gt' ? left > right : left < right;
}
