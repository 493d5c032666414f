/**
 * Runs pods until so many of them have succeeded. Keys: `namespace/name` of a Job; `uid:UID` for the pods that a deleted
 * one has left, whose finalizers nobody else takes off; `pod:NAMESPACE/NAME` for a pod that was let go of.
 */
import type { Job } from '../../kube/api/batch-v1.js';
import { selects } from '../../kube/label-selector.js';
import { referenceTo } from '../../kube/meta.js';
import type { Pod } from '../../kube/pod.js';
import {
  type Action,
  type Controller,
  type Facts,
  type FactsView,
  type Key,
  nothing,
  type Outcome,
  type Seen,
  targetOf,
} from '../contract.js';
import { isPodActive } from '../pods/condition.js';
import { claim, controllerRefOf, keyOfObject, objectOf } from '../pods/ownership.js';
import { createPod, deletePod } from '../pods/tell.js';
import { statusPatch } from '../status-patch.js';
import { countPods } from './count.js';
import { manage } from './manage.js';
import { isTracked, newPod, tracking } from './pods.js';
import { statusOf } from './status.js';
import { deadlineLeftMs, isFinished, storedVerdict, verdictOf } from './verdict.js';

export const jobController: Controller = {
  name: 'job',
  wakes: [
    {
      kind: 'Job',
      keys: (object, deleted) => [deleted ? `uid:${object.metadata.uid}` : keyOfObject(object)],
    },
    { kind: 'Pod', keys: keysOfPod },
  ],
  writes: ['Pods of Jobs', 'the finalizer batch.kubernetes.io/job-tracking', 'Job status'],
  concurrency: 5,
  reconcile,
};

function keysOfPod(object: Seen, deleted: boolean, view: FactsView): Key[] {
  const { namespace = '', name } = object.metadata;
  const owner = controllerRefOf(object);
  if (owner && owner.kind !== 'Job') return [];
  const pod = object as unknown as Pod;
  if (!owner) {
    if (deleted) return [];
    const jobs = view.list('Job', namespace).filter(job => selects((job as Job).spec?.selector, pod.metadata.labels));
    return [...jobs.map(keyOfObject), ...(isTracked(pod) && jobs.length === 0 ? [`pod:${namespace}/${name}`] : [])];
  }
  const job = view.get('Job', namespace, owner.name);
  return job?.metadata.uid === owner.uid ? [`${namespace}/${owner.name}`] : [`uid:${owner.uid}`];
}

function reconcile(facts: Facts, key: Key): Outcome {
  const { view } = facts;
  if (key.startsWith('uid:')) {
    const pods = view.dependents(key.slice('uid:'.length)) as unknown as Pod[];
    return { actions: pods.filter(isLeft).map(release) };
  }
  if (key.startsWith('pod:')) {
    const pod = objectOf<Pod>(view, 'Pod', key.slice('pod:'.length));
    return { actions: pod && isLeft(pod) && !controllerRefOf(pod) ? [release(pod)] : [] };
  }
  const job = objectOf<Job>(view, 'Job', key);
  if (!job?.spec || !isOurs(job)) return nothing;
  return run(facts, job);
}

const isLeft = (pod: Pod): boolean => pod.kind === 'Pod' && isTracked(pod);

/** `managedBy` hands a Job to some other controller. */
const isOurs = ({ spec }: Job): boolean => !spec?.managedBy || spec.managedBy === 'kubernetes.io/job-controller';

function run(facts: Facts, job: Job & Seen): Outcome {
  const { view, now } = facts;
  const { mine: pods, actions: claiming } = claim<Pod>(view, job, 'Pod', pod =>
    selects(job.spec?.selector, pod.metadata.labels),
  );
  const decided = storedVerdict(job);
  const finished = isFinished(job);
  const leaving = job.metadata.deletionTimestamp !== undefined;
  const count = countPods(job, pods, finished || decided !== undefined || leaving);
  const active = pods.filter(isPodActive);
  const verdict = finished ? undefined : (decided ?? verdictOf(job, { count, active, now }));
  const management = finished || leaving ? none : verdict ? { ...none, remove: active } : manage(job, pods, count, now);
  const { status, news } = statusOf(job, pods, { count, verdict, now });
  const waits = [management.waitMs, finished || verdict ? undefined : deadlineLeftMs(job, now)].filter(
    ms => ms !== undefined,
  );
  return {
    actions: [
      ...claiming,
      ...statusPatch(job, status),
      ...news.map((event): Action => ({ do: 'event', about: referenceTo(job), ...event })),
      ...(finished ? pods.filter(pod => isLeft(pod) && !isPodActive(pod)) : count.release).map(release),
      ...management.remove.flatMap(pod => remove(job, pod, verdict !== undefined)),
      ...management.create.map(index => createPod(newPod(job, facts.random, index), job)),
    ],
    ...(waits.length > 0 && { requeueAfterMs: Math.max(0, Math.min(...waits)) }),
  };
}

const none = { remove: [], create: [], waitMs: undefined };

/** A pod that is only too many is not counted as a failure: its finalizer goes first. */
function remove(job: Job, pod: Pod, counts: boolean): Action[] {
  return [...(counts || !isTracked(pod) ? [] : [release(pod)]), deletePod(pod, job)];
}

function release(pod: Pod): Action {
  const left = (pod.metadata.finalizers ?? []).filter(name => name !== tracking);
  return {
    do: 'patch',
    target: targetOf(pod),
    at: pod.metadata.resourceVersion,
    patch: { metadata: { finalizers: left.length > 0 ? left : null } },
  };
}
