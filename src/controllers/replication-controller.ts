/** Keeps `spec.replicas` pods alive for each ReplicationController, the ReplicaSet's elder. Key: `namespace/name`. */
import type { ReplicationController } from '../kube/api/core-v1.js';
import { requirementsOf } from '../kube/label-selector.js';
import { type LabelRequirement, matchesLabels } from '../kube/selector.js';
import { type Controller, type Facts, type Key, nothing, type Outcome } from './contract.js';
import { keyOfObject, objectOf, wakeOfDependents } from './pods/ownership.js';
import { keepReplicas } from './replicas/replicas.js';

export const replicationController: Controller = {
  name: 'replication',
  wakes: [
    { kind: 'ReplicationController', keys: object => [keyOfObject(object)] },
    wakeOfDependents('Pod', 'ReplicationController', (owner, pod) => {
      const requirements = selectorOf(owner as unknown as ReplicationController);
      return requirements !== undefined && matchesLabels(requirements, pod.metadata.labels);
    }),
  ],
  writes: ['Pods of ReplicationControllers', 'ReplicationController status'],
  concurrency: 5,
  reconcile,
};

function reconcile(facts: Facts, key: Key): Outcome {
  const found = objectOf<ReplicationController>(facts.view, 'ReplicationController', key);
  return found ? keepReplicas(facts, found, selectorOf(found), () => []) : nothing;
}

/** Its selector is a map, and an empty one selects nothing. */
function selectorOf({ spec }: ReplicationController): LabelRequirement[] | undefined {
  const matchLabels = spec?.selector ?? {};
  return Object.keys(matchLabels).length > 0 ? requirementsOf({ matchLabels }) : undefined;
}
