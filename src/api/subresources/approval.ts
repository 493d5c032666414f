/** `…/certificatesigningrequests/NAME/approval`: approves or denies a request, once and for all. */
import type { CertificateSigningRequest, CertificateSigningRequestCondition } from '../../kube/api/certificates-v1.js';
import { clone } from '../../kube/json.js';
import { timestamp } from '../../kube/time.js';
import { read, sendEntry } from '../answer.js';
import { demandSigner } from '../auth/csr-admission.js';
import { readObject } from '../codec.js';
import { invalid, invalidObject, methodNotAllowed } from '../errors.js';
import type { AnyObject, Kind } from '../kind.js';
import {
  type ApiContext,
  type ApiRequest,
  fieldValidationOf,
  isDryRun,
  managerOf,
  type ResourceRoute,
} from '../request.js';
import { readBody } from '../respond.js';
import { updateObject } from '../verbs/update.js';

/** Throws StatusError 403, 404, 405, 409, 422. */
export async function approval(context: ApiContext, call: ApiRequest, route: ResourceRoute, kind: Kind): Promise<void> {
  if (call.verb === 'get') return sendEntry(context, call, kind, 200, read(context, kind, route));
  if (call.verb !== 'update') throw methodNotAllowed();
  const { request, query } = call;
  const { object } = readObject(
    kind,
    await readBody(request),
    request.headers['content-type'],
    fieldValidationOf(query),
  );
  const given = (object as unknown as CertificateSigningRequest).status?.conditions ?? [];
  const change = (old: AnyObject): AnyObject => {
    const csr = old as unknown as CertificateSigningRequest;
    demandSigner(kind, call.actor, 'approve', csr);
    const conditions = decided(kind, csr, given, timestamp(context.engine.now()));
    const metadata = { ...clone(old.metadata) };
    if (object.metadata.resourceVersion) metadata.resourceVersion = object.metadata.resourceVersion;
    return { ...clone(old), metadata, status: { ...csr.status, conditions } } as unknown as AnyObject;
  };
  const entry = await updateObject(context.engine, kind, undefined, route.name!, change, {
    part: 'server',
    uid: object.metadata.uid,
    manager: managerOf(call),
    dryRun: isDryRun(query.getAll('dryRun')),
  });
  sendEntry(context, call, kind, 200, entry);
}

const isDecision = ({ type }: CertificateSigningRequestCondition): boolean => type === 'Approved' || type === 'Denied';

/** What is decided stays decided. Throws StatusError 422. */
function decided(
  kind: Kind,
  { metadata, status }: CertificateSigningRequest,
  given: readonly CertificateSigningRequestCondition[],
  now: string,
): CertificateSigningRequestCondition[] {
  const before = status?.conditions ?? [];
  const taken = before.filter(isDecision).find(old => !given.some(({ type }) => type === old.type));
  const types = new Set(given.filter(isDecision).map(({ type }) => type));
  const why = taken
    ? `updates may not remove a condition of type ${JSON.stringify(taken.type)}`
    : types.size > 1
      ? 'Approved and Denied conditions are mutually exclusive'
      : undefined;
  if (why !== undefined)
    throw invalidObject(kind, metadata.name, [invalid('status.conditions', [...types].join(), why)]);
  const fresh = given
    .filter(one => isDecision(one) && !before.some(({ type }) => type === one.type))
    .map(one => ({
      ...one,
      status: 'True',
      lastUpdateTime: one.lastUpdateTime ?? now,
      lastTransitionTime: one.lastTransitionTime ?? now,
    }));
  return [...before, ...fresh];
}
