/** Keeps one pod of each DaemonSet on every node that fits. Key: `namespace/name`. */
import type { DaemonSet } from '../../kube/api/apps-v1.js';
import { selects } from '../../kube/label-selector.js';
import { referenceTo } from '../../kube/meta.js';
import type { Node } from '../../kube/node.js';
import type { Pod } from '../../kube/pod.js';
import { type Action, type Controller, type Facts, type Key, nothing, type Outcome, type Seen } from '../contract.js';
import { availableInMs } from '../pods/condition.js';
import { claim, controllerRefOf, keyOfObject, objectOf, wakeOfDependents } from '../pods/ownership.js';
import { createPod, deletePod } from '../pods/tell.js';
import { forgetOld, historyOf } from '../revisions/history.js';
import { statusPatch } from '../status-patch.js';
import { failuresAnnotation, plan } from './plan.js';
import { hashLabel, hashOf, nodeOf, podFor } from './pods.js';
import { statusOf } from './status.js';

export const daemonSetController: Controller = {
  name: 'daemonset',
  wakes: [
    { kind: 'DaemonSet', keys: object => [keyOfObject(object)] },
    wakeOfDependents('Pod', 'DaemonSet', (owner, pod) =>
      selects((owner as unknown as DaemonSet).spec?.selector, pod.metadata.labels),
    ),
    { kind: 'Node', keys: (_node, _deleted, view) => view.list('DaemonSet').map(keyOfObject) },
    { kind: 'ControllerRevision', keys: keysOfRevision },
  ],
  writes: ['Pods and ControllerRevisions of DaemonSets', 'DaemonSet status'],
  concurrency: 5,
  reconcile,
};

function keysOfRevision(object: Seen): Key[] {
  const owner = controllerRefOf(object);
  return owner?.kind === 'DaemonSet' ? [`${object.metadata.namespace ?? ''}/${owner.name}`] : [];
}

/** So many pods are made or removed in one run. */
const burst = 500;

function reconcile({ view, now, random }: Facts, key: Key): Outcome {
  const set = objectOf<DaemonSet>(view, 'DaemonSet', key);
  if (!set?.spec || set.metadata.deletionTimestamp) return nothing;
  const { mine: pods, actions: claiming } = claim<Pod>(view, set, 'Pod', pod =>
    selects(set.spec?.selector, pod.metadata.labels),
  );
  const history = historyOf(view, set, hashLabel);
  const hash = hashOf(history.update) ?? '';
  const situation = { set, nodes: view.list('Node') as unknown as Node[], pods, hash, now };
  const { create, remove, ended, waitMs } = plan(situation);
  const live = new Set([
    history.update.metadata.name,
    ...history.revisions.filter(one => pods.some(pod => hashOf(pod) === hashOf(one))).map(one => one.metadata.name),
  ]);
  const waits = [waitMs, ...pods.map(pod => availableInMs(pod, set.spec?.minReadySeconds ?? 0, now) || undefined)];
  const wait = Math.min(...waits.filter(ms => ms !== undefined));
  return {
    actions: [
      ...history.actions,
      ...claiming,
      ...ended.map(pod => failed(set, pod)),
      ...remove.slice(0, burst).map(pod => deletePod(pod, set)),
      ...create
        .slice(0, burst)
        .map(({ node, failures }) => createPod(marked(podFor(set, node, hash, random), failures), set)),
      ...statusPatch(set, statusOf(situation, history.collisionCount)),
      ...forgetOld(set, history.revisions, live),
    ],
    ...(Number.isFinite(wait) && { requeueAfterMs: wait }),
  };
}

function marked(pod: Pod, failures: number): Pod {
  if (failures === 0) return pod;
  const annotations = { ...pod.metadata.annotations, [failuresAnnotation]: String(failures) };
  return { ...pod, metadata: { ...pod.metadata, annotations } };
}

function failed(set: DaemonSet, pod: Pod): Action {
  const { namespace, name } = pod.metadata;
  const bad = pod.status?.phase === 'Failed';
  return {
    do: 'event',
    about: referenceTo(set),
    type: bad ? 'Warning' : 'Normal',
    reason: bad ? 'FailedDaemonPod' : 'SucceededDaemonPod',
    message: `Found ${bad ? 'failed' : 'succeeded'} daemon pod ${namespace}/${name} on node ${nodeOf(pod)}, will try to ${bad ? 'kill' : 'delete'} it`,
  };
}
