/** Why a pod has no node, in kube-scheduler's words: `0/3 nodes are available: 2 Insufficient cpu, 1 …`. Pure. */
import type { Diagnosis } from './schedule.js';

export const noNodes = 'no nodes available to schedule pods';

/** @param preemption what trying to make room has given; begins with `preemption: `. */
export function explain(why: Diagnosis, preemption = ''): string {
  if (why.total === 0) return noNodes;
  const reasons = why.refused ?? histogram(why);
  return `0/${why.total} nodes are available:${reasons && ` ${reasons}.`}${preemption && ` ${preemption}`}`;
}

/** Each reason with how many nodes have it, in the order of the texts. */
function histogram({ total, byNode, others }: Diagnosis): string {
  const counts = new Map<string, number>();
  const count = (reason: string, by: number) => counts.set(reason, (counts.get(reason) ?? 0) + by);
  for (const { reasons } of byNode.values()) for (const reason of reasons) count(reason, 1);
  if (others && byNode.size < total) count(others, total - byNode.size);
  return [...counts]
    .map(([reason, nodes]) => `${nodes} ${reason}`)
    .sort((a, b) => (a < b ? -1 : 1))
    .join(', ');
}
