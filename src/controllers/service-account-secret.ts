/**
 * Secrets that ask for a ServiceAccount's token by their type: gets them filled, and takes them away with their account.
 * Key: `namespace/name` of the Secret.
 */
import { type Controller, type Facts, type Key, nothing, type Outcome, type Seen, targetOf } from './contract.js';

const type = 'kubernetes.io/service-account-token';
const annotation = (what: 'name' | 'uid'): string => `kubernetes.io/service-account.${what}`;
const isToken = (object: Seen): boolean => object.type === type;

export const serviceAccountSecretController: Controller = {
  name: 'service-account-secret',
  wakes: [
    {
      kind: 'Secret',
      keys: object => (isToken(object) ? [`${object.metadata.namespace}/${object.metadata.name}`] : []),
    },
    { kind: 'ServiceAccount', keys: object => [`${object.metadata.namespace}/`] },
  ],
  writes: [`data of Secrets of type ${type}`],
  reconcile,
};

function reconcile({ view }: Facts, key: Key): Outcome {
  const [namespace = '', name = ''] = key.split('/');
  // a ServiceAccount came or went: all that name one
  if (name === '')
    return {
      actions: view
        .list('Secret', namespace)
        .filter(isToken)
        .flatMap(secret => decide(view, secret)),
    };
  const secret = view.get('Secret', namespace, name);
  return secret && isToken(secret) ? { actions: decide(view, secret) } : nothing;
}

function decide(view: Facts['view'], secret: Seen): Outcome['actions'] {
  const { namespace, annotations = {} } = secret.metadata;
  const account = view.get('ServiceAccount', namespace, annotations[annotation('name')] ?? '');
  const uid = annotations[annotation('uid')];
  if (!account) return uid === undefined ? [] : [{ do: 'delete', target: targetOf(secret) }];
  if (uid !== undefined && uid !== account.metadata.uid) return [{ do: 'delete', target: targetOf(secret) }];
  const data = (secret.data ?? {}) as Record<string, string>;
  const filled = uid !== undefined && data.token && data['ca.crt'] && data.namespace;
  return filled ? [] : [{ do: 'issue', what: 'token', target: targetOf(secret) }];
}
