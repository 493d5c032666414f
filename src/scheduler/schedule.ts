/** Which node for which pod: filters, then the least loaded. Pure over a snapshot (a later issue widens the lists). */
import type { Pod } from '../kube/pod.js';
import { type Filter, filters } from './filters/index.js';
import type { NodeSnapshot } from './snapshot.js';

export type Decision = { readonly node: string } | { readonly unschedulable: string };

export function schedule(pod: Pod, nodes: readonly NodeSnapshot[]): Decision {
  const reasons = new Map<string, number>();
  const fitting: NodeSnapshot[] = [];
  for (const candidate of nodes) {
    const reason = firstReason(pod, candidate, filters);
    if (reason === undefined) fitting.push(candidate);
    else reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }
  const best = fitting.sort(leastLoaded)[0];
  return best ? { node: best.node.metadata.name } : { unschedulable: explain(nodes.length, reasons) };
}

function firstReason(pod: Pod, candidate: NodeSnapshot, list: readonly Filter[]): string | undefined {
  for (const filter of list) {
    const reason = filter(pod, candidate);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

/** `0/3 nodes are available: 2 Insufficient cpu, 1 node(s) were unschedulable.` as kube-scheduler counts. */
function explain(total: number, reasons: ReadonlyMap<string, number>): string {
  if (total === 0) return 'no nodes available to schedule pods';
  const list = [...reasons].map(([reason, count]) => `${count} ${reason}`).sort();
  return `0/${total} nodes are available: ${list.join(', ')}.`;
}

function leastLoaded(a: NodeSnapshot, b: NodeSnapshot): number {
  return load(a) - load(b) || a.node.metadata.name.localeCompare(b.node.metadata.name);
}

/** Share of the node's pod slots in use. */
function load({ node, pods }: NodeSnapshot): number {
  return pods.length / Number(node.status?.allocatable?.['pods'] ?? 110);
}
