/** How much of what is short each pod has: asked only when one has to go. One native trip each, off the event loop. */
import { cgroupStats } from '../../native/index.js';
import type { PodWorker } from '../pods/worker.js';
import { storageUsages } from '../stats/storage-watch.js';
import { UsageSampler } from '../stats/usage.js';
import type { Candidate, Usage } from './rank.js';
import { resourceOf, type Signal } from './thresholds.js';

const nothing: Usage = { total: 0, containers: new Map() };

/** The pods that run, each with what it has of the signal's resource. Inodes are told by the bytes they hold. */
export async function candidates(workers: readonly PodWorker[], signal: Signal): Promise<(Candidate & Of)[]> {
  const resource = resourceOf(signal);
  const usages =
    resource === 'memory'
      ? await memoryUsages(workers)
      : resource === 'pids'
        ? await pidUsages(workers)
        : await diskUsages(workers);
  return workers.map((worker, i) => ({ worker, pod: worker.pod, usage: usages[i] ?? nothing }));
}

interface Of {
  readonly worker: PodWorker;
}

async function memoryUsages(workers: readonly PodWorker[]): Promise<Usage[]> {
  const { pods } = await new UsageSampler().sample(workers);
  return workers.map(({ pod }) => {
    const found = pods.find(({ uid }) => uid === pod.metadata.uid);
    if (!found) return nothing;
    return {
      total: found.memoryWorkingSetBytes,
      containers: new Map(found.containers.map(c => [c.name, c.memoryWorkingSetBytes])),
    };
  });
}

async function pidUsages(workers: readonly PodWorker[]): Promise<Usage[]> {
  const stats = await cgroupStats(workers.map(({ paths }) => paths.cgroup));
  return workers.map((_, i) => ({ ...nothing, total: Math.max(0, stats[i]?.pids ?? 0) }));
}

async function diskUsages(workers: readonly PodWorker[]): Promise<Usage[]> {
  const usages = await storageUsages(workers);
  return usages.map(({ containers, volumes }) => ({
    total: [...containers.values(), ...volumes.values()].reduce((sum, bytes) => sum + bytes, 0),
    containers,
  }));
}
