/** `POST …/serviceaccounts/NAME/token`: a token for that account, perhaps bound to a pod, a secret or a node. */
import type { TokenRequest } from '../../kube/api/authentication-v1.js';
import type { KubeObject } from '../../kube/meta.js';
import { timestamp } from '../../kube/time.js';
import { read } from '../answer.js';
import { tokenIssuer } from '../auth/claims.js';
import { orderToken } from '../auth/token-order.js';
import { nodeNameOf } from '../authorize.js';
import { readObject } from '../codec.js';
import { type FieldError, forbidden, invalid, invalidObject } from '../errors.js';
import { serviceAccount } from '../kinds/serviceaccount.js';
import { type ApiContext, type ApiRequest, fieldValidationOf, type ResourceRoute } from '../request.js';
import { readBody, sendJson } from '../respond.js';

const expected = {
  group: 'authentication.k8s.io',
  version: 'v1',
  kind: 'TokenRequest',
  type: 'authentication.v1.TokenRequest',
};
const minSeconds = 600;
const maxSeconds = 2 ** 32;
const defaultSeconds = 3600;

/** Throws StatusError 400, 403, 404, 409, 422. */
export async function tokenRequest(context: ApiContext, call: ApiRequest, route: ResourceRoute): Promise<void> {
  const { request, query, response } = call;
  const { object } = readObject(
    expected,
    await readBody(request),
    request.headers['content-type'],
    fieldValidationOf(query),
  );
  const account: KubeObject = read(context, serviceAccount, route).object;
  const { spec } = object as unknown as TokenRequest;
  const audiences = spec?.audiences?.length ? spec.audiences : [tokenIssuer];
  const seconds = spec?.expirationSeconds ?? defaultSeconds;
  const errors = secondsErrors(seconds);
  if (errors.length > 0) throw invalidObject({ ...expected, plural: 'tokenrequests' }, '', errors);
  const order = orderToken(context.engine.view, account, spec?.boundObjectRef, { audiences, seconds });
  const node = nodeNameOf(call.identity);
  if (node !== undefined && (order.pod as { spec?: { nodeName?: string } } | undefined)?.spec?.nodeName !== node)
    throw forbidden(
      serviceAccount,
      account.metadata.name,
      `node requested token not bound to a pod scheduled on this node`,
    );
  const { token, expires } = await context.auth.accounts.issue(order);
  sendJson(response, 201, {
    kind: 'TokenRequest',
    apiVersion: 'authentication.k8s.io/v1',
    metadata: { name: route.name, namespace: route.namespace, creationTimestamp: timestamp(context.engine.now()) },
    spec: { audiences, expirationSeconds: seconds, boundObjectRef: spec?.boundObjectRef ?? null },
    status: { token, expirationTimestamp: timestamp(expires) },
  });
}

function secondsErrors(seconds: number): FieldError[] {
  const field = 'spec.expirationSeconds';
  if (seconds < minSeconds) return [invalid(field, seconds, 'may not specify a duration less than 10 minutes')];
  if (seconds > maxSeconds) return [invalid(field, seconds, 'may not specify a duration larger than 2^32 seconds')];
  return [];
}
