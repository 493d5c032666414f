/**
 * Empties a deleted namespace: pods first and gracefully, then everything else, then the namespace lets go of itself. Pods
 * go first because what guards or serves them must outlive them (reliability A12). Key: the namespace's name.
 */
import {
  type Action,
  type Controller,
  type Facts,
  type Key,
  nothing,
  type Outcome,
  type Seen,
  targetOf,
} from './contract.js';

export const namespaceController: Controller = {
  name: 'namespace',
  wakes: [
    { kind: 'Namespace', keys: object => [object.metadata.name] },
    // what disappears from a namespace may be the last thing that it waited for
    { kind: '*', keys: (object, deleted) => (deleted ? [object.metadata.namespace ?? ''] : []) },
  ],
  writes: ['Namespace spec.finalizers', 'deletes everything in a deleted namespace'],
  reconcile,
};

function reconcile({ view }: Facts, key: Key): Outcome {
  const namespace = view.get('Namespace', undefined, key);
  if (!namespace?.metadata.deletionTimestamp) return nothing;
  const pods = view.list('Pod', key);
  if (pods.length > 0) return { actions: pods.filter(isLive).map(remove) };
  const rest = view.namespacedKinds.flatMap(kind => view.list(kind, key));
  if (rest.length > 0) return { actions: rest.filter(isLive).map(remove) };
  const { resourceVersion } = namespace.metadata;
  return {
    actions: [
      {
        do: 'patch',
        target: targetOf(namespace),
        at: resourceVersion,
        patch: { spec: { finalizers: null } },
        subresource: 'finalize',
      },
    ],
  };
}

const isLive = (object: Seen): boolean => object.metadata.deletionTimestamp === undefined;
const remove = (object: Seen): Action => ({ do: 'delete', target: targetOf(object) });
