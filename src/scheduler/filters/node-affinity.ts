/** nodeName, nodeSelector and required node affinity: which nodes a pod asks for. */
import type { NodeSelector, NodeSelectorRequirement, NodeSelectorTerm } from '../../kube/api/core-v1.js';
import type { NodeInfo } from '../node-info.js';
import type { PodInfo } from '../pod-info.js';
import { type Filter, final } from './contract.js';

const mismatch = final("node(s) didn't match Pod's node affinity/selector");

/** Only a pod that has its node already names one; its admission is checked by the same filters. */
export const nodeName: Filter = {
  name: 'NodeName',
  wakes: ['node-added'],
  prepare: ({ pod }) => {
    const wanted = pod.spec.nodeName;
    if (!wanted) return undefined;
    return { at: ({ name }) => (name === wanted ? undefined : final("node(s) didn't match the requested node name")) };
  },
};

export const nodeAffinity: Filter = {
  name: 'NodeAffinity',
  wakes: ['node-added', 'node-labels'],
  prepare: info => {
    const { nodeSelector, affinity } = info.pod.spec;
    const required = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
    if (!nodeSelector && !required) return undefined;
    const only = namesOnly(required);
    if (only?.size === 0) return { refused: 'pod affinity terms conflict' };
    return { at: node => (wantsNode(info, node) ? undefined : mismatch), ...(only && { only }) };
  },
};

/** The pod's nodeSelector and required affinity allow the node. */
export function wantsNode({ pod: { spec } }: PodInfo, node: NodeInfo): boolean {
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  for (const [key, value] of Object.entries(spec.nodeSelector ?? {})) if (node.labels[key] !== value) return false;
  return !required || matchesSelector(required, node);
}

/** Terms are alternatives. */
export const matchesSelector = (selector: NodeSelector, node: Pick<NodeInfo, 'labels' | 'name'>): boolean =>
  (selector.nodeSelectorTerms ?? []).some(term => matchesTerm(term, node));

/** A term's requirements hold together; an empty term matches nothing. */
export function matchesTerm(term: NodeSelectorTerm, { labels, name }: Pick<NodeInfo, 'labels' | 'name'>): boolean {
  const { matchExpressions = [], matchFields = [] } = term;
  if (matchExpressions.length + matchFields.length === 0) return false;
  return (
    matchExpressions.every(requirement => matches(requirement, labels[requirement.key])) &&
    matchFields.every(field => field.key === 'metadata.name' && matches(field, name))
  );
}

function matches({ operator, values = [] }: NodeSelectorRequirement, value: string | undefined): boolean {
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
      return compare(value, values[0], (a, b) => a > b);
    case 'Lt':
      return compare(value, values[0], (a, b) => a < b);
    default:
      return false;
  }
}

/** What is no integer compares with nothing. */
function compare(
  value: string | undefined,
  bound: string | undefined,
  holds: (a: bigint, b: bigint) => boolean,
): boolean {
  const integer = /^[+-]?\d{1,19}$/;
  if (value === undefined || bound === undefined || !integer.test(value) || !integer.test(bound)) return false;
  return holds(BigInt(value), BigInt(bound));
}

/** The nodes that every term names (what a DaemonSet's pods ask for): nobody has to look at the others. */
function namesOnly(required: NodeSelector | undefined): ReadonlySet<string> | undefined {
  const names = new Set<string>();
  for (const { matchFields = [] } of required?.nodeSelectorTerms ?? []) {
    const sets = matchFields.filter(({ key, operator }) => key === 'metadata.name' && operator === 'In');
    if (sets.length === 0) return undefined;
    const [first, ...others] = sets.map(({ values = [] }) => values);
    for (const name of first ?? []) if (others.every(values => values.includes(name))) names.add(name);
  }
  return required?.nodeSelectorTerms?.length ? names : undefined;
}
