/** Whether and when a container runs again (reliability rule A5; kubelet's kuberuntime and flowcontrol back-off). Pure. */
import { backoffDelay } from '../../src/base/backoff.js';
import type { Container, Pod } from '../../src/kube/pod.js';
import { type ContainerFacts, type EndedRun, isEphemeral, isSidecar } from './facts.js';

/** Of crashing containers, and of images that are not there. */
export const crashBackoff = { initialMs: 10_000, maxMs: 300_000, factor: 2 } as const;

/** A run longer than this forgets earlier crashes: twice the longest back-off. */
export const backoffResetMs = 2 * crashBackoff.maxMs;

/** Whether an ended container is to run again. */
export function restarts(pod: Pod, container: Container, ended: EndedRun, isInit: boolean): boolean {
  if (isEphemeral(pod, container)) return false;
  if (ended.again) return true;
  if (isSidecar(container)) return true;
  const policy = pod.spec.restartPolicy ?? 'Always';
  if (isInit) return ended.exitCode !== 0 && policy !== 'Never';
  return policy === 'Always' || (policy === 'OnFailure' && ended.exitCode !== 0);
}

/**
 * When the next attempt may start: the first restart at once, then 10 s, 20 s, … 300 s after the last exit.
 * @returns milliseconds since the epoch; 0 if there was no run yet
 */
export function nextStartAt({ ended, crashes }: ContainerFacts): number {
  if (!ended) return 0;
  return Date.parse(ended.finishedAt) + backoffDelay(crashBackoff, crashes - 1);
}

/** The count of crashes after one more run has ended. */
export function crashesAfter(before: number, ended: EndedRun): number {
  const ranMs = ended.startedAt ? Date.parse(ended.finishedAt) - Date.parse(ended.startedAt) : 0;
  return ranMs > backoffResetMs ? 1 : before + 1;
}

/** `back-off 10s restarting failed container=app pod=web_default(uid)`, as kubelet words it. */
export function backoffMessage(pod: Pod, container: string, crashes: number): string {
  const { name, namespace, uid } = pod.metadata;
  const seconds = backoffDelay(crashBackoff, crashes - 1) / 1000;
  return `back-off ${formatSeconds(seconds)} restarting failed container=${container} pod=${name}_${namespace}(${uid})`;
}

/** Go's duration form for whole seconds: `10s`, `1m20s`, `5m0s`. */
export function formatSeconds(seconds: number): string {
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}
