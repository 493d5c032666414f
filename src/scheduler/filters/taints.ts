/** Taints that the pod does not tolerate, and nodes that take no pods at all. */
import type { Taint } from '../../kube/node.js';
import type { Toleration } from '../../kube/pod.js';
import { nodeTaints, tolerates, untolerated } from '../../kube/tolerations.js';
import { type Filter, final } from './contract.js';

const cordoned: Taint = { key: nodeTaints.unschedulable, effect: 'NoSchedule' };

/** `spec.unschedulable`; tolerating its taint tolerates it (so that daemons come to a cordoned node). */
export const nodeUnschedulable: Filter = {
  name: 'NodeUnschedulable',
  wakes: ['node-added', 'node-taints'],
  prepare: ({ tolerations }) =>
    tolerations.some(toleration => tolerates(toleration, cordoned))
      ? undefined
      : { at: ({ node }) => (node.spec?.unschedulable ? final('node(s) were unschedulable') : undefined) },
};

export const taintToleration: Filter = {
  name: 'TaintToleration',
  wakes: ['node-added', 'node-taints'],
  prepare: ({ tolerations }) => ({
    at: ({ taints }) => (refuses(taints, tolerations) ? final('node(s) had untolerated taint(s)') : undefined),
  }),
};

/** A taint that keeps new pods away is not tolerated. */
export function refuses(taints: readonly Taint[], tolerations: readonly Toleration[]): boolean {
  return taints.length > 0 && untolerated(taints, tolerations, ['NoSchedule', 'NoExecute']) !== undefined;
}
