/**
 * Amounts as the scheduler counts them: plain numbers, CPU in thousandths, everything else in whole units, rounded up. A
 * number holds them exactly up to 2^53 (8 PiB of memory), and filters run hundreds of times per pod. Pure.
 */

import type { PodSpec } from '../kube/pod.js';
import { podRequests } from '../kube/pod-resources.js';
import { quantityNanos } from '../kube/quantity.js';

/** By resource name; what is absent is zero. */
export type Resources = ReadonlyMap<string, number>;

/** What a container without a request counts as in scores, so that nodes do not fill with them (kube-scheduler's figures). */
const scoredDefaults = { cpu: 100, memory: 200 * 1024 * 1024 } as const;

const unitNanos = (name: string): bigint => (name === 'cpu' ? 1_000_000n : 1_000_000_000n);

export function amountOf(name: string, nanos: bigint): number {
  const unit = unitNanos(name);
  return Number((nanos + unit - 1n) / unit);
}

/** Zero amounts are left out. */
export function requestsOf(spec: PodSpec): Resources {
  const amounts = [...podRequests(spec)].map(([name, nanos]) => [name, amountOf(name, nanos)] as const);
  return new Map(amounts.filter(([, amount]) => amount > 0));
}

export function allocatableOf(quantities: Readonly<Record<string, string>> = {}): Resources {
  return new Map(Object.entries(quantities).map(([name, text]) => [name, amountOf(name, quantityNanos(text))]));
}

export interface Scored {
  readonly cpu: number;
  readonly memory: number;
}

/** The requests with defaults for each container that has none. */
export function scoredRequests(spec: PodSpec): Scored {
  const withDefaults = (container: PodSpec['containers'][number]) => ({
    ...container,
    resources: { ...container.resources, requests: withDefault(container.resources) },
  });
  const containers = spec.containers.map(withDefaults);
  const initContainers = spec.initContainers?.map(withDefaults);
  const requests = podRequests({ ...spec, containers, ...(initContainers && { initContainers }) });
  const of = (name: string): number => amountOf(name, requests.get(name) ?? 0n);
  return { cpu: of('cpu'), memory: of('memory') };
}

function withDefault(resources: PodSpec['containers'][number]['resources']): Record<string, string> {
  return {
    cpu: resources?.requests?.['cpu'] ?? resources?.limits?.['cpu'] ?? `${scoredDefaults.cpu}m`,
    memory: resources?.requests?.['memory'] ?? resources?.limits?.['memory'] ?? String(scoredDefaults.memory),
  };
}

export function addAmounts(into: Map<string, number>, amounts: Resources, sign: 1 | -1): void {
  for (const [name, amount] of amounts) into.set(name, (into.get(name) ?? 0) + sign * amount);
}
