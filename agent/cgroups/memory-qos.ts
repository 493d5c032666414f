/**
 * Memory that a container has asked for is kept for it (memory.min), and it is slowed down before its limit kills it
 * (memory.high): kubelet's MemoryQoS, off unless asked for (KEP-2570). Pure.
 */
import type { CgroupFiles } from '../../native/index.js';
import type { Container, Pod } from '../../src/kube/pod.js';
import { podRequests } from '../../src/kube/pod-resources.js';
import { numberValue } from '../../src/kube/quantity.js';

/** How far between request and limit the brake comes. */
const throttlingShare = 0.9;
const pageBytes = 4096;

export function memoryQosFiles(
  pod: Pod,
  { resources }: Container,
  allocatable: Readonly<Record<string, string>>,
): CgroupFiles {
  const limit = resources?.limits?.['memory'];
  const requestBytes = numberValue(resources?.requests?.['memory'] ?? limit ?? '0');
  const min: CgroupFiles = [['memory.min', String(requestBytes)]];
  if (pod.status?.qosClass === 'Guaranteed') return min;
  const topBytes = numberValue(limit ?? allocatable['memory'] ?? '0');
  const highBytes = requestBytes + throttlingShare * (topBytes - requestBytes);
  if (highBytes <= requestBytes) return min;
  return [...min, ['memory.high', String(Math.floor(highBytes / pageBytes) * pageBytes)]];
}

/** What the groups above must promise, or the promise below them is void: bytes. */
export function memoryMinBytes(pods: readonly Pod[]): number {
  return pods.reduce((sum, { spec }) => sum + Number((podRequests(spec).get('memory') ?? 0n) / 1_000_000_000n), 0);
}
