/** Binds every pod that has no node yet: reads the view, decides with `schedule`, writes through `bind`. */
import { describe } from '../base/errors.js';
import type { Logger } from '../base/log.js';
import { KeyedQueue } from '../base/queue.js';
import { type KubeObject, keyOf } from '../kube/meta.js';
import type { Node } from '../kube/node.js';
import type { Pod } from '../kube/pod.js';
import { schedule } from './schedule.js';
import type { NodeSnapshot } from './snapshot.js';

export interface SchedulerView {
  pods(): Iterable<Pod>;
  nodes(): Iterable<Node>;
  pod(namespace: string, name: string): Pod | undefined;
  subscribe(listener: (object: KubeObject, deleted: boolean) => void): { close(): void };
}

export interface SchedulerWrites {
  bind(pod: Pod, node: string): Promise<void>;
  unschedulable(pod: Pod, message: string): Promise<void>;
}

export const schedulerName = 'default-scheduler';

export class SchedulerLoop {
  readonly #queue: KeyedQueue<string>;
  readonly #subscription: { close(): void };
  /** Bound by us, but not yet seen as bound in the view: counted, so that a burst does not overfill a node. */
  readonly #assumed = new Map<string, Pod>();
  readonly #waiting = new Set<string>();

  constructor(
    readonly view: SchedulerView,
    readonly writes: SchedulerWrites,
    log: Logger,
  ) {
    this.#queue = new KeyedQueue<string>({
      concurrency: 32,
      run: key => this.#run(key),
      onError: (key, error, retryMs) => log.warn({ pod: key, error: describe(error), retryMs }, 'scheduling failed'),
    });
    this.#subscription = view.subscribe((object, deleted) => this.#changed(object, deleted));
    for (const pod of view.pods()) if (isWaiting(pod)) this.#queue.add(keyOf(pod));
  }

  async close(): Promise<void> {
    this.#subscription.close();
    await this.#queue.close();
  }

  #changed(object: KubeObject, deleted: boolean): void {
    if (object.kind === 'Pod') {
      const pod = object as Pod;
      const key = keyOf(pod);
      if (deleted || pod.spec.nodeName) {
        this.#assumed.delete(pod.metadata.uid ?? '');
        this.#waiting.delete(key);
      }
      if (!deleted && isWaiting(pod)) this.#queue.add(key);
      // room was made
      if (deleted || isFinished(pod)) this.#retryWaiting();
    } else if (object.kind === 'Node') this.#retryWaiting();
  }

  #retryWaiting(): void {
    for (const key of this.#waiting) this.#queue.add(key);
  }

  async #run(key: string): Promise<undefined> {
    const [namespace = '', name = ''] = key.split('/');
    const pod = this.view.pod(namespace, name);
    if (!pod || !isWaiting(pod) || this.#assumed.has(pod.metadata.uid ?? '')) return undefined;
    const decision = schedule(pod, this.#snapshot());
    if ('unschedulable' in decision) {
      this.#waiting.add(key);
      await this.writes.unschedulable(pod, decision.unschedulable);
      return undefined;
    }
    this.#assumed.set(pod.metadata.uid ?? '', { ...pod, spec: { ...pod.spec, nodeName: decision.node } });
    try {
      await this.writes.bind(pod, decision.node);
    } catch (error) {
      this.#assumed.delete(pod.metadata.uid ?? '');
      throw error;
    }
    return undefined;
  }

  #snapshot(): NodeSnapshot[] {
    const byNode = new Map<string, Pod[]>();
    const place = (pod: Pod) => {
      const node = pod.spec.nodeName;
      if (!node || isFinished(pod)) return;
      const list = byNode.get(node);
      if (list) list.push(pod);
      else byNode.set(node, [pod]);
    };
    for (const pod of this.view.pods()) place(pod);
    for (const pod of this.#assumed.values()) place(pod);
    return [...this.view.nodes()].map(node => ({ node, pods: byNode.get(node.metadata.name) ?? [] }));
  }
}

const isFinished = (pod: Pod): boolean => pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';

/** Ours to place: no node, not going away, not finished, and asking for this scheduler. */
function isWaiting(pod: Pod): boolean {
  return (
    !pod.spec.nodeName &&
    !pod.metadata.deletionTimestamp &&
    !isFinished(pod) &&
    (pod.spec.schedulerName ?? schedulerName) === schedulerName
  );
}
