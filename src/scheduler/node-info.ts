/** One node as the scheduler counts it: what it has, who is on it, what they take. Changed only through `add` and `remove`. */

import type { HostPort } from '../kube/host-ports.js';
import type { Node, Taint } from '../kube/node.js';
import { nodeTaints } from '../kube/tolerations.js';
import type { PodInfo } from './pod-info.js';
import { addAmounts, allocatableOf, type Resources } from './resources.js';

const notReady: Taint = { key: nodeTaints.notReady, effect: 'NoSchedule' };

export class NodeInfo {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
  readonly allocatable: Resources;
  /** Most pods. */
  readonly maxPods: number;
  readonly pods = new Map<string, PodInfo>();
  readonly requested = new Map<string, number>();
  /** With the defaults of containers that ask for nothing. */
  scoredCpu = 0;
  scoredMemory = 0;
  readonly ports: HostPort[] = [];
  #lowest: number | undefined;

  constructor(readonly node: Node) {
    this.name = node.metadata.name;
    this.labels = node.metadata.labels ?? {};
    this.taints = taintsOf(node);
    this.allocatable = allocatableOf(node.status?.allocatable);
    this.maxPods = this.allocatable.get('pods') ?? 110;
  }

  /** The priority of its least important pod. */
  get lowestPriority(): number {
    if (this.#lowest === undefined) {
      this.#lowest = Number.POSITIVE_INFINITY;
      for (const { priority } of this.pods.values()) if (priority < this.#lowest) this.#lowest = priority;
    }
    return this.#lowest;
  }

  add(info: PodInfo): void {
    this.pods.set(info.uid, info);
    this.#count(info, 1);
    this.ports.push(...info.ports);
  }

  remove(info: PodInfo): void {
    const held = this.pods.get(info.uid);
    if (!held) return;
    this.pods.delete(info.uid);
    this.#count(held, -1);
    for (const port of held.ports) this.ports.splice(this.ports.indexOf(port), 1);
  }

  /** A newer state of the pod that takes the same. */
  replace(info: PodInfo): void {
    this.pods.set(info.uid, info);
  }

  /** A copy to try things on. @param node another state of the same node. */
  copy(node: Node = this.node): NodeInfo {
    const copy = new NodeInfo(node);
    for (const info of this.pods.values()) copy.add(info);
    return copy;
  }

  #count({ requests, scored }: PodInfo, sign: 1 | -1): void {
    this.#lowest = undefined;
    addAmounts(this.requested, requests, sign);
    this.scoredCpu += sign * scored.cpu;
    this.scoredMemory += sign * scored.memory;
  }
}

/** A node that is not ready refuses pods even before anybody has tainted it. */
function taintsOf({ spec, status }: Node): readonly Taint[] {
  const taints = spec?.taints ?? [];
  const ready = status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True';
  const told = taints.some(({ key }) => key === nodeTaints.notReady || key === nodeTaints.unreachable);
  return ready || told ? taints : [...taints, notReady];
}
