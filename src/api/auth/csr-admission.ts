/** Who asks for, decides on and signs certificate requests. */
import type { CertificateSigningRequest } from '../../kube/api/certificates-v1.js';
import { clientSigner, parseCertificateRequest } from '../../kube/certificate-request.js';
import { deepEqual } from '../../kube/json.js';
import { type Actor, admins } from '../authorize.js';
import { forbidden } from '../errors.js';
import type { Kind } from '../kind.js';
import type { GuardedWrite } from './admit-writer.js';

/** On create: notes who asks. On status: only a signer gives the certificate, and nobody decides there. Throws StatusError 403. */
export function admitCsrWriter({ kind, actor, next, old, part }: GuardedWrite): void {
  const csr = next as unknown as CertificateSigningRequest;
  if (!old) return noteRequester(kind, actor, csr);
  if (part !== 'status') return;
  const before = old as unknown as CertificateSigningRequest;
  const { status } = csr;
  if (status?.certificate !== before.status?.certificate) demandSigner(kind, actor, 'sign', csr);
  const decisions = ({ status: of }: CertificateSigningRequest) =>
    (of?.conditions ?? []).filter(({ type }) => type === 'Approved' || type === 'Denied');
  if (!deepEqual(decisions(csr), decisions(before)))
    throw forbidden(kind, csr.metadata.name, 'conditions Approved and Denied are written through /approval only');
}

function noteRequester(kind: Kind, { identity }: Actor, { metadata, spec }: CertificateSigningRequest): void {
  const { name, uid, groups, extra } = identity;
  Object.assign(spec, { username: name, groups: [...groups] });
  if (uid === undefined) delete spec.uid;
  else spec.uid = uid;
  if (extra) spec.extra = Object.fromEntries(Object.entries(extra).map(([key, values]) => [key, [...values]]));
  else delete spec.extra;
  if (spec.signerName === clientSigner && organizationsOf(spec.request).includes(admins))
    throw forbidden(kind, metadata.name, `use of ${clientSigner} signer with ${admins} group is not allowed`);
}

/** A request that cannot be read is refused by validation. */
function organizationsOf(request: string): readonly string[] {
  try {
    return parseCertificateRequest(Buffer.from(request ?? '', 'base64').toString('latin1')).organizations;
  } catch {
    return [];
  }
}

/** `approve` or `sign` on that signer, or on all of its domain. Throws StatusError 403. */
export function demandSigner(
  kind: Kind,
  { identity, authorizer }: Actor,
  verb: 'approve' | 'sign',
  { metadata, spec }: CertificateSigningRequest,
): void {
  const { signerName } = spec;
  const may = [signerName, `${signerName.split('/')[0]}/*`].some(
    name => authorizer.decide(identity, { verb, group: 'certificates.k8s.io', resource: 'signers', name }).allowed,
  );
  if (!may)
    throw forbidden(
      kind,
      metadata.name,
      `user not permitted to ${verb} requests with signerName ${JSON.stringify(signerName)}`,
    );
}
