/** What a node does now and then for its pods: the list, each with its pace. */
import { describe } from '../src/base/errors.js';
import type { Pod } from '../src/kube/pod.js';
import type { LinkClient } from '../src/link/client.js';
import type { Chore } from './chores.js';
import { logCheckMs, rotateLogs } from './pods/log-keeper.js';
import type { PodNode } from './pods/node-contract.js';
import type { PodWorker } from './pods/worker.js';
import { evictOverLimit, storageCheckMs } from './stats/storage-watch.js';
import { sampleEveryMs, UsageSampler } from './stats/usage.js';
import { refreshTokens } from './volumes/volumes.js';

/** How often tokens are looked at; they live ten minutes at least, and are renewed at 80 % of that. */
const tokenCheckMs = 60_000;

export function podChores(node: PodNode, workers: () => Iterable<PodWorker>, link: () => LinkClient): Chore[] {
  const usage = new UsageSampler();
  const evicted = (pod: Pod, message: string): void => node.event(pod, 'Warning', 'Evicted', message);
  const sampleUsage = async (): Promise<void> => {
    if (link().connected) link().stats({ t: 'stats', stats: await usage.sample(workers()) });
  };
  return [
    { what: 'tokens', everyMs: () => tokenCheckMs, run: () => renewTokens(standing(workers()), node) },
    { what: 'logs', everyMs: () => logCheckMs, run: () => rotateLogs(workers()) },
    { what: 'local storage', everyMs: () => storageCheckMs, run: () => evictOverLimit(workers(), evicted) },
    { what: 'usage', everyMs: () => sampleEveryMs([...workers()].length), run: sampleUsage },
  ];
}

/** A pod that has been torn down has no volumes to keep up. */
export function* standing(workers: Iterable<PodWorker>): Iterable<PodWorker> {
  for (const worker of workers) if (!worker.facts.tornDown) yield worker;
}

/** One pod whose token cannot be had does not keep the others from theirs. */
async function renewTokens(workers: Iterable<PodWorker>, { sources, log }: PodNode): Promise<void> {
  for (const { pod, paths } of workers)
    await refreshTokens(pod, paths.volumes, sources, Date.now()).catch((error: unknown) =>
      log.warn({ pod: pod.metadata.uid, error: describe(error) }, 'token could not be renewed: tried again'),
    );
}
