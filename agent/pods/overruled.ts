/** Pods of a node that was not heard of for a while: the controller has said that they are not ready. Pure. */
import type { PodStatus } from '../../src/kube/pod.js';

/**
 * Whether a status in the API says less than the node has told: its node must tell again.
 * @param told what the node said last
 * @param seen what the API shows
 */
export function isOverruled(told: PodStatus | undefined, seen: PodStatus | undefined): boolean {
  return is(told, 'Ready') === 'True' && is(seen, 'Ready') === 'False' && is(seen, 'ContainersReady') === 'True';
}

const is = (status: PodStatus | undefined, condition: string): string | undefined =>
  status?.conditions?.find(({ type }) => type === condition)?.status;
