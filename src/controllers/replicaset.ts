/** Keeps `spec.replicas` pods alive for each ReplicaSet. Key: `namespace/name`. */
import type { ReplicaSet } from '../kube/api/apps-v1.js';
import { requirementsOf, selects } from '../kube/label-selector.js';
import type { Pod } from '../kube/pod.js';
import { type Controller, type Facts, type FactsView, type Key, nothing, type Outcome } from './contract.js';
import { isPodActive } from './pods/condition.js';
import { controllerRefOf, keyOfObject, objectOf, wakeOfDependents } from './pods/ownership.js';
import { keepReplicas } from './replicas/replicas.js';

export const replicaSetController: Controller = {
  name: 'replicaset',
  wakes: [
    { kind: 'ReplicaSet', keys: object => [keyOfObject(object)] },
    wakeOfDependents('Pod', 'ReplicaSet', (owner, pod) =>
      selects((owner as unknown as ReplicaSet).spec?.selector, pod.metadata.labels),
    ),
  ],
  writes: ['Pods of ReplicaSets', 'ReplicaSet status'],
  concurrency: 5,
  reconcile,
};

function reconcile(facts: Facts, key: Key): Outcome {
  const set = objectOf<ReplicaSet>(facts.view, 'ReplicaSet', key);
  if (!set) return nothing;
  return keepReplicas(facts, set, requirementsOf(set.spec?.selector), () => siblingsOf(facts.view, set));
}

/** Pods of the other ReplicaSets of the same Deployment. */
function siblingsOf(view: FactsView, set: ReplicaSet): Pod[] {
  const uid = controllerRefOf(set)?.uid;
  if (uid === undefined) return [];
  return view
    .dependents(uid)
    .filter(other => other.kind === 'ReplicaSet' && other.metadata.uid !== set.metadata.uid)
    .flatMap(other => view.dependents(other.metadata.uid ?? '') as unknown as Pod[])
    .filter(pod => pod.kind === 'Pod' && isPodActive(pod));
}
