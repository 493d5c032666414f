/** What is said of pressure and evictions, in kubelet's words. Pure. */
import type { Condition } from '../../src/kube/meta.js';
import { canonicalQuantity, numberValue } from '../../src/kube/quantity.js';
import type { Pressure } from './decide.js';
import type { Candidate } from './rank.js';
import { amountOf, type Measurements, resourceOf, type Threshold } from './thresholds.js';

/** Bytes in the largest binary unit that shows them whole: `60Mi`, `1234Ki`. */
export function bytesText(bytes: number): string {
  return bytes > 0 && bytes % 1024 === 0 ? canonicalQuantity(`${bytes / 1024}Ki`) : String(Math.floor(bytes));
}

/** Why this pod goes; each sentence ends with a space, as kubelet's do. */
export function evictionMessage(
  threshold: Threshold,
  { met, measured }: { readonly met: readonly Threshold[]; readonly measured: Measurements },
  { pod, usage }: Candidate,
): string {
  const resource = resourceOf(threshold.signal);
  const low = `The node was low on resource: ${resource}. `;
  return low + thresholdWords(resource, met, measured) + containerWords(resource, pod, usage.containers);
}

function thresholdWords(resource: string, met: readonly Threshold[], measured: Measurements): string {
  const first = met.find(({ signal }) => resourceOf(signal) === resource);
  const value = first && measured[first.signal];
  if (!first || !value) return '';
  const quantity = bytesText(amountOf(first.limit, value.capacity));
  return `Threshold quantity: ${quantity}, available: ${bytesText(value.available)}. `;
}

function containerWords(resource: string, { spec }: Candidate['pod'], used: ReadonlyMap<string, number>): string {
  if (resource !== 'memory' && resource !== 'ephemeral-storage') return '';
  return [...spec.containers, ...(spec.initContainers ?? [])]
    .map(({ name, resources }) => {
      const bytes = used.get(name);
      const request = resources?.requests?.[resource] ?? '0';
      if (bytes === undefined || bytes <= numberValue(request)) return '';
      const words = `Container ${name} was using ${bytesText(bytes)}, request is ${canonicalQuantity(request)}`;
      return `${words}, has larger consumption of ${resource}. `;
    })
    .join('');
}

interface Words {
  readonly reason: string;
  readonly message: string;
  /** Of the event when it becomes so. */
  readonly event: string;
}

const words: Readonly<Record<Pressure, readonly [on: Words, off: Words]>> = {
  MemoryPressure: [
    {
      reason: 'KubeletHasInsufficientMemory',
      message: 'kubelet has insufficient memory available',
      event: 'NodeHasInsufficientMemory',
    },
    {
      reason: 'KubeletHasSufficientMemory',
      message: 'kubelet has sufficient memory available',
      event: 'NodeHasSufficientMemory',
    },
  ],
  DiskPressure: [
    { reason: 'KubeletHasDiskPressure', message: 'kubelet has disk pressure', event: 'NodeHasDiskPressure' },
    { reason: 'KubeletHasNoDiskPressure', message: 'kubelet has no disk pressure', event: 'NodeHasNoDiskPressure' },
  ],
  PIDPressure: [
    {
      reason: 'KubeletHasInsufficientPID',
      message: 'kubelet has insufficient PID available',
      event: 'NodeHasInsufficientPID',
    },
    {
      reason: 'KubeletHasSufficientPID',
      message: 'kubelet has sufficient PID available',
      event: 'NodeHasSufficientPID',
    },
  ],
};

export const pressureWords = (pressure: Pressure, on: boolean): Words => words[pressure][on ? 0 : 1];

/** The three of the Node object. */
export function pressureCondition(pressure: Pressure, on: boolean): Condition {
  const { reason, message } = pressureWords(pressure, on);
  return { type: pressure, status: on ? 'True' : 'False', reason, message };
}
