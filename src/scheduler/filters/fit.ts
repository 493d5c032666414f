/** Room: pods, CPU, memory and whatever else is counted. Every resource that lacks is told. */
import type { NodeInfo } from '../node-info.js';
import type { PodInfo } from '../pod-info.js';
import type { Filter, Refusal } from './contract.js';

export const nodeResourcesFit: Filter = {
  name: 'NodeResourcesFit',
  wakes: ['node-added', 'node-allocatable', 'pod-gone'],
  prepare: info => ({ at: node => lacking(info, node) }),
};

/** A request that even the empty node could not fill is final. */
export function lacking({ requests }: PodInfo, node: NodeInfo): Refusal | undefined {
  let reasons: string[] | undefined;
  let final = false;
  if (node.pods.size + 1 > node.maxPods) reasons = ['Too many pods'];
  for (const [name, wanted] of requests) {
    const allocatable = node.allocatable.get(name) ?? 0;
    if (wanted <= allocatable - (node.requested.get(name) ?? 0)) continue;
    reasons ??= [];
    reasons.push(`Insufficient ${name}`);
    final ||= wanted > allocatable;
  }
  return reasons && { reasons, final };
}
