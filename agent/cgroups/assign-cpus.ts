/**
 * The static CPU policy: containers of Guaranteed pods that ask for whole CPUs get these for themselves; everybody else
 * shares the rest. Pure; who is given what is told apart by `<pod UID>/<container>`.
 */
import type { Container, Pod } from '../../src/kube/pod.js';
import { milliValue } from '../../src/kube/quantity.js';

export interface CpuTopology {
  /** Whole cores: the processors (hardware threads) of each. */
  readonly cores: readonly (readonly number[])[];
  /** Never given to one container alone. */
  readonly reserved: readonly number[];
}

/** Processors by container. */
export type CpuAssignments = Readonly<Record<string, readonly number[]>>;

export interface CpuWish {
  readonly key: string;
  readonly count: number;
}

export type CpuAnswer =
  | { readonly assignments: CpuAssignments }
  /** More than are free. */
  | { readonly requested: number; readonly available: number };

const allCpus = ({ cores }: CpuTopology): number[] => cores.flat();

/** What nobody has for himself: where everyone else runs. */
export function sharedCpus(topology: CpuTopology, taken: CpuAssignments): number[] {
  const exclusive = new Set(Object.values(taken).flat());
  return allCpus(topology)
    .filter(cpu => !exclusive.has(cpu))
    .sort((a, b) => a - b);
}

function freeCpus(topology: CpuTopology, taken: CpuAssignments): number[] {
  const shared = sharedCpus(topology, taken).filter(cpu => !topology.reserved.includes(cpu));
  // somebody must remain for those that have none for themselves
  return topology.reserved.length > 0 ? shared : shared.slice(1);
}

/** All wishes or none; what is taken stays as it is. */
export function assignCpus(topology: CpuTopology, taken: CpuAssignments, wishes: readonly CpuWish[]): CpuAnswer {
  let assignments = taken;
  for (const { key, count } of wishes) {
    if (assignments[key]) continue;
    const free = freeCpus(topology, assignments);
    if (count > free.length) return { requested: count, available: free.length };
    assignments = { ...assignments, [key]: pick(topology, free, count) };
  }
  return { assignments };
}

/** Whole free cores first, then cores that are broken already, then the rest: few cores are shared by two containers. */
function pick({ cores }: CpuTopology, free: readonly number[], count: number): number[] {
  const available = new Set(free);
  const chosen: number[] = [];
  const take = (cpus: readonly number[]): void => {
    for (const cpu of cpus) if (chosen.length < count && available.delete(cpu)) chosen.push(cpu);
  };
  const isWhole = (core: readonly number[]): boolean => core.every(cpu => available.has(cpu));
  for (const core of cores) if (isWhole(core) && core.length <= count - chosen.length) take(core);
  for (const core of cores) if (!isWhole(core)) take(core);
  for (const core of cores) take(core);
  return chosen.sort((a, b) => a - b);
}

/** Of a Guaranteed pod: its containers, and its sidecars, with a whole number of CPUs. */
export function cpuWishes(pod: Pod): CpuWish[] {
  if (pod.status?.qosClass !== 'Guaranteed') return [];
  const lasting = [
    ...(pod.spec.initContainers ?? []).filter(c => c.restartPolicy === 'Always'),
    ...pod.spec.containers,
  ];
  return lasting.flatMap(container => {
    const count = wholeCpus(container);
    return count > 0 ? [{ key: cpuKey(pod, container.name), count }] : [];
  });
}

export const cpuKey = (pod: Pod, container: string): string => `${pod.metadata.uid}/${container}`;

function wholeCpus({ resources }: Container): number {
  const text = resources?.requests?.['cpu'] ?? resources?.limits?.['cpu'];
  const milli = text === undefined ? 0n : milliValue(text);
  return milli % 1000n === 0n ? Number(milli / 1000n) : 0;
}

/** Without the pods that are gone. */
export function keepPods(taken: CpuAssignments, uids: ReadonlySet<string>): CpuAssignments {
  return Object.fromEntries(Object.entries(taken).filter(([key]) => uids.has(key.slice(0, key.indexOf('/')))));
}
