/** Local ephemeral storage of a pod against its limits: pure, with kubelet's sentences (they end with a space). */
import type { Pod } from '../../src/kube/pod.js';
import { podLimits } from '../../src/kube/pod-resources.js';
import { canonicalQuantity, numberValue, quantityNanos } from '../../src/kube/quantity.js';

const resource = 'ephemeral-storage';

/** Bytes on the node's disk. */
export interface StorageUsage {
  /** Writable layer and logs, by container. */
  readonly containers: ReadonlyMap<string, number>;
  /** emptyDir volumes on disk, by name. */
  readonly volumes: ReadonlyMap<string, number>;
}

/** emptyDir volumes on the node's disk; those in memory count as memory. */
export const diskVolumes = (pod: Pod) =>
  (pod.spec.volumes ?? []).filter(volume => volume.emptyDir && (volume.emptyDir.medium ?? '') === '');

/** Whether there is anything to measure it for. */
export function hasStorageLimit(pod: Pod): boolean {
  const sized = diskVolumes(pod).some(volume => volume.emptyDir?.sizeLimit !== undefined);
  return sized || lasting(pod).some(container => container.resources?.limits?.[resource] !== undefined);
}

/** Why the pod must go, if so: a volume, the pod, a container; in kubelet's order. */
export function storageExcess(pod: Pod, usage: StorageUsage): string | undefined {
  return volumeExcess(pod, usage) ?? podExcess(pod, usage) ?? containerExcess(pod, usage);
}

function volumeExcess(pod: Pod, { volumes }: StorageUsage): string | undefined {
  for (const { name, emptyDir } of diskVolumes(pod)) {
    const limit = emptyDir?.sizeLimit;
    if (limit === undefined || isWithin(volumes.get(name), limit)) continue;
    return `Usage of EmptyDir volume "${name}" exceeds the limit "${canonicalQuantity(limit)}". `;
  }
  return undefined;
}

function podExcess({ spec }: Pod, { containers, volumes }: StorageUsage): string | undefined {
  const limit = podLimits(spec).get(resource);
  if (limit === undefined) return undefined;
  const used = [...containers.values(), ...volumes.values()].reduce((sum, bytes) => sum + bytes, 0);
  if (BigInt(used) * 1_000_000_000n <= limit) return undefined;
  return `Pod ephemeral local storage usage exceeds the total limit of containers ${limitText(spec, limit)}. `;
}

/** In the form in which the limits are written. */
function limitText(spec: Pod['spec'], nanos: bigint): string {
  const binary = spec.containers.some(({ resources }) => /i$/.test(resources?.limits?.[resource] ?? ''));
  const bytes = nanos / 1_000_000_000n;
  return canonicalQuantity(binary && bytes % 1024n === 0n ? `${bytes / 1024n}Ki` : String(bytes));
}

function containerExcess(pod: Pod, { containers }: StorageUsage): string | undefined {
  for (const { name, resources } of lasting(pod)) {
    const limit = resources?.limits?.[resource];
    if (limit === undefined || isWithin(containers.get(name), limit)) continue;
    return `Container ${name} exceeded its local ephemeral storage limit "${canonicalQuantity(limit)}". `;
  }
  return undefined;
}

const lasting = ({ spec }: Pod) => [...spec.containers, ...(spec.initContainers ?? [])];

const isWithin = (bytes: number | undefined, limit: string): boolean =>
  quantityNanos(limit) === 0n || (bytes ?? 0) <= numberValue(limit);
