/** What a ServiceAccount's token says, in Kubernetes' form, and who that makes its bearer. Pure. */
import { randomUUID } from 'node:crypto';
import { isObject } from '../../kube/json.js';
import type { KubeObject } from '../../kube/meta.js';
import { authenticated, type Extra, type Identity } from '../authorize.js';
import type { ObjectView } from '../view.js';

export const tokenIssuer = 'https://kubernetes.default.svc.cluster.local';
/** Of tokens that live in Secrets. */
export const legacyIssuer = 'kubernetes/serviceaccount';

interface Named {
  readonly name: string;
  readonly uid: string;
}

interface PrivateClaims {
  readonly namespace: string;
  readonly serviceaccount: Named;
  readonly pod?: Named;
  readonly secret?: Named;
  readonly node?: Named;
  /** Seconds since 1970: later than this the bearer should long have asked for a new one. */
  readonly warnafter?: number;
}

export interface TokenClaims {
  readonly iss: string;
  readonly sub: string;
  readonly aud: readonly string[];
  readonly jti: string;
  readonly iat: number;
  readonly nbf: number;
  /** Absent in tokens of Secrets, which end with their Secret. */
  readonly exp?: number;
  readonly 'kubernetes.io': PrivateClaims;
}

export interface TokenOrder {
  readonly account: KubeObject;
  readonly audiences: readonly string[];
  readonly seconds: number;
  /** What the token ends with. */
  readonly pod?: KubeObject | undefined;
  readonly secret?: KubeObject | undefined;
  readonly node?: KubeObject | undefined;
}

/** What kubelet asks for when it refreshes in time: then the token may live longer, for clients that never read it again. */
const projectedSeconds = 3607;
const extendedSeconds = 365 * 24 * 3600;

/** @param now milliseconds since 1970. */
export function claimsFor(order: TokenOrder, now: number): TokenClaims {
  const { account, audiences, seconds, pod, secret, node } = order;
  const at = Math.floor(now / 1000);
  const extended = seconds === projectedSeconds && pod !== undefined && audiences.includes(tokenIssuer);
  const { namespace = '' } = account.metadata;
  return {
    iss: tokenIssuer,
    sub: userOf(namespace, account.metadata.name),
    aud: audiences,
    jti: randomUUID(),
    iat: at,
    nbf: at,
    exp: at + (extended ? extendedSeconds : seconds),
    'kubernetes.io': {
      namespace,
      serviceaccount: named(account),
      ...(pod && { pod: named(pod) }),
      ...(secret && { secret: named(secret) }),
      ...(node && { node: named(node) }),
      ...(extended && { warnafter: at + seconds }),
    },
  };
}

const named = ({ metadata: { name, uid = '' } }: KubeObject): Named => ({ name, uid });
const userOf = (namespace: string, name: string): string => `system:serviceaccount:${namespace}:${name}`;

const flat = (name: string): string => `kubernetes.io/serviceaccount/${name}`;

/** The flat form that tokens in Secrets have. */
export function legacyClaims(account: KubeObject, secret: KubeObject): Record<string, string> {
  const { namespace = '', name, uid = '' } = account.metadata;
  return {
    iss: legacyIssuer,
    sub: userOf(namespace, name),
    [flat('namespace')]: namespace,
    [flat('secret.name')]: secret.metadata.name,
    [flat('service-account.name')]: name,
    [flat('service-account.uid')]: uid,
  };
}

/** The same as claims of today's form. Undefined if they are not such claims. */
export function readClaims(payload: Record<string, unknown>): TokenClaims | undefined {
  const text = (key: string): string => (typeof payload[key] === 'string' ? (payload[key] as string) : '');
  if (payload.iss !== legacyIssuer)
    return isObject(payload['kubernetes.io']) ? (payload as unknown as TokenClaims) : undefined;
  return {
    iss: legacyIssuer,
    sub: text('sub'),
    aud: [tokenIssuer],
    jti: '',
    iat: 0,
    nbf: 0,
    'kubernetes.io': {
      namespace: text(flat('namespace')),
      serviceaccount: { name: text(flat('service-account.name')), uid: text(flat('service-account.uid')) },
      secret: { name: text(flat('secret.name')), uid: '' },
    },
  };
}

/** Who the bearer is. What the token is bound to must be looked at each time: see `standing`. */
export function identityOf({ sub, jti, 'kubernetes.io': claims }: TokenClaims): Identity {
  const { namespace, serviceaccount, pod, node } = claims;
  const extra: Record<string, readonly string[]> = {
    ...(jti && { 'authentication.kubernetes.io/credential-id': [`JTI=${jti}`] }),
    ...(node && {
      'authentication.kubernetes.io/node-name': [node.name],
      'authentication.kubernetes.io/node-uid': [node.uid],
    }),
    ...(pod && {
      'authentication.kubernetes.io/pod-name': [pod.name],
      'authentication.kubernetes.io/pod-uid': [pod.uid],
    }),
  } satisfies Extra;
  return {
    name: sub,
    uid: serviceaccount.uid,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, authenticated],
    ...(Object.keys(extra).length > 0 && { extra }),
  };
}

type Objects = Pick<ObjectView, 'get'>;

/** Undefined while everything that the token is bound to is still there; else what is gone. @param now milliseconds. */
export function fallen(
  { exp, iss, 'kubernetes.io': claims }: TokenClaims,
  view: Objects,
  now: number,
): string | undefined {
  if (exp !== undefined && now >= exp * 1000) return 'service account token has expired';
  const { namespace, serviceaccount, pod, secret, node } = claims;
  const is = (kind: string, where: string | undefined, { name, uid }: Named): boolean => {
    const found = view.get(kind, where, name);
    // a Secret's own token names it without its uid
    return found !== undefined && (found.metadata.uid === uid || (iss === legacyIssuer && uid === ''));
  };
  if (!is('ServiceAccount', namespace, serviceaccount)) return 'service account has been deleted';
  if (pod && !is('Pod', namespace, pod)) return 'service account token has been invalidated: pod is gone';
  if (secret && !is('Secret', namespace, secret)) return 'service account token has been invalidated: secret is gone';
  if (node && !pod && !is('Node', undefined, node)) return 'service account token has been invalidated: node is gone';
  return undefined;
}
