/**
 * Pods that a node refused before anything of them ran: another one would most likely meet the same end at once, and the
 * next after it. Pure; times in milliseconds.
 */
import type { Pod } from '../../kube/pod.js';
import { parseTime } from '../../kube/time.js';

const shortestMs = 1000;
const longestMs = 300_000;

const isRefused = ({ metadata, status }: Pod): boolean =>
  status?.phase === 'Failed' && !!status.reason && !status.containerStatuses?.length && !metadata.deletionTimestamp;

/**
 * How long until the next pod is worth a try: after the newest refusal as long as refusals have gone on, so that each pause is
 * twice the last; at least 1 s, at most 5 min. 0: now.
 */
export function pauseAfterRefusals(pods: readonly Pod[], now: number): number {
  const times = pods.filter(isRefused).map(pod => parseTime(pod.metadata.creationTimestamp ?? '') ?? 0);
  if (times.length === 0) return 0;
  const newest = times.reduce((a, b) => Math.max(a, b));
  const oldest = times.reduce((a, b) => Math.min(a, b));
  const pauseMs = Math.min(longestMs, Math.max(shortestMs, newest - oldest));
  return Math.max(0, newest + pauseMs - now);
}
