/** `resourceFieldRef`: requests and limits of a container as numbers for its environment. Pure. */
import type { Container } from '../../src/kube/pod.js';
import { quantityNanos } from '../../src/kube/quantity.js';
import { ContainerConfigError } from './contract.js';

/** The value of `limits.cpu`, … in 10⁻⁹; an absent limit is what the node has, an absent request is the limit, else 0. */
export function resourceNanos(
  container: Container,
  resource: string,
  allocatable: Readonly<Record<string, string>>,
): bigint {
  const [kind, ...rest] = resource.split('.');
  const name = rest.join('.');
  const { limits = {}, requests = {} } = container.resources ?? {};
  if (kind !== 'limits' && kind !== 'requests')
    throw new ContainerConfigError(`unsupported container resource : ${resource}`);
  const text = kind === 'limits' ? (limits[name] ?? allocatable[name]) : (requests[name] ?? limits[name]);
  return text === undefined ? 0n : quantityNanos(text);
}

/** Rounded up to whole divisors, as kubelet does (resource.ExtractContainerResourceValue). */
export function formatResource(resource: string, nanos: bigint, divisor = '1'): string {
  const unit = divisor === '0' ? 1_000_000_000n : quantityNanos(divisor);
  if (unit <= 0n) throw new ContainerConfigError(`the divisor "${divisor}" of ${resource} is not above 0`);
  return String((nanos + unit - 1n) / unit);
}
