/** TokenReview and SelfSubjectReview: whose token is this, and who am I. */
import type { TokenReview, UserInfo } from '../../kube/api/authentication-v1.js';
import { timestamp } from '../../kube/time.js';
import type { Identity } from '../authorize.js';
import { badRequest } from '../errors.js';
import type { AnyObject, ReviewCall } from '../kind.js';

const apiVersion = 'authentication.k8s.io/v1';

/** Throws StatusError 400 without a token. The token itself is not sent back. */
export async function reviewToken(object: AnyObject, { context: { auth } }: ReviewCall): Promise<AnyObject> {
  const { token = '', audiences } = (object as unknown as TokenReview).spec ?? {};
  if (token === '') throw badRequest('token is required for TokenReview in authentication');
  const verdict = await auth.authenticator.review(token, audiences);
  const status = verdict.ok
    ? {
        authenticated: true,
        user: userInfo(verdict.identity),
        ...(verdict.audiences.length > 0 && { audiences: verdict.audiences }),
      }
    : { user: {}, error: verdict.why };
  return {
    apiVersion,
    kind: 'TokenReview',
    metadata: object.metadata ?? {},
    spec: object.spec,
    status,
  } as unknown as AnyObject;
}

export function reviewSelf(_object: AnyObject, { context: { engine }, call: { identity } }: ReviewCall): AnyObject {
  const metadata = { creationTimestamp: timestamp(engine.now()) };
  const status = { userInfo: userInfo(identity) };
  return { apiVersion, kind: 'SelfSubjectReview', metadata, status } as unknown as AnyObject;
}

function userInfo({ name, uid, groups, extra }: Identity): UserInfo {
  return {
    username: name,
    ...(uid !== undefined && { uid }),
    groups: [...groups],
    ...(extra && { extra: Object.fromEntries(Object.entries(extra).map(([key, values]) => [key, [...values]])) }),
  };
}
