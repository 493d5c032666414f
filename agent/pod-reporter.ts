/**
 * What workers say of their pods, as reports about API objects. A static pod is known there by its mirror: an object with
 * a UID of its own, which appears later than the pod, may be deleted by anybody, and then comes back.
 */
import { keyOf } from '../src/kube/meta.js';
import type { Pod, PodStatus } from '../src/kube/pod.js';
import type { Report } from '../src/link/client.js';
import { isMirror, isStatic, mirrorFor } from './pods/static-pod.js';

export interface Mirrors {
  mirrorOf(pod: Pod): Pod | undefined;
}

export class PodReporter {
  readonly #send: (key: string, report: Report) => void;
  readonly #mirrors: () => Mirrors;
  /** The newest status of static pods, for a mirror that appears later. */
  readonly #status = new Map<string, PodStatus>();
  #static = new Map<string, Pod>();

  constructor(send: (key: string, report: Report) => void, mirrors: () => Mirrors) {
    this.#send = send;
    this.#mirrors = mirrors;
  }

  /** The API's object for a pod of this node, if there is one now. */
  apiPod(pod: Pod): Pod | undefined {
    const mirrors = this.#mirrors();
    return isStatic(pod) ? mirrors.mirrorOf(pod) : pod;
  }

  status(pod: Pod, status: PodStatus): void {
    if (this.#static.has(keyOf(pod))) this.#status.set(keyOf(pod), status);
    const target = this.apiPod(pod);
    // a mirror on its way out has been reported gone under the same key: a status would take that report's place
    if (target && isMirror(target) && target.metadata.deletionTimestamp) return;
    if (target) this.#send(`pod/${target.metadata.uid}`, { t: 'podStatus', ...identity(target), status });
  }

  /** @param last goes along: under the same key this report takes the place of one with the exit codes that still waits */
  gone(pod: Pod, last?: PodStatus): void {
    // a mirror that goes away says nothing of its static pod
    if (!isMirror(pod)) this.#status.delete(keyOf(pod));
    const target = this.#mirrors().mirrorOf(pod) ?? pod;
    this.#send(`pod/${target.metadata.uid}`, { t: 'podGone', ...identity(target), ...(last && { status: last }) });
  }

  /** The static pods as their files are now: each must have a mirror. */
  setStatic(pods: readonly Pod[]): void {
    this.#static = new Map(pods.map(pod => [keyOf(pod), pod]));
    for (const pod of pods) if (!this.#mirrors().mirrorOf(pod)) this.mirror(keyOf(pod));
  }

  /** Asks for the mirror of a static pod, if it still has a file. */
  mirror(key: string): void {
    const pod = this.#static.get(key);
    if (pod) this.#send(`mirror/${key}`, { t: 'mirror', pod: mirrorFor(pod) });
  }

  /** After a (re)connect: whoever deleted mirrors meanwhile gets them back. */
  mirrorAll(): void {
    for (const key of this.#static.keys()) this.mirror(key);
  }

  /** A mirror has just appeared: tell it what is known. */
  mirrorAppeared(mirror: Pod): void {
    const pod = this.#static.get(keyOf(mirror));
    const status = this.#status.get(keyOf(mirror));
    if (pod && status) this.status(pod, status);
  }
}

const identity = (pod: Pod) => ({
  namespace: pod.metadata.namespace ?? 'default',
  name: pod.metadata.name,
  uid: pod.metadata.uid ?? '',
});
