/** Every live namespace has a ServiceAccount `default`. Key: the namespace's name. */
import { type Controller, type Facts, type Key, nothing, type Outcome } from './contract.js';

export const serviceAccountController: Controller = {
  name: 'service-account',
  wakes: [
    { kind: 'Namespace', keys: object => [object.metadata.name] },
    {
      kind: 'ServiceAccount',
      keys: object => (object.metadata.name === 'default' ? [object.metadata.namespace ?? ''] : []),
    },
  ],
  writes: ['creates ServiceAccount default'],
  reconcile,
};

function reconcile({ view }: Facts, key: Key): Outcome {
  const namespace = view.get('Namespace', undefined, key);
  if (!namespace || namespace.metadata.deletionTimestamp || view.get('ServiceAccount', key, 'default')) return nothing;
  return {
    actions: [
      {
        do: 'create',
        object: { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace: key } },
      },
    ],
  };
}
