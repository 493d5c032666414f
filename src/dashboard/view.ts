/** Objects → rows. Pure. */
import type { KubeObject } from '../kube/meta.js';
import type { KubeEvent, Node } from '../kube/node.js';
import type { Pod } from '../kube/pod.js';
import { numberValue } from '../kube/quantity.js';
import type { EventRow, NodeRow, PodRow } from './rows.js';

/** How kubectl words a pod's state; handed in, because the API owns that wording. */
export interface PodSummary {
  readonly status: string;
  readonly ready: string;
  readonly restarts: number;
}

export type Row =
  | { readonly list: 'pods'; readonly row: PodRow }
  | { readonly list: 'nodes'; readonly row: NodeRow }
  | { readonly list: 'events'; readonly row: EventRow };

export const shownKinds = ['Pod', 'Node', 'Event'] as const;

export const rowKey = (object: KubeObject): string => `${object.kind}/${object.metadata.uid ?? object.metadata.name}`;

export function rowOf(object: KubeObject, summarize: (pod: Pod) => PodSummary): Row | undefined {
  switch (object.kind) {
    case 'Pod':
      return { list: 'pods', row: podRow(object as Pod, summarize(object as Pod)) };
    case 'Node':
      return { list: 'nodes', row: nodeRow(object as Node) };
    case 'Event':
      return { list: 'events', row: eventRow(object as KubeEvent) };
    default:
      return undefined;
  }
}

function podRow(pod: Pod, summary: PodSummary): PodRow {
  const { metadata: m, spec, status } = pod;
  return {
    key: rowKey(pod),
    namespace: m.namespace ?? '',
    name: m.name,
    ...summary,
    node: spec.nodeName ?? '',
    ip: status?.podIP ?? '',
    created: m.creationTimestamp ?? '',
  };
}

function nodeRow(node: Node): NodeRow {
  const { metadata: m, status } = node;
  const ready = status?.conditions?.find(c => c.type === 'Ready');
  return {
    key: rowKey(node),
    name: m.name,
    ready: ready?.status === 'True',
    reason: ready?.message ?? 'not heard from',
    address: status?.addresses?.find(a => a.type === 'InternalIP')?.address ?? '',
    version: status?.nodeInfo?.kubeletVersion ?? '',
    kernel: status?.nodeInfo?.kernelVersion ?? '',
    cpus: Number(status?.capacity?.['cpu'] ?? 0),
    memoryBytes: status?.capacity?.['memory'] ? numberValue(status.capacity['memory']) : 0,
    maxPods: Number(status?.capacity?.['pods'] ?? 0),
    created: m.creationTimestamp ?? '',
  };
}

function eventRow(event: KubeEvent): EventRow {
  return {
    key: rowKey(event),
    at: event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp ?? '',
    type: event.type ?? 'Normal',
    reason: event.reason ?? '',
    object: `${event.involvedObject.kind.toLowerCase()}/${event.involvedObject.name}`,
    message: event.message ?? '',
    count: event.count ?? 1,
  };
}
