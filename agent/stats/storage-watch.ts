/** Pods that take more of the node's disk than they may are evicted: measured now and then, in one trip off the loop. */
import { join } from 'node:path';
import { diskUsage } from '../../native/index.js';
import type { Pod } from '../../src/kube/pod.js';
import { allContainers } from '../pods/facts.js';
import { attemptDirectory, type PodPaths } from '../pods/paths.js';
import type { PodWorker } from '../pods/worker.js';
import { diskVolumes, hasStorageLimit, type StorageUsage, storageExcess } from './storage-limits.js';

/** As often as kubelet looks. */
export const storageCheckMs = 10_000;
/** An evicted pod has had its chance. */
const evictionGraceMs = 1000;

interface Place {
  readonly kind: 'containers' | 'volumes';
  readonly name: string;
  readonly path: string;
}

/** @param onEvicted is told of each pod and why */
export async function evictOverLimit(
  workers: Iterable<PodWorker>,
  onEvicted: (pod: Pod, message: string) => void,
): Promise<void> {
  const limited = [...workers].filter(
    ({ pod, facts }) => facts.sandbox?.alive && !facts.termination && hasStorageLimit(pod),
  );
  const usages = await storageUsages(limited);
  for (const [i, worker] of limited.entries()) {
    const usage = usages[i];
    const message = usage && storageExcess(worker.pod, usage);
    if (message === undefined || worker.facts.termination) continue;
    worker.terminate({ deleted: false, failed: true, reason: 'Evicted', message, graceMs: evictionGraceMs });
    onEvicted(worker.pod, message);
  }
}

/** What each of them has on the node's disk, measured in one trip. */
export async function storageUsages(workers: readonly PodWorker[]): Promise<StorageUsage[]> {
  const places = workers.map(placesOf);
  const sizes = await diskUsage(places.flat().map(({ path }) => path));
  let next = 0;
  return places.map(mine => {
    const from = next;
    next += mine.length;
    return usageOf(mine, sizes.slice(from, next));
  });
}

function placesOf({ pod, paths, facts }: PodWorker): Place[] {
  const containers = allContainers(pod).flatMap(({ name }) => {
    const attempt = (facts.containers[name]?.nextAttempt ?? 0) - 1;
    return attempt < 0 ? [] : placesOfContainer(paths, name, attempt);
  });
  const volumes = diskVolumes(pod).map(({ name }) => ({
    kind: 'volumes' as const,
    name,
    path: join(paths.volumes, name),
  }));
  return [...containers, ...volumes];
}

const placesOfContainer = (paths: PodPaths, name: string, attempt: number): Place[] => [
  { kind: 'containers', name, path: join(attemptDirectory(paths, name, attempt), 'upper') },
  { kind: 'containers', name, path: join(paths.logs, name) },
];

function usageOf(places: readonly Place[], sizes: readonly number[]): StorageUsage {
  const usage = { containers: new Map<string, number>(), volumes: new Map<string, number>() };
  for (const [i, { kind, name }] of places.entries())
    usage[kind].set(name, (usage[kind].get(name) ?? 0) + (sizes[i] ?? 0));
  return usage;
}
