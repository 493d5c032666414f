/**
 * What a pod asks for in all (Kubernetes: "Resource sharing within containers"): the greater of what its containers with its
 * sidecars need together and what any one init container needs beside the sidecars started before it, plus overhead. Pure.
 */
import type { Container, PodSpec } from './pod.js';
import { quantityNanos } from './quantity.js';

/** Nano-units by resource name. */
export type Amounts = ReadonlyMap<string, bigint>;
type Which = 'requests' | 'limits';

export const podRequests = (spec: PodSpec): Amounts => podAmounts(spec, 'requests');
export const podLimits = (spec: PodSpec): Amounts => podAmounts(spec, 'limits');

function podAmounts(spec: PodSpec, which: Which): Amounts {
  const sidecars = new Map<string, bigint>();
  const peak = new Map<string, bigint>();
  for (const container of spec.initContainers ?? []) {
    const own = amountsOf(container, which);
    if (container.restartPolicy === 'Always') {
      add(sidecars, own);
      raise(peak, sidecars);
    } else raise(peak, sum(sidecars, own));
  }
  const together = new Map(sidecars);
  for (const container of spec.containers) add(together, amountsOf(container, which));
  raise(together, peak);
  // what the pod says as a whole counts instead of the sum (KEP-2837)
  for (const [name, amount] of amountsOf(spec, which)) together.set(name, amount);
  // a limit without one of its own stays unlimited: overhead only raises what is there
  for (const [name, text] of Object.entries(spec.overhead ?? {}))
    if (which === 'requests' || together.has(name))
      together.set(name, (together.get(name) ?? 0n) + quantityNanos(text));
  return together;
}

/** A request that is left out is the limit. */
export function amountsOf({ resources }: Pick<Container | PodSpec, 'resources'>, which: Which): Amounts {
  const given = which === 'limits' ? resources?.limits : { ...resources?.limits, ...resources?.requests };
  return new Map(Object.entries(given ?? {}).map(([name, text]) => [name, quantityNanos(text)]));
}

function add(into: Map<string, bigint>, more: Amounts): void {
  for (const [name, amount] of more) into.set(name, (into.get(name) ?? 0n) + amount);
}

function sum(a: Amounts, b: Amounts): Amounts {
  const result = new Map(a);
  add(result, b);
  return result;
}

function raise(into: Map<string, bigint>, least: Amounts): void {
  for (const [name, amount] of least) if (amount > (into.get(name) ?? 0n)) into.set(name, amount);
}
