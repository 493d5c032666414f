/** Has approved requests signed, if they are for a signer of ours, and says so of those that it does not sign. */
import type { CertificateSigningRequest } from '../kube/api/certificates-v1.js';
import { ourSigners, parseCertificateRequest, signerObjection } from '../kube/certificate-request.js';
import { parseTime, timestamp } from '../kube/time.js';
import { type Controller, type Facts, type Key, nothing, type Outcome, targetOf } from './contract.js';

/** How long requests are kept (k8s.io/kubernetes pkg/controller/certificates/cleaner). */
const keptMs = { decided: 60 * 60 * 1000, pending: 24 * 60 * 60 * 1000 } as const;

export const csrSignerController: Controller = {
  name: 'csr-signer',
  wakes: [{ kind: 'CertificateSigningRequest', keys: object => [object.metadata.name] }],
  writes: ['status.certificate and condition Failed of CertificateSigningRequests', 'deletes old ones'],
  reconcile,
};

function reconcile({ view, now }: Facts, key: Key): Outcome {
  const csr = view.get('CertificateSigningRequest', undefined, key) as CertificateSigningRequest | undefined;
  if (!csr) return nothing;
  const has = (type: string): boolean => csr.status?.conditions?.some(condition => condition.type === type) ?? false;
  const decided = has('Denied') || has('Failed') || csr.status?.certificate !== undefined;
  const age = now - (parseTime(csr.metadata.creationTimestamp ?? '') ?? now);
  const rest = (decided ? keptMs.decided : keptMs.pending) - age;
  if (rest <= 0) return { actions: [{ do: 'delete', target: targetOf(csr) }] };
  if (decided || !has('Approved') || !ourSigners.includes(csr.spec.signerName))
    return { actions: [], requeueAfterMs: rest };
  const request = parseCertificateRequest(Buffer.from(csr.spec.request, 'base64').toString('latin1'));
  const why = signerObjection(csr.spec.signerName, request, csr.spec.usages ?? []);
  if (why === undefined) return { actions: [{ do: 'issue', what: 'certificate', target: targetOf(csr) }] };
  return { actions: [failed(csr, why, timestamp(now))] };
}

function failed(csr: CertificateSigningRequest, message: string, at: string) {
  const condition = { type: 'Failed', status: 'True', reason: 'SignerValidationFailure', message };
  const times = { lastUpdateTime: at, lastTransitionTime: at };
  return {
    do: 'patch',
    target: targetOf(csr),
    at: csr.metadata.resourceVersion,
    patch: { status: { conditions: [...(csr.status?.conditions ?? []), { ...condition, ...times }] } },
    subresource: 'status',
  } as const;
}
