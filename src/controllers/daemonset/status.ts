/** The status of a DaemonSet, counted over the nodes. Pure. */
import type { DaemonSetStatus } from '../../kube/api/apps-v1.js';
import { isPodAvailable, isPodReady } from '../pods/condition.js';
import { placesOf, type Situation } from './plan.js';
import { hashOf } from './pods.js';

type Next = { [field in keyof DaemonSetStatus]: DaemonSetStatus[field] | undefined };

export function statusOf(situation: Situation, collisionCount: number | undefined): Next {
  const { set, hash, now } = situation;
  const places = placesOf(situation);
  const wanted = places.filter(({ fit }) => fit.run);
  // the oldest pod of a node stands for it
  const first = wanted.flatMap(({ pods }) => pods[0] ?? []);
  const available = first.filter(pod => isPodAvailable(pod, set.spec?.minReadySeconds ?? 0, now)).length;
  return {
    observedGeneration: set.metadata.generation,
    desiredNumberScheduled: wanted.length,
    currentNumberScheduled: first.length,
    numberMisscheduled: places.filter(({ fit, pods }) => !fit.run && pods.length > 0).length,
    numberReady: first.filter(isPodReady).length,
    updatedNumberScheduled: first.filter(pod => hashOf(pod) === hash).length || undefined,
    numberAvailable: available || undefined,
    numberUnavailable: wanted.length - available || undefined,
    collisionCount,
    conditions: set.status?.conditions,
  };
}
