/** How long a Job waits before it replaces failed pods: 10 s after the first failure, twice as long after each further. Pure. */
import type { Pod } from '../../kube/pod.js';
import { endedAt, hasSucceeded } from './pods.js';

export const firstDelayMs = 10_000;
export const longestDelayMs = 360_000;

/** @param failures in a row, at least one */
export const delayMs = (failures: number): number =>
  Math.min(longestDelayMs, firstDelayMs * 2 ** Math.min(failures - 1, 20));

/**
 * Milliseconds still to wait; 0 when a pod may be made. A success ends the row of failures.
 * @param ended the pods of the Job that have ended
 */
export function backoffLeftMs(ended: readonly Pod[], now: number): number {
  const newestFirst = ended.map(pod => ({ pod, at: endedAt(pod, now) })).sort((a, b) => b.at - a.at);
  const firstSuccess = newestFirst.findIndex(({ pod }) => hasSucceeded(pod));
  const failures = firstSuccess < 0 ? newestFirst.length : firstSuccess;
  return failures === 0 ? 0 : Math.max(0, newestFirst[0]!.at + delayMs(failures) - now);
}

/** The same for one index of a Job with backoffLimitPerIndex. @param failures of that index so far, `last` included */
export const indexBackoffLeftMs = (last: Pod, failures: number, now: number): number =>
  failures === 0 ? 0 : Math.max(0, endedAt(last, now) + delayMs(failures) - now);
