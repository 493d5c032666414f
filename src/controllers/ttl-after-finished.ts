/** Removes Jobs that have ended, ttlSecondsAfterFinished after they did. Key: `namespace/name`. */
import type { Job } from '../kube/api/batch-v1.js';
import { parseTime } from '../kube/time.js';
import { type Controller, type Facts, type Key, nothing, type Outcome, targetOf } from './contract.js';
import { conditionOf } from './job/verdict.js';
import { keyOfObject, objectOf } from './pods/ownership.js';

export const ttlAfterFinishedController: Controller = {
  name: 'ttl-after-finished',
  wakes: [{ kind: 'Job', keys: object => [keyOfObject(object)] }],
  writes: ['deletes Jobs that have ended'],
  reconcile,
};

function reconcile({ view, now }: Facts, key: Key): Outcome {
  const job = objectOf<Job>(view, 'Job', key);
  const seconds = job?.spec?.ttlSecondsAfterFinished;
  const condition = job && (conditionOf(job, 'Complete') ?? conditionOf(job, 'Failed'));
  const endedAt = parseTime(condition?.lastTransitionTime ?? '');
  if (!job || seconds === undefined || endedAt === undefined || job.metadata.deletionTimestamp) return nothing;
  const leftMs = endedAt + seconds * 1000 - now;
  if (leftMs > 0) return { actions: [], requeueAfterMs: leftMs };
  return { actions: [{ do: 'delete', target: targetOf(job), propagation: 'Foreground' }] };
}
