/** What the scheduler sees of the cluster, and how much a pod asks for. Pure. */
import type { Node } from '../kube/node.js';
import type { Pod } from '../kube/pod.js';
import { milliValue } from '../kube/quantity.js';

export interface NodeSnapshot {
  readonly node: Node;
  /** Pods bound to it that have not finished. */
  readonly pods: readonly Pod[];
}

/** Requests of one pod in thousandths: its containers' sum, at least its largest init container, plus overhead. */
export function podRequest(pod: Pod, resource: string): bigint {
  const of = (values: Record<string, string> | undefined) =>
    values?.[resource] === undefined ? 0n : milliValue(values[resource]);
  const request = (c: { resources?: { requests?: Record<string, string>; limits?: Record<string, string> } }) =>
    c.resources?.requests?.[resource] !== undefined ? of(c.resources.requests) : of(c.resources?.limits);
  const init = pod.spec.initContainers ?? [];
  const running = [...pod.spec.containers, ...init.filter(c => c.restartPolicy === 'Always')].reduce(
    (sum, c) => sum + request(c),
    0n,
  );
  const larger = (a: bigint, b: bigint) => (a > b ? a : b);
  const peak = init.map(request).reduce(larger, running);
  return peak + of(pod.spec.overhead);
}
