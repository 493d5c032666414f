/** Validation of CertificateSigningRequests (k8s.io/kubernetes pkg/apis/certificates/validation). Pure. */
import type { CertificateSigningRequest } from '../../kube/api/certificates-v1.js';
import { parseCertificateRequest } from '../../kube/certificate-request.js';
import { duplicate, type FieldError, invalid, notSupported, required } from '../errors.js';

const knownUsages = [
  'any',
  'cert sign',
  'client auth',
  'code signing',
  'content commitment',
  'crl sign',
  'data encipherment',
  'decipher only',
  'digital signature',
  'email protection',
  'encipher only',
  'ipsec end system',
  'ipsec tunnel',
  'ipsec user',
  'key agreement',
  'key encipherment',
  'microsoft sgc',
  'netscape sgc',
  'ocsp signing',
  's/mime',
  'server auth',
  'signing',
  'timestamping',
];
const minSeconds = 600;
const signerFormat =
  /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+\/[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;

export function validateCsr({ spec, status }: CertificateSigningRequest): FieldError[] {
  const { usages = [], expirationSeconds } = spec;
  const types = (status?.conditions ?? []).map(({ type }) => type);
  return [
    ...requestErrors(spec.request ?? ''),
    ...(usages.length === 0 ? [required('spec.usages')] : []),
    ...usages.flatMap((usage, i) => [
      ...(knownUsages.includes(usage) ? [] : [notSupported(`spec.usages[${i}]`, usage, knownUsages)]),
      ...(usages.indexOf(usage) < i ? [duplicate(`spec.usages[${i}]`, usage)] : []),
    ]),
    ...signerErrors(spec.signerName ?? ''),
    ...(expirationSeconds !== undefined && expirationSeconds < minSeconds
      ? [
          invalid(
            'spec.expirationSeconds',
            expirationSeconds,
            `may not specify a duration less than ${minSeconds} seconds`,
          ),
        ]
      : []),
    ...(types.includes('Approved') && types.includes('Denied')
      ? [invalid('status.conditions', 'Denied', 'Approved and Denied conditions are mutually exclusive')]
      : []),
  ];
}

function requestErrors(request: string): FieldError[] {
  try {
    parseCertificateRequest(Buffer.from(request, 'base64').toString('latin1'));
    return [];
  } catch (error) {
    return [invalid('spec.request', '<request>', (error as Error).message)];
  }
}

function signerErrors(name: string): FieldError[] {
  if (name === '') return [required('spec.signerName')];
  if (name.length > 571 || !signerFormat.test(name))
    return [
      invalid(
        'spec.signerName',
        name,
        'must be a fully qualified domain and path of the form "example.com/signer-name"',
      ),
    ];
  if (name === 'kubernetes.io/legacy-unknown')
    return [invalid('spec.signerName', name, 'the legacy signerName is not allowed via this API version')];
  return [];
}
