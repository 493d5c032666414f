/** What a PKCS 10 certificate request asks for, and what each of Kubernetes' signers gives to whom. Pure. */
import 'reflect-metadata';
import { Pkcs10CertificateRequest, type SubjectAlternativeNameExtension } from '@peculiar/x509';

export interface RequestedCertificate {
  readonly commonName: string;
  readonly organizations: readonly string[];
  readonly names: readonly { readonly type: string; readonly value: string }[];
}

export const clientSigner = 'kubernetes.io/kube-apiserver-client';
export const nodeClientSigner = 'kubernetes.io/kube-apiserver-client-kubelet';
export const nodeServingSigner = 'kubernetes.io/kubelet-serving';
export const ourSigners: readonly string[] = [clientSigner, nodeClientSigner, nodeServingSigner];

/** @param pem PEM. Throws an Error saying what is wrong. */
export function parseCertificateRequest(pem: string): RequestedCertificate {
  const block = /^\s*-----BEGIN ([A-Z ]+)-----/.exec(pem)?.[1];
  if (block !== 'CERTIFICATE REQUEST' && block !== 'NEW CERTIFICATE REQUEST')
    throw new Error('PEM block type must be CERTIFICATE REQUEST');
  const parsed = new Pkcs10CertificateRequest(pem);
  const subject = parsed.subjectName.toJSON();
  const all = (key: string): string[] => subject.flatMap(part => part[key] ?? []);
  const extension = parsed.getExtension(alternativeNames) as SubjectAlternativeNameExtension | null;
  return {
    commonName: all('CN')[0] ?? '',
    organizations: all('O'),
    names: (extension?.names.items ?? []).map(({ type, value }) => ({ type, value })),
  };
}

/** The extension's object identifier. */
const alternativeNames = '2.5.29.17';

interface SignerRule {
  readonly required: readonly string[];
  readonly allowed: readonly string[];
  readonly check: (request: RequestedCertificate) => string | undefined;
}

const nodePrefix = 'system:node:';

function nodeSubject({ commonName, organizations }: RequestedCertificate): string | undefined {
  if (organizations.length !== 1 || organizations[0] !== 'system:nodes')
    return 'subject organization is not system:nodes';
  return commonName.startsWith(nodePrefix) && commonName.length > nodePrefix.length
    ? undefined
    : 'subject common name does not begin with system:node:';
}

const rules: Readonly<Record<string, SignerRule>> = {
  [clientSigner]: {
    required: ['client auth'],
    allowed: ['client auth', 'digital signature', 'key encipherment'],
    check: () => undefined,
  },
  [nodeClientSigner]: {
    required: ['client auth', 'digital signature'],
    allowed: ['client auth', 'digital signature', 'key encipherment'],
    check: request =>
      nodeSubject(request) ?? (request.names.length > 0 ? 'subject alternative names are not allowed' : undefined),
  },
  [nodeServingSigner]: {
    required: ['server auth', 'digital signature'],
    allowed: ['server auth', 'digital signature', 'key encipherment'],
    check: request => {
      const { names } = request;
      if (!names.some(({ type }) => type === 'dns' || type === 'ip')) return 'DNS or IP subjectAltName is required';
      if (names.some(({ type }) => type !== 'dns' && type !== 'ip'))
        return 'only DNS and IP subjectAltNames are allowed';
      return nodeSubject(request);
    },
  },
};

/** Why that signer does not sign it; undefined if it does. Signers that are not ours: never. */
export function signerObjection(
  signer: string,
  request: RequestedCertificate,
  usages: readonly string[],
): string | undefined {
  const rule = rules[signer];
  if (!rule) return `signer ${JSON.stringify(signer)} is none of ours`;
  const lacking = rule.required.find(usage => !usages.includes(usage));
  if (lacking !== undefined) return `usages did not match: ${JSON.stringify(lacking)} is required`;
  const foreign = usages.find(usage => !rule.allowed.includes(usage));
  if (foreign !== undefined) return `usages did not match: ${JSON.stringify(foreign)} is not allowed`;
  return rule.check(request);
}
