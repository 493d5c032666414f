/** Keeps the logs of running containers within bounds (reliability rule A9: 10 MiB, 5 files, looked at every 10 s). */
import { describe } from '../../src/base/errors.js';
import { rotateLog } from '../containers/logs.js';
import { logPath } from './paths.js';
import type { PodWorker } from './worker.js';

export const logCheckMs = 10_000;

export async function rotateLogs(workers: Iterable<PodWorker>): Promise<void> {
  for (const worker of workers) {
    for (const [name, { live }] of Object.entries(worker.facts.containers)) {
      const held = worker.liveContainer(name);
      if (!live || !held) continue;
      await rotateLog(logPath(worker.paths, name, live.attempt), () =>
        worker.node.runtime.reopenLog(held.handle),
      ).catch((error: unknown) =>
        worker.node.log.warn(
          { pod: worker.paths.uid, container: name, error: describe(error) },
          'log could not be rotated',
        ),
      );
    }
  }
}
