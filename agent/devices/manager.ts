/** The devices of this node: what there is, who has which, and what a container gets with them. Survives the agent. */
import type { Pod } from '../../src/kube/pod.js';
import { Checkpoint } from '../admission/checkpoint.js';
import { type Allocations, allocateDevices, type DeviceAnswer, type Inventory, keepPods } from './allocate.js';
import { type Injection, injectDevices } from './inject.js';

/** What a container was given is not there any more. */
export class DeviceGoneError extends Error {
  override name = 'DeviceGoneError';
}

export class DeviceManager {
  #inventory: Inventory = new Map();
  #allocations: Allocations;
  readonly #checkpoint: Checkpoint<Allocations>;

  /** @param file where it is remembered who has what */
  constructor(file: string, onProblem: (message: string) => void) {
    this.#checkpoint = new Checkpoint(file, onProblem);
    this.#allocations = this.#checkpoint.read();
  }

  setInventory(inventory: Inventory): void {
    this.#inventory = inventory;
  }

  /** How many of each resource there are, and work. */
  counts(): Record<string, { all: number; healthy: number }> {
    return Object.fromEntries(
      [...this.#inventory].map(([resource, devices]) => [
        resource,
        { all: devices.length, healthy: devices.filter(d => d.healthy).length },
      ]),
    );
  }

  /** What the pod would get; nothing is taken yet. */
  decide(pod: Pod): DeviceAnswer {
    return allocateDevices(pod, this.#inventory, this.#allocations);
  }

  commit(allocations: Allocations): void {
    this.#checkpoint.write(allocations);
    this.#allocations = allocations;
  }

  /** Only these pods hold devices still. */
  keep(uids: ReadonlySet<string>): void {
    this.commit(keepPods(this.#allocations, uids));
  }

  /** @throws DeviceGoneError */
  injection(uid: string, container: string): Injection {
    const given = Object.entries(this.#allocations[uid]?.[container] ?? {});
    const devices = given.flatMap(([resource, ids]) => ids.map(id => this.#device(resource, id)));
    return injectDevices(devices);
  }

  #device(resource: string, id: string) {
    const device = this.#inventory.get(resource)?.find(found => found.id === id);
    if (!device?.healthy)
      throw new DeviceGoneError(`device ${id} of ${resource}: ${device ? 'its device node is missing' : 'is gone'}`);
    return device;
  }
}
