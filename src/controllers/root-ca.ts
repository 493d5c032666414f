/** Every namespace has the certificate of the cluster's CA, so that pods can tell the API from anything else. Key: its name. */
import { deepEqual } from '../kube/json.js';
import { type Controller, type Facts, type Key, nothing, type Outcome, targetOf } from './contract.js';

const name = 'kube-root-ca.crt';
/** Where the start of the controller puts the CA. */
const source = { namespace: 'kube-system', name: 'extension-apiserver-authentication', key: 'client-ca-file' } as const;

export const rootCaController: Controller = {
  name: 'root-ca-publisher',
  wakes: [
    { kind: 'Namespace', keys: object => [object.metadata.name] },
    { kind: 'ConfigMap', keys: object => (object.metadata.name === name ? [object.metadata.namespace ?? ''] : []) },
  ],
  writes: [`ConfigMap ${name}`],
  reconcile,
};

function reconcile({ view }: Facts, namespace: Key): Outcome {
  const found = view.get('Namespace', undefined, namespace);
  const published = view.get('ConfigMap', source.namespace, source.name)?.data as Record<string, string> | undefined;
  const ca = published?.[source.key];
  if (!found || found.metadata.deletionTimestamp || ca === undefined) return nothing;
  const data = { 'ca.crt': ca };
  const map = view.get('ConfigMap', namespace, name);
  if (map && deepEqual(map.data, data)) return nothing;
  if (map)
    return { actions: [{ do: 'patch', target: targetOf(map), at: map.metadata.resourceVersion, patch: { data } }] };
  const annotations = {
    'kubernetes.io/description':
      'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.',
  };
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace, annotations }, data };
  return { actions: [{ do: 'create', object }] };
}
