/**
 * One simulated node: speaks the link protocol as an agent does, says of every pod that it runs, and runs nothing. Timers are
 * its only work, so one process holds hundreds.
 */
import type { Logger } from '../base/log.js';
import type { Pod } from '../kube/pod.js';
import { failure } from '../kube/status.js';
import { LinkClient, type LinkClientOptions, type Report } from '../link/client.js';
import { type HollowCapacity, hollowNode, podRange } from './node-object.js';
import { endedStatus, endingOf, runningStatus, type Seen } from './pod-life.js';

export interface HollowNodeOptions extends Pick<LinkClientOptions, 'url' | 'socket' | 'version'> {
  readonly name: string;
  readonly index: number;
  readonly capacity: HollowCapacity;
  readonly zones: number;
  readonly startDelayMs: number;
  readonly stopDelayMs: number;
  readonly heartbeatMs: number;
  readonly log: Logger;
}

interface Held extends Seen {
  running: boolean;
  stopping: boolean;
  timer: NodeJS.Timeout | undefined;
}

export class HollowNode {
  readonly #options: HollowNodeOptions;
  readonly #link: LinkClient;
  readonly #pods = new Map<string, Held>();
  #heartbeat: NodeJS.Timeout | undefined;
  #nextAddress = 0;
  #registered: () => void = () => {};
  /** Resolves when the controller has stored the node. */
  readonly registered: Promise<void>;

  constructor(options: HollowNodeOptions) {
    this.#options = options;
    this.registered = new Promise(resolve => {
      this.#registered = resolve;
    });
    this.#link = new LinkClient({
      ...options,
      bootID: options.name,
      events: {
        onConnected: () => this.#register(),
        onSync: objects => this.#sync(objects.filter(({ kind }) => kind === 'Pod') as Pod[]),
        onPut: object => object.kind === 'Pod' && this.#put(object as Pod),
        onGone: (kind, uid) => kind === 'Pod' && this.#drop(uid),
        onStream: stream => stream.close(failure(501, 'NotImplemented', 'a hollow node runs nothing').status),
        onRefused: (key, _report, status) => options.log.debug({ key, status }, 'refused'),
        onAcknowledged: key => key === 'node' && this.#registered(),
      },
    });
  }

  start(): void {
    this.#link.start();
    const beat = (): void => {
      this.#link.report('heartbeat', { t: 'heartbeat' });
      this.#heartbeat = setTimeout(beat, this.#options.heartbeatMs);
    };
    // not all at the same moment
    this.#heartbeat = setTimeout(beat, this.#options.heartbeatMs * Math.random());
  }

  /** Its pods stay as they were last reported. */
  stop(): void {
    clearTimeout(this.#heartbeat);
    for (const { timer } of this.#pods.values()) clearTimeout(timer);
    this.#link.close();
  }

  get runningPods(): number {
    let count = 0;
    for (const { running } of this.#pods.values()) if (running) count++;
    return count;
  }

  #register(): void {
    this.#link.report('node', { t: 'node', node: hollowNode({ ...this.#options, now: Date.now() }) });
  }

  #sync(pods: readonly Pod[]): void {
    const wanted = new Set(pods.map(({ metadata }) => metadata.uid));
    for (const uid of [...this.#pods.keys()]) if (!wanted.has(uid)) this.#drop(uid);
    for (const pod of pods) this.#put(pod);
  }

  #put(pod: Pod): void {
    const uid = pod.metadata.uid ?? '';
    const held = this.#pods.get(uid) ?? this.#hold(pod, uid);
    if (held && pod.metadata.deletionTimestamp && !held.stopping) this.#stop(held, pod);
  }

  /** A pod that has ended before is not started again. */
  #hold(pod: Pod, uid: string): Held | undefined {
    const phase = pod.status?.phase;
    const ended = phase === 'Succeeded' || phase === 'Failed';
    const { index, startDelayMs } = this.#options;
    const held: Held = {
      pod,
      ip: pod.status?.podIP ?? `${podRange(index)}.${2 + (this.#nextAddress++ % 252)}`,
      hostIP: `10.64.${(index >> 8) & 255}.${index & 255}`,
      startedAt: Date.now(),
      running: phase === 'Running',
      stopping: false,
      timer: undefined,
    };
    this.#pods.set(uid, held);
    if (phase === 'Running') this.#endLater(held);
    else if (!ended && !pod.metadata.deletionTimestamp) held.timer = setTimeout(() => this.#run(held), startDelayMs);
    return held;
  }

  #run(held: Held): void {
    const begun: Held = Object.assign(held, { running: true, startedAt: Date.now() });
    this.#report(begun, { t: 'podStatus', ...nameOf(begun.pod), status: runningStatus(begun) });
    this.#endLater(begun);
  }

  #endLater(held: Held): void {
    const ending = endingOf(held.pod);
    if (!ending) return;
    held.timer = setTimeout(() => {
      held.running = false;
      const status = endedStatus(held, ending.code, Date.now());
      this.#report(held, { t: 'podStatus', ...nameOf(held.pod), status });
    }, ending.afterMs);
  }

  #stop(held: Held, pod: Pod): void {
    clearTimeout(held.timer);
    held.stopping = true;
    held.timer = setTimeout(() => {
      held.running = false;
      const ended = pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
      const status = ended ? {} : { status: endedStatus(held, 0, Date.now()) };
      this.#report(held, { t: 'podGone', ...nameOf(pod), ...status });
    }, this.#options.stopDelayMs);
  }

  #drop(uid: string): void {
    clearTimeout(this.#pods.get(uid)?.timer);
    this.#pods.delete(uid);
  }

  #report({ pod }: Held, report: Report): void {
    this.#link.report(`pod/${pod.metadata.uid}`, report);
  }
}

const nameOf = ({ metadata: { namespace = 'default', name, uid = '' } }: Pod) => ({ namespace, name, uid });
