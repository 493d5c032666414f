/** The loop with a view and writes of the test's own: what is counted while bindings are under way, and what is told. */
import { pino } from 'pino';
import { expect, test } from 'vitest';
import type { KubeObject } from '../../src/kube/meta.js';
import type { Pod } from '../../src/kube/pod.js';
import type { SchedulerChange, SchedulerView, SchedulerWrites } from '../../src/scheduler/contract.js';
import { SchedulerLoop } from '../../src/scheduler/loop.js';
import { nodeOf, podOf } from '../helpers/scheduling.js';

/** A small world: what is written shows in the view, as with the API. */
class World implements SchedulerView, SchedulerWrites {
  readonly objects = new Map<string, KubeObject>();
  readonly said: string[] = [];
  readonly #listeners = new Set<(change: SchedulerChange) => void>();
  /** Bindings wait for this; it may reject. */
  store: (pod: Pod, node: string) => Promise<void> = async () => {};

  readonly #key = (kind: string, namespace: string | undefined, name: string) => `${kind}/${namespace ?? ''}/${name}`;

  get(kind: string, namespace: string | undefined, name: string) {
    return this.objects.get(this.#key(kind, namespace, name));
  }
  list(kind: string) {
    return [...this.objects.values()].filter(object => object.kind === kind);
  }
  subscribe(listener: (change: SchedulerChange) => void) {
    this.#listeners.add(listener);
    return { close: () => void this.#listeners.delete(listener) };
  }
  set(object: KubeObject): void {
    const key = this.#key(object.kind, object.metadata.namespace, object.metadata.name);
    const previous = this.objects.get(key);
    this.objects.set(key, object);
    for (const listener of this.#listeners) listener({ kind: object.kind, object, previous, deleted: false });
  }
  delete(kind: string, namespace: string | undefined, name: string): void {
    const key = this.#key(kind, namespace, name);
    const object = this.objects.get(key);
    if (!object) return;
    this.objects.delete(key);
    for (const listener of this.#listeners) listener({ kind, object, previous: object, deleted: true });
  }
  pod(name: string): Pod {
    return this.get('Pod', 'default', name) as Pod;
  }
  status(name: string, status: Pod['status']): void {
    this.set({ ...this.pod(name), status: { ...this.pod(name).status, ...status } } as Pod);
  }

  async bind(pod: Pod, node: string): Promise<void> {
    await this.store(pod, node);
    const { name } = pod.metadata;
    this.said.push(`bind ${name} ${node}`);
    this.set({ ...this.pod(name), spec: { ...this.pod(name).spec, nodeName: node } } as Pod);
  }
  async unschedulable(pod: Pod, message: string, nominate?: string | null): Promise<void> {
    this.said.push(`${pod.metadata.name}: ${message}${nominate ? ` → ${nominate}` : ''}`);
    if (nominate) this.status(pod.metadata.name, { nominatedNodeName: nominate });
  }
  async gated(pod: Pod): Promise<void> {
    this.said.push(`gated ${pod.metadata.name}`);
  }
  async selectNode(claim: KubeObject, node: string): Promise<void> {
    this.said.push(`claim ${claim.metadata.name} ${node}`);
    const annotations = { 'volume.kubernetes.io/selected-node': node };
    this.set({ ...claim, metadata: { ...claim.metadata, annotations } });
  }
  async evict(victim: Pod): Promise<void> {
    this.said.push(`evict ${victim.metadata.name}`);
    this.delete('Pod', 'default', victim.metadata.name);
  }
  async takeBackNomination(pod: Pod): Promise<void> {
    this.said.push(`take back ${pod.metadata.name}`);
  }
}

const log = pino({ level: 'silent' });

async function withLoop(world: World, test: (until: (holds: () => boolean) => Promise<void>) => Promise<void>) {
  const clock = { now: 0 };
  const loop = new SchedulerLoop(world, world, log, { now: () => clock.now, random: () => 0.999 });
  const until = async (holds: () => boolean): Promise<void> => {
    for (let turn = 0; !holds(); turn++) {
      if (turn > 200) throw new Error(`did not come true; said: ${world.said.join('; ')}`);
      // back-offs are over as soon as there is nothing else to do
      clock.now += 100;
      await new Promise(resolve => setTimeout(resolve, 1));
    }
  };
  try {
    await test(until);
  } finally {
    await loop.close();
  }
}

test('a burst does not overfill a node while its bindings are under way', async () => {
  const world = new World();
  world.set(nodeOf('n'));
  let release: () => void = () => {};
  const gate = new Promise<void>(resolve => {
    release = resolve;
  });
  world.store = () => gate;
  for (let i = 0; i < 6; i++) world.set(podOf(`p${i}`, { requests: { cpu: '1' } }));
  await withLoop(world, async until => {
    await until(() => world.said.length === 2);
    expect(world.said[0]).toContain('p4: 0/1 nodes are available: 1 Insufficient cpu.');
    release();
    await until(() => world.said.filter(text => text.startsWith('bind')).length === 4);
  });
});

test('a binding that failed gives back what it took, and is tried again', async () => {
  const world = new World();
  world.set(nodeOf('n'));
  let failures = 1;
  world.store = async () => {
    if (failures-- > 0) throw new Error('no');
  };
  world.set(podOf('p', { requests: { cpu: '4' } }));
  await withLoop(world, async until => {
    // the clock is ours, so the loop's own timer would come late: any change makes it look at the clock
    const look = () => world.set({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'x' } });
    await until(() => {
      look();
      return world.pod('p').spec.nodeName === 'n';
    });
    expect(world.said).toEqual(['bind p n']);
  });
});

test('a pod that went while it was being bound is let go of', async () => {
  const world = new World();
  world.set(nodeOf('n'));
  let attempts = 0;
  world.store = async pod => {
    attempts++;
    const { name } = pod.metadata;
    if (name === 'marked') world.set(podOf(name, { deleted: true, requests: { cpu: '3' } }));
    if (name === 'gone') world.delete('Pod', 'default', name);
    if (name !== 'next') throw new Error('Conflict');
  };
  world.set(podOf('marked', { requests: { cpu: '3' }, priority: 2 }));
  world.set(podOf('gone', { requests: { cpu: '3' }, priority: 1 }));
  world.set(podOf('next', { requests: { cpu: '3' } }));
  await withLoop(world, async until => {
    await until(() => world.get('Pod', 'default', 'next') !== undefined && world.pod('next').spec.nodeName === 'n');
    expect(attempts).toBe(3);
  });
});

test('room that is made is taken: deletion, a new node, uncordon', async () => {
  const world = new World();
  world.set(nodeOf('n'));
  world.set(podOf('first', { on: 'n', requests: { cpu: '4' } }));
  world.set(podOf('second', { requests: { cpu: '4' } }));
  await withLoop(world, async until => {
    await until(() => world.said.length === 1);
    world.delete('Pod', 'default', 'first');
    await until(() => world.pod('second').spec.nodeName === 'n');
    world.set(podOf('third', { requests: { cpu: '4' } }));
    await until(() => world.said.some(text => text.startsWith('third')));
    world.set(nodeOf('m', { unschedulable: true }));
    world.set(nodeOf('m'));
    await until(() => world.pod('third').spec.nodeName === 'm');
  });
});

test('preemption: nominated, victims go, then it comes', async () => {
  const world = new World();
  world.set(nodeOf('n'));
  world.set(podOf('low', { on: 'n', priority: 1, requests: { cpu: '4' } }));
  world.set(podOf('high', { priority: 9, requests: { cpu: '4' } }));
  await withLoop(world, async until => {
    await until(() => world.pod('high').spec.nodeName === 'n');
    expect(world.said).toEqual(['high: 0/1 nodes are available: 1 Insufficient cpu. → n', 'evict low', 'bind high n']);
  });
});

test('gates, and names of other schedulers', async () => {
  const world = new World();
  world.set(nodeOf('n'));
  const gated = podOf('gated', { schedulingGates: [{ name: 'x/y' }] });
  world.set(gated);
  world.set(podOf('foreign', { schedulerName: 'other' }));
  world.set(podOf('plain'));
  await withLoop(world, async until => {
    await until(() => world.pod('plain').spec.nodeName === 'n');
    expect(world.said).toEqual(['gated gated', 'bind plain n']);
    const { schedulingGates: _, ...spec } = gated.spec;
    world.set({ ...gated, spec } as Pod);
    await until(() => world.pod('gated').spec.nodeName === 'n');
    expect(world.pod('foreign').spec.nodeName).toBeUndefined();
  });
});

test('a claim is told its node, and the pod follows when it is bound', async () => {
  const world = new World();
  world.set(nodeOf('n'));
  const claim = {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'c', namespace: 'default' },
    spec: { storageClassName: 's' },
  };
  world.set({
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name: 's' },
    ...{ provisioner: 'example.com/x', volumeBindingMode: 'WaitForFirstConsumer' },
  } as KubeObject);
  world.set(claim);
  world.set(podOf('p', { claims: ['c'] }));
  await withLoop(world, async until => {
    await until(() => world.said.includes('claim c n'));
    expect(world.pod('p').spec.nodeName).toBeUndefined();
    world.set({ apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name: 'v' }, spec: {} } as KubeObject);
    world.set({ ...claim, spec: { ...claim.spec, volumeName: 'v' } } as KubeObject);
    await until(() => world.pod('p').spec.nodeName === 'n');
    expect(world.said).toEqual(['claim c n', 'bind p n']);
  });
});
