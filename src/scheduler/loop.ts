/**
 * Gives every pod that waits a node: follows the view, decides one pod after another, counts each as placed at once, and has
 * the bindings stored side by side, so that they share the store's transactions. Nothing runs while nothing changes.
 */
import { describe } from '../base/errors.js';
import type { Logger } from '../base/log.js';
import type { Node } from '../kube/node.js';
import type { Pod } from '../kube/pod.js';
import { Cluster } from './cluster.js';
import { followedKinds, type SchedulerView, type SchedulerWrites } from './contract.js';
import { explain } from './explain.js';
import { selectedNode, waitingClaims } from './filters/volumes.js';
import { follow, happened, type Parts } from './follow.js';
import { Nominations } from './nominations.js';
import type { PodInfo } from './pod-info.js';
import { isIneligible, preempt, type Victims } from './preempt.js';
import { profiles as allProfiles, type Profile } from './profiles.js';
import { type QueuedPod, SchedulingQueue } from './queue.js';
import { type Choosing, type Decision, decide } from './schedule.js';

export interface SchedulerOptions {
  readonly profiles?: readonly Profile[];
  /** Milliseconds. */
  readonly now?: () => number;
  /** In [0, 1). */
  readonly random?: () => number;
}

/** So long decisions are made before others get the processor. */
const sliceMs = 6;
/** Bindings under way; more would only wait in the store. */
const maxBinding = 512;

