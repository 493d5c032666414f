/**
 * A scheduler that takes any living node, and nodes that start, fail and stop pods, each after a while. A node that dies
 * says nothing more; after 50 s its pods are not ready, after 350 s they are deleted, and end only when it comes back.
 */

import type { Seen } from '../../../src/controllers/contract.js';
import { targetOf } from '../../../src/controllers/contract.js';
import { isPodReady, podCondition } from '../../../src/controllers/pods/condition.js';
import { controllerRefOf } from '../../../src/controllers/pods/ownership.js';
import { type KubeObject, referenceTo } from '../../../src/kube/meta.js';
import type { Pod, PodPhase } from '../../../src/kube/pod.js';
import { timestamp } from '../../../src/kube/time.js';
import type { Dice } from './dice.js';
import type { World, WorldChange } from './world.js';

/** Containers of this image never become ready. */
export const badImage = 'bad';

const longestMs = { schedule: 50, start: 1500, ready: 3000, stop: 4000 } as const;
const notReadyMs = 50_000;
const evictMs = 350_000;

export class SimulatedNodes {
  readonly #world: World;
  readonly #dice: Dice;
  readonly #names: readonly string[];
  readonly #dead = new Set<string>();

  constructor(world: World, dice: Dice, count: number) {
    this.#world = world;
    this.#dice = dice;
    this.#names = Array.from({ length: count }, (_, i) => `n${i}`);
    for (const name of this.#names) world.create({ apiVersion: 'v1', kind: 'Node', metadata: { name } }, 'node');
    world.subscribe(change => this.#follow(change));
  }

  get alive(): string[] {
    return this.#names.filter(name => !this.#dead.has(name));
  }

  get dead(): string[] {
    return [...this.#dead];
  }

  kill(name: string): void {
    this.#dead.add(name);
    this.#whileDead(name, notReadyMs, pod => this.setReady(pod, false));
    this.#whileDead(name, evictMs, pod => void this.#world.delete(targetOf(pod), 'node'));
  }

  revive(name: string): void {
    this.#dead.delete(name);
    for (const pod of this.#podsOf(name)) this.#look(pod);
    for (const pod of this.#pods()) if (!pod.spec.nodeName) this.#schedule(pod);
  }

  /** A container that fails, and is started again. */
  crash(pod: Pod): void {
    this.setReady(pod, false);
    this.#later(pod, longestMs.ready, now => this.setReady(now, isGood(now)));
  }

  /** Evicted, or ended by itself. */
  end(pod: Pod, phase: PodPhase): void {
    this.#status(pod, { phase, conditions: [{ type: 'Ready', status: 'False', lastTransitionTime: this.#time() }] });
  }

  setReady(pod: Pod, ready: boolean): void {
    if (podCondition(pod, 'Ready') && isPodReady(pod) === ready) return;
    const condition = { type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: this.#time() };
    this.#status(pod, { phase: 'Running', conditions: [condition] });
  }

  #follow({ type, object }: WorldChange): void {
    if (object.kind !== 'Pod' || type === 'DELETED') return;
    const pod = object as unknown as Pod;
    if (!pod.spec.nodeName) this.#schedule(pod);
    else if (type === 'ADDED' || pod.metadata.deletionTimestamp || !pod.status) this.#look(pod);
  }

  #schedule(pod: Pod): void {
    this.#later(pod, longestMs.schedule, now => {
      const nodeName = this.#dice.pick(this.alive);
      if (nodeName && !now.spec.nodeName && !now.metadata.deletionTimestamp)
        this.#world.patch(targetOf(now), { spec: { nodeName } }, 'scheduler');
    });
  }

  /** What the node does about a pod of it. */
  #look(pod: Pod): void {
    if (this.#dead.has(pod.spec.nodeName ?? '')) return;
    if (pod.metadata.deletionTimestamp)
      return this.#later(pod, longestMs.stop, now => {
        if (!this.#dead.has(now.spec.nodeName ?? '')) this.#world.delete(targetOf(now), 'node', { graceSeconds: 0 });
      });
    if (isEnded(pod)) return;
    this.#later(pod, longestMs.start, now => this.#start(now));
  }

  #start(pod: Pod): void {
    if (this.#cannotStart(pod)) return;
    if (!pod.status) this.setReady(pod, false);
    if (isGood(pod)) this.#later(pod, longestMs.ready, now => this.#cannotStart(now) || this.setReady(now, true));
  }

  #cannotStart(pod: Pod): boolean {
    return this.#dead.has(pod.spec.nodeName ?? '') || isEnded(pod) || pod.metadata.deletionTimestamp !== undefined;
  }

  /** With the pod as it is then, if it is still there. */
  #later(pod: Pod, longest: number, act: (now: Pod) => unknown): void {
    this.#world.clock.after(this.#dice.between(0, longest), () => {
      const { namespace, name, uid } = pod.metadata;
      const now = this.#world.view.get('Pod', namespace, name) as unknown as Pod | undefined;
      if (now?.metadata.uid === uid) act(now!);
    });
  }

  #whileDead(node: string, ms: number, act: (pod: Pod) => void): void {
    this.#world.clock.after(ms, () => {
      if (this.#dead.has(node)) this.#podsOf(node).forEach(act);
    });
  }

  #status(pod: Pod, status: object): void {
    this.#world.patch(targetOf(pod), { status }, 'node', { subresource: 'status' });
  }

  #podsOf(node: string): Pod[] {
    return this.#pods().filter(({ spec }) => spec.nodeName === node);
  }

  #pods(): Pod[] {
    return this.#world.list('Pod') as unknown as Pod[];
  }

  #time(): string {
    return timestamp(this.#world.clock.now);
  }
}

const isGood = ({ spec }: Pod): boolean => spec.containers[0]?.image !== badImage;
const isEnded = ({ status }: Pod): boolean => status?.phase === 'Failed' || status?.phase === 'Succeeded';

/** `Pod default/web-x (ReplicaSet/web)`, for the story of a failed history. */
export function nameOf(object: KubeObject | Seen): string {
  const owner = controllerRefOf(object);
  const { kind, namespace, name } = referenceTo(object);
  return `${kind} ${namespace ? `${namespace}/` : ''}${name}${owner ? ` (${owner.kind}/${owner.name})` : ''}`;
}
