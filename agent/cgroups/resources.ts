/**
 * Requests and limits → cgroup v2 files. Pure: the addon writes what this returns.
 * cpu.weight by runc's older linear rule (1000m → 39), memory and pids as kubelet sets them (platform §5.3).
 */

import type { CgroupFiles } from '../../native/index.js';
import type { Container, Pod, QosClass } from '../../src/kube/pod.js';
import { milliValue, numberValue } from '../../src/kube/quantity.js';

/** The kernel refuses a quota below 1 ms. */
const minQuotaUsec = 1000;
const periodUsec = 100_000;
const minShares = 2;
const maxShares = 262_144;
/** Every container has a bound, or a fork bomb takes the node (reliability rule B5). */
export const defaultPidsMax = 4096;

/** cpu.max for a limit such as `250m`: `25000 100000`. */
export function cpuMax(limit: string): string {
  const quota = Math.max(minQuotaUsec, (Number(milliValue(limit)) * periodUsec) / 1000);
  return `${quota} ${periodUsec}`;
}

/** cpu.weight for a request: shares = milli · 1024 / 1000 within [2, 262144], mapped linearly on [1, 10000]. */
export function cpuWeight(request: string | undefined): string {
  const milli = request === undefined ? 0 : Number(milliValue(request));
  const shares = Math.min(maxShares, Math.max(minShares, Math.floor((milli * 1024) / 1000)));
  return String(Math.floor(1 + ((shares - minShares) * 9999) / (maxShares - minShares)));
}

/** Files of one container's cgroup; those whose controller the kernel lacks are left out (`unenforceable` refuses limits first). */
export function containerFiles(container: Container, controllers: ReadonlySet<string>): CgroupFiles {
  const { limits = {}, requests = {} } = container.resources ?? {};
  const files: [string, string][] = [];
  if (controllers.has('cpu')) {
    files.push(['cpu.weight', cpuWeight(requests['cpu'] ?? limits['cpu'])]);
    if (limits['cpu']) files.push(['cpu.max', cpuMax(limits['cpu'])]);
  }
  if (controllers.has('memory')) {
    if (limits['memory']) files.push(['memory.max', String(numberValue(limits['memory']))], ['memory.swap.max', '0']);
    // an OOM kills the container whole, never half of it
    files.push(['memory.oom.group', '1']);
  }
  if (controllers.has('pids')) files.push(['pids.max', String(defaultPidsMax)]);
  return files;
}

/** Files of the pod's cgroup: the sum of its containers where every one of them is limited. */
export function podFiles(pod: Pod, controllers: ReadonlySet<string>): CgroupFiles {
  const files: [string, string][] = [];
  if (controllers.has('cpu')) {
    files.push(['cpu.weight', cpuWeight(`${total(pod, 'cpu', c => c.resources?.requests) ?? 0}m`)]);
    const cpu = total(pod, 'cpu', c => c.resources?.limits);
    if (cpu !== undefined) files.push(['cpu.max', cpuMax(`${cpu}m`)]);
  }
  if (controllers.has('memory')) {
    const memory = total(pod, 'memory', c => c.resources?.limits);
    if (memory !== undefined) files.push(['memory.max', String(memory / 1000n + podOverheadBytes)]);
  }
  return files;
}

/** Pause and shims live in the pod's group too; they must not eat the containers' memory. */
const podOverheadBytes = 4n * 1024n * 1024n;

/** What the pod says as a whole; else the sum in thousandths over app containers and sidecars, at least the largest init container; undefined if one has no value. */
function total(
  pod: Pod,
  resource: string,
  of: (c: Pick<Container, 'resources'>) => Record<string, string> | undefined,
): bigint | undefined {
  const whole = of(pod.spec)?.[resource];
  if (whole !== undefined) return milliValue(whole);
  const value = (c: Container): bigint | undefined => {
    const text = of(c)?.[resource];
    return text === undefined ? undefined : milliValue(text);
  };
  const init = (pod.spec.initContainers ?? []).map(value);
  const running = [
    ...pod.spec.containers,
    ...(pod.spec.initContainers ?? []).filter(c => c.restartPolicy === 'Always'),
  ].map(value);
  if ([...init, ...running].some(v => v === undefined)) return undefined;
  const sum = running.reduce<bigint>((a, v) => a + (v ?? 0n), 0n);
  return init.reduce<bigint>((a, v) => ((v ?? 0n) > a ? (v ?? 0n) : a), sum);
}

/** Limits that this kernel cannot enforce, in words; such a pod is refused, its limit never silently dropped (design §4). */
export function unenforceable(pod: Pod, controllers: ReadonlySet<string>): string[] {
  return [...(pod.spec.initContainers ?? []), ...pod.spec.containers].flatMap(c =>
    Object.entries(c.resources?.limits ?? {}).flatMap(([resource, limit]) => {
      const controller = controllerOf(resource);
      if (controller === undefined || controllers.has(controller)) return [];
      return [`container ${c.name}: limits.${resource} ${limit} needs the cgroup v2 controller "${controller}"`];
    }),
  );
}

/** What enforces a limit; undefined: no controller does. */
function controllerOf(resource: string): string | undefined {
  if (resource === 'cpu' || resource === 'memory') return resource;
  return resource.startsWith('hugepages-') ? 'hugetlb' : undefined;
}

/** Kubernetes' formula (reliability rule A8). */
export function oomScoreAdj(qos: QosClass, container: Container, nodeMemoryBytes: number): number {
  if (qos === 'Guaranteed') return -997;
  if (qos === 'BestEffort') return 1000;
  const request = container.resources?.requests?.['memory'];
  const share = request ? (1000 * numberValue(request)) / nodeMemoryBytes : 0;
  return Math.min(999, Math.max(3, Math.floor(1000 - share)));
}

export const pauseOomScoreAdj = -998;
