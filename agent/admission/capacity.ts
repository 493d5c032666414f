/** What the node has, and what of it pods may use: capacity less what the system keeps. Pure. */
import { canonicalQuantity, quantityNanos } from '../../src/kube/quantity.js';

export type Quantities = Readonly<Record<string, string>>;

export interface CapacityFacts {
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly maxPods: number;
  /** `hugepages-2Mi` → bytes. */
  readonly hugepages: Readonly<Record<string, number>>;
  /** Devices by resource name: all, and those that work. */
  readonly devices: Readonly<Record<string, { readonly all: number; readonly healthy: number }>>;
  /** --system-reserved and --kube-reserved. */
  readonly reserved: readonly Quantities[];
  /** What the hard eviction thresholds keep from pods, in bytes. */
  readonly thresholds: { readonly memory: number; readonly disk: number };
}

export interface Capacity {
  readonly capacity: Quantities;
  readonly allocatable: Quantities;
}

export function nodeCapacity(f: CapacityFacts): Capacity {
  const huge = Object.values(f.hugepages).reduce((sum, bytes) => sum + bytes, 0);
  const amounts = (count: (d: { all: number; healthy: number }) => number): Quantities => ({
    ...Object.fromEntries(Object.entries(f.hugepages).map(([name, bytes]) => [name, kibi(bytes)])),
    ...Object.fromEntries(Object.entries(f.devices).map(([name, d]) => [name, String(count(d))])),
  });
  const capacity = {
    cpu: String(f.cpus),
    memory: kibi(f.memoryBytes),
    pods: String(f.maxPods),
    'ephemeral-storage': kibi(f.diskBytes),
    ...amounts(d => d.all),
  };
  const allocatable = {
    ...capacity,
    // huge pages are taken out of the memory before anybody can ask for it
    memory: kibi(f.memoryBytes - huge - f.thresholds.memory),
    'ephemeral-storage': String(Math.max(0, f.diskBytes - f.thresholds.disk)),
    ...amounts(d => d.healthy),
  };
  return { capacity, allocatable: f.reserved.reduce<Quantities>(without, allocatable) };
}

const kibi = (bytes: number): string => (bytes <= 0 ? '0' : `${Math.floor(bytes / 1024)}Ki`);

function without(from: Quantities, reserved: Quantities): Quantities {
  const less = (name: string, text: string): string => {
    const rest = quantityNanos(text) - quantityNanos(reserved[name] ?? '0');
    return rest <= 0n ? '0' : amountText(name, rest, text);
  };
  return Object.fromEntries(
    Object.entries(from).map(([name, text]) => [name, reserved[name] === undefined ? text : less(name, text)]),
  );
}

function amountText(name: string, nanos: bigint, like: string): string {
  if (name === 'cpu') return canonicalQuantity(`${nanos}n`);
  const units = nanos / 1_000_000_000n;
  return /Ki$/.test(like) ? `${units / 1024n}Ki` : String(units);
}
