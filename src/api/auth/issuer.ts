/** Makes what needs the cluster's keys, when a controller has decided that it shall be: certificates, and tokens in Secrets. */
import type { CertificateSigningRequest } from '../../kube/api/certificates-v1.js';
import type { KubeObject } from '../../kube/meta.js';
import type { ApiClient, Target } from '../client.js';
import type { Pki } from '../pki.js';
import type { ObjectView } from '../view.js';
import type { ServiceAccountTokens } from './service-account-tokens.js';

export interface IssuerOptions {
  readonly view: Pick<ObjectView, 'get' | 'revision'>;
  readonly client: ApiClient;
  readonly pki: Pick<Pki, 'ca' | 'issue'>;
  readonly accounts: ServiceAccountTokens;
}

export type Issue = (what: 'certificate' | 'token', target: Target) => Promise<number>;

const yearSeconds = 365 * 24 * 3600;

/** Resolves with the revision that the result is stored at. Throws StatusError: 404, 409. */
export function createIssuer(options: IssuerOptions): Issue {
  return (what, target) => (what === 'certificate' ? signRequest(options, target) : fillSecret(options, target));
}

async function signRequest({ view, client, pki }: IssuerOptions, target: Target): Promise<number> {
  const csr = view.get('CertificateSigningRequest', undefined, target.name) as CertificateSigningRequest | undefined;
  if (!csr) return view.revision;
  const { request, usages = [], expirationSeconds } = csr.spec;
  const status = await pki
    .issue({
      request: Buffer.from(request, 'base64').toString('latin1'),
      server: usages.includes('server auth'),
      client: usages.includes('client auth'),
      seconds: expirationSeconds ?? yearSeconds,
    })
    .then(
      certificate => ({ certificate: Buffer.from(certificate).toString('base64') }),
      (error: Error) => ({ conditions: [...(csr.status?.conditions ?? []), failedCondition(error.message)] }),
    );
  return patched(client, 'CertificateSigningRequest', csr, { status }, 'status');
}

const failedCondition = (message: string) => ({ type: 'Failed', status: 'True', reason: 'SigningError', message });

async function fillSecret({ view, client, pki, accounts }: IssuerOptions, target: Target): Promise<number> {
  const secret = view.get('Secret', target.namespace, target.name);
  const name = secret?.metadata.annotations?.['kubernetes.io/service-account.name'] ?? '';
  const account = view.get('ServiceAccount', target.namespace, name);
  if (!secret || !account) return view.revision;
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const data = {
    token: base64(await accounts.issueLegacy(account, secret)),
    'ca.crt': base64(pki.ca),
    namespace: base64(target.namespace ?? ''),
  };
  const annotations = { 'kubernetes.io/service-account.uid': account.metadata.uid };
  return patched(client, 'Secret', secret, { metadata: { annotations }, data });
}

async function patched(
  client: ApiClient,
  kind: string,
  { metadata }: KubeObject,
  patch: object,
  subresource?: 'status',
): Promise<number> {
  const { namespace, name, uid, resourceVersion } = metadata;
  return (await client.patch(kind, { namespace, name, uid, resourceVersion }, patch, subresource)).revision;
}
