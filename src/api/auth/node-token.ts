/** Tokens that a node asks for over its link: only for pods that are bound to it, and only what their volumes name. */
import type { Pod } from '../../kube/pod.js';
import type { TokenRequest } from '../../link/frames.js';
import { badRequest, forbidden, notFound } from '../errors.js';
import { pod as podKind } from '../kinds/pod.js';
import { serviceAccount } from '../kinds/serviceaccount.js';
import type { ObjectView } from '../view.js';
import { tokenIssuer } from './claims.js';
import type { ServiceAccountTokens } from './service-account-tokens.js';
import { orderToken } from './token-order.js';

const minSeconds = 600;
const maxSeconds = 2 ** 32;

/** Throws StatusError 400, 403, 404, 409. */
export async function tokenForNode(
  view: Pick<ObjectView, 'get'>,
  accounts: ServiceAccountTokens,
  node: string,
  { namespace, name, uid, audience, seconds }: TokenRequest,
): Promise<string> {
  const pod = view.get('Pod', namespace, name) as Pod | undefined;
  if (pod?.spec.nodeName !== node) throw forbidden(podKind, name, `it is not bound to node ${JSON.stringify(node)}`);
  if (seconds < minSeconds || seconds > maxSeconds)
    throw badRequest(`token of ${seconds} seconds: from ${minSeconds} to ${maxSeconds} are allowed`);
  if (!isNamed(pod, audience))
    throw forbidden(podKind, name, `no volume of it names the audience ${JSON.stringify(audience)}`);
  const account = pod.spec.serviceAccountName || 'default';
  const found = view.get('ServiceAccount', namespace, account);
  if (!found) throw notFound(serviceAccount, account);
  const bound = { apiVersion: 'v1', kind: 'Pod', name, uid };
  const order = orderToken(view, found, bound, { audiences: [audience || tokenIssuer], seconds });
  return (await accounts.issue(order)).token;
}

function isNamed({ spec }: Pod, audience: string | undefined): boolean {
  return (spec.volumes ?? []).some(volume =>
    volume.projected?.sources?.some(
      ({ serviceAccountToken: source }) => source && (source.audience || '') === (audience || ''),
    ),
  );
}
