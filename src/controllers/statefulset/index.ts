/**
 * Keeps pods with lasting names for each StatefulSet. Key: `namespace/name`. There are never two pods of one name: names are
 * unique in the store, and nothing here deletes with force, so a pod on a node that is not heard of blocks its successor.
 */
import type { ControllerRevision, StatefulSet } from '../../kube/api/apps-v1.js';
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
import { availableInMs } from '../pods/condition.js';
import { claim, controllerRefOf, keyOfObject, objectOf } from '../pods/ownership.js';
import { forgetOld, historyOf } from '../revisions/history.js';
import { statusPatch } from '../status-patch.js';
import { claimOwners, neededClaims } from './claims.js';
import { hashLabel, identityLabels, identityOf, ordinalOf, podName, podOf, revisionOf } from './identity.js';
import { type Deed, isInRange, plan } from './plan.js';
import { statusOf } from './status.js';

export const statefulSetController: Controller = {
  name: 'statefulset',
  wakes: [
    { kind: 'StatefulSet', keys: object => [keyOfObject(object)] },
    { kind: 'Pod', keys: keysOfPod },
    { kind: 'PersistentVolumeClaim', keys: keysOfClaim },
    { kind: 'ControllerRevision', keys: keysOfRevision },
  ],
  writes: ['Pods, ControllerRevisions and PersistentVolumeClaims of StatefulSets', 'StatefulSet status'],
  concurrency: 5,
  reconcile,
};

/** By name: also a pod of somebody else stands in the way of one with its name. */
function keysOfPod({ metadata }: Seen, _deleted: boolean, view: FactsView): Key[] {
  const set = identityOf(metadata.name)?.set;
  return set !== undefined && view.get('StatefulSet', metadata.namespace, set)
    ? [`${metadata.namespace ?? ''}/${set}`]
    : [];
}

function keysOfClaim({ metadata }: Seen, _deleted: boolean, view: FactsView): Key[] {
  const name = identityOf(metadata.name)?.set;
  if (name === undefined) return [];
  const sets = view.list('StatefulSet', metadata.namespace);
  return sets.filter(set => name.endsWith(`-${set.metadata.name}`)).map(keyOfObject);
}

function keysOfRevision(object: Seen): Key[] {
  const owner = controllerRefOf(object);
  return owner?.kind === 'StatefulSet' ? [`${object.metadata.namespace ?? ''}/${owner.name}`] : [];
}

function reconcile(facts: Facts, key: Key): Outcome {
  const { view, now } = facts;
  const set = objectOf<StatefulSet>(view, 'StatefulSet', key);
  if (!set?.spec) return nothing;
  const { mine: pods, actions: claiming } = claim<Pod>(
    view,
    set,
    'Pod',
    pod => identityOf(pod.metadata.name)?.set === set.metadata.name && selects(set.spec?.selector, pod.metadata.labels),
  );
  if (set.metadata.deletionTimestamp) return nothing;
  const history = historyOf(view, set, hashLabel);
  const { update, collisionCount } = history;
  const current = history.revisions.find(one => one.metadata.name === set.status?.currentRevision) ?? update;
  const deeds = plan({ set, pods, update: update.metadata.name, now });
  const names = { current: current.metadata.name, update: update.metadata.name, collisionCount };
  const live = new Set([names.current, names.update, ...pods.flatMap(pod => revisionOf(pod) ?? [])]);
  const wait = nextAvailable(set, pods, now);
  return {
    actions: [
      ...history.actions,
      ...claiming,
      ...pods.flatMap(pod => identify(set, pod)),
      ...pods.flatMap(pod => ownersOfClaims(view, set, pod)),
      ...deeds.flatMap(deed => act(view, set, deed, { current, update })),
      ...statusPatch(set, statusOf(set, pods, names, now)),
      ...forgetOld(set, history.revisions, live),
    ],
    ...(wait !== undefined && { requeueAfterMs: wait }),
  };
}

/** One that was adopted has not the labels of its number. */
function identify(set: StatefulSet, pod: Pod): Action[] {
  const labels = identityLabels(set, ordinalOf(pod));
  if (Object.entries(labels).every(([name, value]) => pod.metadata.labels?.[name] === value)) return [];
  // adopting it has changed its resourceVersion in this very run
  return [{ do: 'patch', target: targetOf(pod), at: undefined, patch: { metadata: { labels } } }];
}

function ownersOfClaims(view: FactsView, set: StatefulSet, pod: Pod): Action[] {
  const ordinal = ordinalOf(pod);
  return claimOwners(view, set, ordinal, { pod, condemned: !isInRange(set, ordinal) });
}

interface Revisions {
  readonly current: ControllerRevision;
  readonly update: ControllerRevision;
}

function act(view: FactsView, set: StatefulSet, deed: Deed, revisions: Revisions): Action[] {
  if (deed.do === 'create') return createNumber(view, set, deed.ordinal, revisions[deed.revision]);
  const { pod } = deed;
  // whoever takes its claims along must be named in them first: the next run deletes it
  if (ownersOfClaims(view, set, pod).length > 0) return [];
  const about = referenceTo(set);
  const { namespace, name } = pod.metadata;
  const failing: Action = {
    do: 'event',
    about,
    type: 'Warning',
    reason: 'RecreatingFailedPod',
    message: `StatefulSet ${namespace}/${set.metadata.name} is recreating failed Pod ${name}`,
  };
  const text = `delete Pod ${name} in StatefulSet ${set.metadata.name}`;
  const tell = {
    about,
    done: { reason: 'SuccessfulDelete', message: `${text} successful` },
    failed: { reason: 'FailedDelete', message: `${text} failed error` },
  };
  return [...(deed.do === 'recreate' ? [failing] : []), { do: 'delete', target: targetOf(pod), tell }];
}

function createNumber(view: FactsView, set: StatefulSet, ordinal: number, revision: ControllerRevision): Action[] {
  const claims = neededClaims(view, set, ordinal);
  if (claims.leaving) return [];
  const text = `create Pod ${podName(set, ordinal)} in StatefulSet ${set.metadata.name}`;
  const tell = {
    about: referenceTo(set),
    done: { reason: 'SuccessfulCreate', message: `${text} successful` },
    failed: { reason: 'FailedCreate', message: `${text} failed error` },
  };
  return [...claims.create, { do: 'create', object: podOf(set, ordinal, revision), tell }];
}

/** Milliseconds until the next ready pod becomes available. */
function nextAvailable({ spec }: StatefulSet, pods: readonly Pod[], now: number): number | undefined {
  const waits = pods.map(pod => availableInMs(pod, spec?.minReadySeconds ?? 0, now) ?? 0).filter(ms => ms > 0);
  return waits.length > 0 ? Math.min(...waits) : undefined;
}
