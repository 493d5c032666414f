/** From what a token shall be bound to, to the objects that its claims name. Pure over the view. */
import type { BoundObjectReference } from '../../kube/api/authentication-v1.js';
import type { KubeObject } from '../../kube/meta.js';
import type { Pod } from '../../kube/pod.js';
import { badRequest, conflict, notFound } from '../errors.js';
import type { AnyObject } from '../kind.js';
import type { ObjectView } from '../view.js';
import type { TokenOrder } from './claims.js';

type Objects = Pick<ObjectView, 'get'>;

/** Throws StatusError 400 for what tokens cannot be bound to, 404 for what is not there, 409 for another one of that name. */
export function orderToken(
  view: Objects,
  account: KubeObject,
  bound: BoundObjectReference | null | undefined,
  wanted: Pick<TokenOrder, 'audiences' | 'seconds'>,
): TokenOrder {
  const order = { account, ...wanted };
  if (!bound) return order;
  const { namespace } = account.metadata;
  switch (`${bound.apiVersion ?? ''} ${bound.kind ?? ''}`) {
    case 'v1 Pod':
      return { ...order, ...podOf(view, account, find(view, bound, 'pods', namespace) as unknown as Pod) };
    case 'v1 Secret':
      return { ...order, secret: find(view, bound, 'secrets', namespace) };
    case 'v1 Node':
      return { ...order, node: find(view, bound, 'nodes', undefined) };
    default:
      throw badRequest(`cannot bind token to object of type ${bound.apiVersion ?? ''}, Kind=${bound.kind ?? ''}`);
  }
}

function podOf(view: Objects, { metadata: { name } }: KubeObject, pod: Pod): Pick<TokenOrder, 'pod' | 'node'> {
  if ((pod.spec.serviceAccountName || 'default') !== name)
    throw badRequest(
      `cannot bind token for serviceaccount ${JSON.stringify(name)} to pod running with different serviceaccount name.`,
    );
  const node = pod.spec.nodeName ? view.get('Node', undefined, pod.spec.nodeName) : undefined;
  return { pod, ...(node && { node }) };
}

function find(view: Objects, bound: BoundObjectReference, plural: string, namespace: string | undefined): AnyObject {
  const subject = { group: '', plural, kind: bound.kind ?? '' };
  const { name = '', uid } = bound;
  const found = view.get(subject.kind, namespace, name);
  if (!found) throw notFound(subject, name);
  if (uid && uid !== found.metadata.uid)
    throw conflict(
      subject,
      name,
      `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  return found;
}
