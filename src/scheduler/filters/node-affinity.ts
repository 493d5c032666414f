/** nodeName, nodeSelector and required node affinity: which nodes a pod asks for. */
import type { NodeSelector } from '../../kube/api/core-v1.js';
import { isNodeWanted } from '../../kube/node-selector.js';
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
export const wantsNode = ({ pod: { spec } }: PodInfo, { node }: NodeInfo): boolean =>
  (!spec.nodeSelector && !spec.affinity?.nodeAffinity) || isNodeWanted(spec, node);

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
