/** Pods of a DaemonSet: for one node each, tolerating what befalls nodes. Pure. */
import type { ControllerRevision, DaemonSet } from '../../kube/api/apps-v1.js';
import type { Affinity } from '../../kube/api/core-v1.js';
import type { Node } from '../../kube/node.js';
import { affinityOf, isNodeWanted } from '../../kube/node-selector.js';
import type { Pod, PodSpec, Toleration } from '../../kube/pod.js';
import { nodeTaints, untolerated } from '../../kube/tolerations.js';
import { podFromTemplate } from '../pods/template.js';

/** On pods and ControllerRevisions alike: the hash of the template. */
export const hashLabel = 'controller-revision-hash';

export const hashOf = ({ metadata }: Pod | ControllerRevision): string | undefined => metadata.labels?.[hashLabel];

export function podFor(set: DaemonSet, node: string, hash: string, random: () => number): Pod {
  const pod = podFromTemplate(set.spec?.template, set, random);
  return {
    ...pod,
    metadata: { ...pod.metadata, labels: { ...pod.metadata.labels, [hashLabel]: hash } },
    spec: { ...pod.spec, affinity: pinned(pod.spec, node), tolerations: tolerationsOf(pod.spec) } as PodSpec,
  };
}

/** The scheduler binds it, but to that node only. The author's own requirements were asked before (`fitOf`). */
function pinned(spec: PodSpec, node: string): Affinity {
  const affinity = affinityOf(spec);
  const requirement = { key: 'metadata.name', operator: 'In', values: [node] };
  return {
    ...affinity,
    nodeAffinity: {
      ...affinity?.nodeAffinity,
      requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchFields: [requirement] }] },
    },
  };
}

/** The node that a pod is on, or is for. */
export function nodeOf({ spec }: Pod): string | undefined {
  if (spec.nodeName) return spec.nodeName;
  const terms = affinityOf(spec)?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  for (const { matchFields = [] } of terms) {
    const field = matchFields.find(({ key, operator }) => key === 'metadata.name' && operator === 'In');
    if (field?.values?.length === 1) return field.values[0];
  }
  return undefined;
}

const exists = (key: string, effect: string): Toleration => ({ key, operator: 'Exists', effect });

/** Added to every pod of a DaemonSet, so that it stays where it is whatever happens to the node. */
const added: readonly Toleration[] = [
  exists(nodeTaints.notReady, 'NoExecute'),
  exists(nodeTaints.unreachable, 'NoExecute'),
  exists(nodeTaints.diskPressure, 'NoSchedule'),
  exists(nodeTaints.memoryPressure, 'NoSchedule'),
  exists(nodeTaints.pidPressure, 'NoSchedule'),
  exists(nodeTaints.unschedulable, 'NoSchedule'),
];

export function tolerationsOf({ tolerations = [], hostNetwork }: PodSpec): Toleration[] {
  const more = [...added, ...(hostNetwork ? [exists(nodeTaints.networkUnavailable, 'NoSchedule')] : [])];
  const same = (a: Toleration, b: Toleration): boolean => a.key === b.key && a.effect === b.effect;
  return [...tolerations.filter(own => !more.some(one => same(own, one))), ...more];
}

export interface Fit {
  /** A pod is to be there. */
  readonly run: boolean;
  /** One that is there may stay. */
  readonly stay: boolean;
}

/** Whether the set wants a pod on the node: resources do not count, as for the scheduler they will. */
export function fitOf({ spec }: DaemonSet, node: Node): Fit {
  const template = spec?.template.spec;
  if (!template) return { run: false, stay: false };
  const named = !template.nodeName || template.nodeName === node.metadata.name;
  if (!named || !isNodeWanted(template, node)) return { run: false, stay: false };
  const tolerations = tolerationsOf(template);
  const taints = node.spec?.taints;
  const stay = untolerated(taints, tolerations, ['NoExecute']) === undefined;
  return { run: stay && untolerated(taints, tolerations, ['NoSchedule']) === undefined, stay };
}
