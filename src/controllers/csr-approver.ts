/** Approves what nodes ask for themselves: their first client certificate, and each one after. Key: the request's name. */
import type { CertificateSigningRequest } from '../kube/api/certificates-v1.js';
import { nodeClientSigner, parseCertificateRequest, signerObjection } from '../kube/certificate-request.js';
import { timestamp } from '../kube/time.js';
import { type Controller, type Facts, type Key, nothing, type Outcome, targetOf } from './contract.js';

export const csrApproverController: Controller = {
  name: 'csr-approver',
  wakes: [{ kind: 'CertificateSigningRequest', keys: object => [object.metadata.name] }],
  writes: ['condition Approved of CertificateSigningRequests of nodes'],
  reconcile,
};

function reconcile({ view, now }: Facts, key: Key): Outcome {
  const csr = view.get('CertificateSigningRequest', undefined, key) as CertificateSigningRequest | undefined;
  if (!csr || csr.spec.signerName !== nodeClientSigner || csr.status?.certificate) return nothing;
  const conditions = csr.status?.conditions ?? [];
  if (conditions.some(({ type }) => type === 'Approved' || type === 'Denied')) return nothing;
  const message = approvalFor(csr);
  if (message === undefined) return nothing;
  const at = timestamp(now);
  const approved = {
    type: 'Approved',
    status: 'True',
    reason: 'AutoApproved',
    message,
    lastUpdateTime: at,
    lastTransitionTime: at,
  };
  return {
    actions: [
      {
        do: 'patch',
        target: targetOf(csr),
        at: csr.metadata.resourceVersion,
        patch: { status: { conditions: [...conditions, approved] } },
        subresource: 'status',
      },
    ],
  };
}

/** Why it is approved; undefined: it is for a person to decide. */
function approvalFor({ spec }: CertificateSigningRequest): string | undefined {
  const request = parseCertificateRequest(Buffer.from(spec.request, 'base64').toString('latin1'));
  if (signerObjection(nodeClientSigner, request, spec.usages ?? []) !== undefined) return undefined;
  const { username, groups = [] } = spec;
  if (groups.includes('system:nodes') && username === request.commonName)
    return 'Auto approving self kubelet client certificate after SubjectAccessReview.';
  if (groups.includes('system:bootstrappers'))
    return 'Auto approving kubelet client certificate after SubjectAccessReview.';
  return undefined;
}
