/** What pod and node prefer: preferred node affinity, and taints that only discourage. */

import { matchesNodeSelectorTerm } from '../../kube/node-selector.js';
import { tolerates } from '../../kube/tolerations.js';
import { type Score, scaled } from './contract.js';

export const preferredNodes: Score = {
  name: 'NodeAffinity',
  rate: ({ pod }, nodes) => {
    const terms = pod.spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
    if (terms.length === 0) return undefined;
    const weights = nodes.map(node =>
      terms.reduce(
        (sum, { weight, preference }) => sum + (matchesNodeSelectorTerm(preference, node.node) ? weight : 0),
        0,
      ),
    );
    return scaled(weights);
  },
};

export const discouragingTaints: Score = {
  name: 'TaintToleration',
  rate: ({ tolerations }, nodes) => {
    const relevant = tolerations.filter(({ effect }) => !effect || effect === 'PreferNoSchedule');
    const counts = nodes.map(
      ({ taints }) =>
        taints.filter(
          taint => taint.effect === 'PreferNoSchedule' && !relevant.some(toleration => tolerates(toleration, taint)),
        ).length,
    );
    return scaled(counts, true);
  },
};
