/** certificates.k8s.io/v1 CertificateSigningRequest. */
import type { CertificateSigningRequest } from '../../kube/api/certificates-v1.js';
import { deepEqual } from '../../kube/json.js';
import { humanDuration } from '../../kube/time.js';
import { admitCsrWriter } from '../auth/csr-admission.js';
import { validateCsr } from '../auth/csr-validation.js';
import { ageColumn, column, nameColumn } from '../columns.js';
import { invalid } from '../errors.js';
import type { AnyObject, Kind } from '../kind.js';

const asCsr = (object: AnyObject): CertificateSigningRequest => object as unknown as CertificateSigningRequest;
const verbs = ['get', 'patch', 'update'];

export const certificateSigningRequest: Kind = {
  group: 'certificates.k8s.io',
  version: 'v1',
  kind: 'CertificateSigningRequest',
  plural: 'certificatesigningrequests',
  singular: 'certificatesigningrequest',
  namespaced: false,
  shortNames: ['csr'],
  type: 'certificates.v1.CertificateSigningRequest',
  description: 'CertificateSigningRequest asks for a certificate, which somebody approves and a signer then makes.',
  hasStatus: true,
  subresources: [
    { name: 'approval', verbs },
    { name: 'status', verbs },
  ],
  columns: [
    nameColumn,
    ageColumn,
    column('SignerName', object => asCsr(object).spec.signerName),
    column('Requestor', object => asCsr(object).spec.username ?? ''),
    column('RequestedDuration', object => {
      const { expirationSeconds } = asCsr(object).spec;
      return expirationSeconds === undefined ? '<none>' : humanDuration(expirationSeconds * 1000);
    }),
    column('Condition', object => conditionText(asCsr(object))),
  ],
  prepareCreate: object => {
    object.status = {};
  },
  validate: object => validateCsr(asCsr(object)),
  validateUpdate: (next, old) => (deepEqual(next.spec, old.spec) ? [] : [invalid('spec', '', 'field is immutable')]),
  admitWriter: admitCsrWriter,
  fieldLabels: { 'spec.signerName': object => asCsr(object).spec.signerName },
};

function conditionText({ status }: CertificateSigningRequest): string {
  const types = (status?.conditions ?? []).map(({ type }) => type);
  const decided = types.includes('Denied') ? 'Denied' : types.includes('Approved') ? 'Approved' : 'Pending';
  return [decided, ...(types.includes('Failed') ? ['Failed'] : []), ...(status?.certificate ? ['Issued'] : [])].join(
    ',',
  );
}