export class SchedulerLoop {
  readonly #parts: Parts;
  readonly #profiles: ReadonlyMap<string, Profile>;
  readonly #subscription: { close(): void };
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #pending = new Set<Promise<void>>();
  #start = 0;
  #binding = 0;
  #soon: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(
    readonly view: SchedulerView,
    readonly writes: SchedulerWrites,
    readonly log: Logger,
    { profiles = allProfiles, now = () => performance.now(), random = Math.random }: SchedulerOptions = {},
  ) {
    this.#now = now;
    this.#random = random;
    this.#profiles = new Map(profiles.map(profile => [profile.name, profile]));
    this.#parts = {
      cluster: new Cluster(view),
      queue: new SchedulingQueue(now),
      nominations: new Nominations(),
      assumed: new Set(),
      names: new Set(this.#profiles.keys()),
      onGated: pod => this.#write(pod, () => this.writes.gated(pod)),
    };
    this.#load(view);
    this.#subscription = view.subscribe(change => {
      if (!followedKinds.has(change.kind)) return;
      follow(this.#parts, change);
      this.#wake();
    });
    this.#wake();
  }

  /** Resolves when what is under way has been stored. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#subscription.close();
    clearImmediate(this.#soon);
    clearTimeout(this.#timer);
    await Promise.allSettled(this.#pending);
  }

  #load(view: SchedulerView): void {
    for (const node of view.list('Node') as Iterable<Node>) this.#parts.cluster.setNode(node);
    const pods = [...(view.list('Pod') as Iterable<Pod>)];
    // first those that are placed: they take what the others may want
    for (const pod of [...pods.filter(({ spec }) => spec.nodeName), ...pods.filter(({ spec }) => !spec.nodeName)])
      follow(this.#parts, { kind: 'Pod', object: pod, previous: undefined, deleted: false });
  }

  #wake(): void {
    if (this.#soon || this.#closed) return;
    this.#soon = setImmediate(() => this.#run());
  }

  #run(): void {
    this.#soon = undefined;
    const { queue } = this.#parts;
    queue.tick();
    const until = performance.now() + sliceMs;
    while (this.#binding < maxBinding) {
      const entry = queue.pop();
      if (!entry) break;
      this.#try(entry);
      if (performance.now() > until) return this.#wake();
    }
    this.#arm();
  }

  /** Wakes at the queue's next deadline; without one only at the next change. */
  #arm(): void {
    clearTimeout(this.#timer);
    const deadline = this.#parts.queue.nextDeadline();
    if (deadline === undefined || this.#closed) return;
    this.#timer = setTimeout(() => this.#wake(), Math.max(1, Math.ceil(deadline - this.#now())));
  }

  #try(entry: QueuedPod): void {
    const { cluster } = this.#parts;
    try {
      const choosing = this.#choosing(entry.info);
      const decision = decide(entry.info, cluster, choosing);
      if ('why' in decision) return this.#refused(entry, decision, choosing);
      this.#start = (this.#start + decision.looked) % Math.max(1, cluster.nodes.length);
      if (!this.#waitsForVolumes(entry, decision.node)) this.#place(entry, decision.node);
    } catch (error) {
      // one pod that cannot be judged must not keep the others
      this.log.error({ pod: entry.info.key, error: describe(error) }, 'scheduling failed');
      this.#parts.queue.failed(entry);
    }
  }

  #choosing({ pod }: PodInfo): Choosing {
    const profile = this.#profiles.get(pod.spec.schedulerName ?? '') ?? [...this.#profiles.values()][0]!;
    return { profile, start: this.#start, random: this.#random, nominated: this.#parts.nominations.ahead };
  }

  /** A claim that waits for its first consumer is told the node; the pod follows when the claim is bound. */
  #waitsForVolumes(entry: QueuedPod, node: string): boolean {
    const claims = waitingClaims(entry.info, this.#parts.cluster);
    if (claims.length === 0) return false;
    this.#parts.queue.unschedulable(entry, new Set(['VolumeBinding']));
    for (const claim of claims)
      if (!claim.metadata.annotations?.[selectedNode])
        this.#orRetry(entry.info, () => this.writes.selectNode(claim, node));
    return true;
  }

  #place(entry: QueuedPod, node: string): void {
    const { cluster, nominations, assumed } = this.#parts;
    const { info } = entry;
    cluster.assume(info, node);
    assumed.add(info.uid);
    nominations.delete(info.uid);
    this.#binding++;
    this.#track(this.#bind(entry, node));
  }

  async #bind(entry: QueuedPod, node: string): Promise<void> {
    const { pod, key } = entry.info;
    try {
      await this.writes.bind(pod, node);
    } catch (error) {
      this.log.warn({ pod: key, node, error: describe(error) }, 'binding failed');
      this.#forget(entry, node);
    } finally {
      this.#binding--;
      if (this.#parts.queue.hasActive) this.#wake();
    }
  }

  /** The pod is not there after all, unless the view has meanwhile shown that it is. */
  #forget(entry: QueuedPod, node: string): void {
    const { cluster, queue, assumed } = this.#parts;
    if (!assumed.delete(entry.info.uid)) return;
    const { namespace, name, uid } = entry.info.pod.metadata;
    cluster.removePod(entry.info.uid);
    queue.failed(entry);
    // what has become of it meanwhile was not looked at: it may not want a node any more
    const pod = this.view.get('Pod', namespace, name) as Pod | undefined;
    if (pod?.metadata.uid === uid)
      follow(this.#parts, { kind: 'Pod', object: pod!, previous: undefined, deleted: false });
    else queue.delete(entry.info.uid);
    happened(this.#parts, 'pod-gone', node);
    this.#wake();
  }

  #refused(entry: QueuedPod, { why, prepared }: Extract<Decision, { why: unknown }>, choosing: Choosing): void {
    const { cluster, queue } = this.#parts;
    const { info } = entry;
    const made = preempt(info, { ...choosing, cluster, why, prepared });
    queue.unschedulable(entry, why.plugins);
    if (typeof made !== 'string') return this.#makeRoom(info, explain(why), made);
    const takeBack = info.pod.status?.nominatedNodeName !== undefined && !isIneligible(made);
    if (takeBack) this.#parts.nominations.delete(info.uid);
    this.#write(info.pod, () => this.writes.unschedulable(info.pod, explain(why, made), takeBack ? null : undefined));
  }

  #makeRoom(info: PodInfo, message: string, { node, pods }: Victims): void {
    const { nominations } = this.#parts;
    for (const other of nominations.on(node)) {
      if (other.priority >= info.priority) continue;
      nominations.delete(other.uid);
      this.#write(other.pod, () => this.writes.takeBackNomination(other.pod));
    }
    nominations.set(info, node);
    this.#orRetry(info, async () => {
      await this.writes.unschedulable(info.pod, message, node);
      await Promise.all(pods.map(victim => this.writes.evict(victim.pod, info.pod, node)));
    });
  }

  /** What cannot be written is decided anew: nothing in the cluster would bring the pod back here. */
  #orRetry({ pod, uid }: PodInfo, write: () => Promise<void>): void {
    this.#write(pod, async () => {
      try {
        await write();
      } catch (error) {
        this.#parts.queue.retry(uid);
        this.#wake();
        throw error;
      }
    });
  }

  #write(pod: Pod, write: () => Promise<void>): void {
    const { namespace, name } = pod.metadata;
    const told = write().catch((error: unknown) =>
      this.log.warn({ pod: `${namespace}/${name}`, error: describe(error) }, 'the scheduler could not write'),
    );
    this.#track(told);
  }

  #track(work: Promise<void>): void {
    this.#pending.add(work);
    void work.finally(() => this.#pending.delete(work));
  }
}
