/** Which devices each container of a pod gets: a pure decision over what there is and what is taken. */
import type { Container, Pod } from '../../src/kube/pod.js';
import { numberValue } from '../../src/kube/quantity.js';
import type { Device } from './plugin-file.js';

export interface KnownDevice extends Device {
  /** All its nodes are there. */
  readonly healthy: boolean;
}

/** Devices by resource name. */
export type Inventory = ReadonlyMap<string, readonly KnownDevice[]>;

/** Device ids by resource name. */
export type Allocation = Readonly<Record<string, readonly string[]>>;
/** By pod UID, then container. */
export type Allocations = Readonly<Record<string, Readonly<Record<string, Allocation>>>>;

export type DeviceAnswer = { readonly allocations: Allocations } | { readonly refused: string };

/**
 * All that the pod asks for, or nothing. What an init container had is used again by those after it, as kubelet does:
 * they never run at the same time. A resource that no plugin describes is nobody's here (an admin may count it by hand).
 */
export function allocateDevices(pod: Pod, inventory: Inventory, taken: Allocations): DeviceAnswer {
  const uid = pod.metadata.uid ?? '';
  if (taken[uid]) return { allocations: taken };
  const { [uid]: _, ...others } = taken;
  const busy = idsOf(Object.values(others).flatMap(containers => Object.values(containers)));
  const mine: Record<string, Allocation> = {};
  let reusable = new Map<string, Set<string>>();
  for (const { container, lasting } of containersOf(pod)) {
    const given: Record<string, readonly string[]> = {};
    for (const [resource, count] of wishesOf(container, inventory)) {
      const free = freeDevices(inventory.get(resource) ?? [], busy.get(resource), reusable.get(resource));
      if (free.length < count) return { refused: unavailable(resource, count, free.length) };
      given[resource] = free.slice(0, count);
    }
    if (Object.keys(given).length > 0) mine[container.name] = given;
    reusable = afterwards(reusable, given, lasting);
    for (const [resource, ids] of Object.entries(given)) addTo(busy, resource, ids);
  }
  if (Object.keys(mine).length === 0) return { allocations: taken };
  return { allocations: { ...others, [uid]: mine } };
}

const unavailable = (resource: string, requested: number, available: number): string =>
  `requested number of devices unavailable for ${resource}. Requested: ${requested}, Available: ${available}`;

/** In the order of their lives; only plain init containers leave theirs to others. */
function containersOf({ spec }: Pod): { container: Container; lasting: boolean }[] {
  const init = (spec.initContainers ?? []).map(container => ({
    container,
    lasting: container.restartPolicy === 'Always',
  }));
  return [...init, ...spec.containers.map(container => ({ container, lasting: true }))];
}

function wishesOf({ resources }: Container, inventory: Inventory): [string, number][] {
  const asked = { ...resources?.limits, ...resources?.requests };
  return Object.entries(asked)
    .filter(([name]) => inventory.has(name))
    .map(([name, text]): [string, number] => [name, numberValue(text)])
    .filter(([, count]) => count > 0);
}

/** Those of earlier init containers first. */
function freeDevices(
  devices: readonly KnownDevice[],
  busy = new Set<string>(),
  reusable = new Set<string>(),
): string[] {
  const healthy = devices.filter(device => device.healthy).map(({ id }) => id);
  return [...healthy.filter(id => reusable.has(id)), ...healthy.filter(id => !busy.has(id))];
}

function afterwards(reusable: Map<string, Set<string>>, given: Allocation, lasting: boolean): Map<string, Set<string>> {
  const next = new Map([...reusable].map(([resource, ids]) => [resource, new Set(ids)]));
  for (const [resource, ids] of Object.entries(given)) {
    const set = next.get(resource) ?? new Set();
    for (const id of ids)
      if (lasting) set.delete(id);
      else set.add(id);
    next.set(resource, set);
  }
  return next;
}

function idsOf(all: readonly Allocation[]): Map<string, Set<string>> {
  const busy = new Map<string, Set<string>>();
  for (const allocation of all) for (const [resource, ids] of Object.entries(allocation)) addTo(busy, resource, ids);
  return busy;
}

function addTo(into: Map<string, Set<string>>, resource: string, ids: readonly string[]): void {
  const set = into.get(resource) ?? new Set();
  for (const id of ids) set.add(id);
  into.set(resource, set);
}

/** Without the pods that are gone. */
export function keepPods(taken: Allocations, uids: ReadonlySet<string>): Allocations {
  return Object.fromEntries(Object.entries(taken).filter(([uid]) => uids.has(uid)));
}
