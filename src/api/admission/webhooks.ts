/**
 * Admission webhooks: those that may change an object, one after the other, then those that only judge, all at once. Without
 * any configuration a write does not wait here.
 */
import { clone, deepEqual } from '../../kube/json.js';
import { failure } from '../../kube/status.js';
import type { Identity } from '../authorize.js';
import { typed } from '../codec.js';
import type { Engine } from '../engine.js';
import { internal } from '../errors.js';
import { type AnyObject, apiVersionOf, type Kind } from '../kind.js';
import { applyJsonPatch } from '../patch/json.js';
import { type Answer, callWebhook, WebhookError } from './webhook-call.js';
import { concerns, type Operation, type Subject, type Webhook } from './webhook-match.js';

export interface Admission {
  readonly kind: Kind;
  readonly operation: Operation;
  readonly subresource?: string | undefined;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly object?: AnyObject;
  readonly oldObject?: AnyObject;
  readonly identity?: Identity | undefined;
  readonly dryRun?: boolean | undefined;
  readonly onWarning?: ((text: string) => void) | undefined;
}

const mutating = 'MutatingWebhookConfiguration';
const validating = 'ValidatingWebhookConfiguration';
const program: Identity = { name: 'system:keelson-controller', groups: ['system:masters', 'system:authenticated'] };

/** True if nobody is to be asked: the common case, and free. */
export function hasWebhooks({ view }: Engine, kind: Kind): boolean {
  // a webhook must not be able to keep itself from being removed
  if (kind.kind === mutating || kind.kind === validating) return false;
  for (const name of [mutating, validating]) for (const _ of view.entries(name)) return true;
  return false;
}

/** The object as the webhooks want it. Throws StatusError for a refusal, or a failure that counts as one. */
export async function mutate(engine: Engine, admission: Admission): Promise<AnyObject | undefined> {
  const webhooks = webhooksOf(engine, mutating);
  let object = admission.object;
  const changedAfter = new Map<Webhook, AnyObject | undefined>();
  for (const webhook of webhooks) {
    object = await ask(engine, webhook, { ...admission, ...(object && { object }) });
    changedAfter.set(webhook, object);
  }
  // those that ask for it see what others have changed since, once
  for (const webhook of webhooks) {
    if (webhook.reinvocationPolicy !== 'IfNeeded' || deepEqual(changedAfter.get(webhook), object)) continue;
    object = await ask(engine, webhook, { ...admission, ...(object && { object }) });
  }
  return object;
}

/** Throws StatusError. */
export async function validateByWebhooks(engine: Engine, admission: Admission): Promise<void> {
  const asked = await Promise.allSettled(
    webhooksOf(engine, validating).map(webhook => ask(engine, webhook, admission)),
  );
  const refused = asked.find(result => result.status === 'rejected');
  if (refused) throw refused.reason;
}

function webhooksOf({ view }: Engine, kind: string): Webhook[] {
  return view.list(kind).flatMap(({ webhooks }) => (webhooks as Webhook[] | undefined) ?? []);
}

async function ask(engine: Engine, webhook: Webhook, admission: Admission): Promise<AnyObject | undefined> {
  const request = requestOf(admission);
  const wanted = concerns(webhook, subjectOf(engine, admission), request);
  if (wanted === false) return admission.object;
  const answer =
    wanted === 'broken'
      ? lenient(webhook, new WebhookError('a match condition failed'))
      : await call(engine, webhook, admission, request);
  if (!answer) return admission.object;
  for (const text of answer.warnings) admission.onWarning?.(text);
  if (!answer.allowed) throw denial(webhook, answer);
  return answer.patch === undefined || !admission.object ? admission.object : patched(webhook, admission, answer.patch);
}

/** Undefined: it failed, and that is to be ignored. */
async function call(
  engine: Engine,
  webhook: Webhook,
  { dryRun }: Admission,
  request: object,
): Promise<Answer | undefined> {
  if (dryRun && !['None', 'NoneOnDryRun'].includes(webhook.sideEffects))
    throw failure(400, 'BadRequest', `admission webhook ${JSON.stringify(webhook.name)} does not support dry run`);
  try {
    return await callWebhook(engine.view, webhook.clientConfig, request, webhook.timeoutSeconds ?? 10);
  } catch (error) {
    if (error instanceof WebhookError) return lenient(webhook, error);
    throw error;
  }
}

function lenient({ name, failurePolicy }: Webhook, { message }: WebhookError): undefined {
  if (failurePolicy === 'Ignore') return undefined;
  throw internal(`failed calling webhook ${JSON.stringify(name)}: failed to call webhook: ${message}`);
}

function denial({ name }: Webhook, { code = 403, reason, message }: Answer) {
  const why = message ? `: ${message}` : reason ? `: ${reason}` : ' without explanation';
  return failure(
    code >= 400 && code < 600 ? code : 403,
    reason ?? 'Forbidden',
    `admission webhook ${JSON.stringify(name)} denied the request${why}`,
  );
}

/** What it makes of the object is read like anything from outside; what an object is called stays. */
function patched({ name }: Webhook, { kind, object }: Admission, patch: unknown): AnyObject {
  const before = object!;
  try {
    const { object: next } = typed(kind, applyJsonPatch(clone(before), patch), [], 'Ignore');
    const { name: own, namespace, uid, creationTimestamp } = before.metadata;
    Object.assign(next.metadata, { name: own, uid, creationTimestamp, ...(namespace && { namespace }) });
    kind.defaults?.(next);
    return next;
  } catch (error) {
    throw internal(
      `admission webhook ${JSON.stringify(name)} answered with a patch that cannot be applied: ${(error as Error).message}`,
    );
  }
}

function subjectOf(
  { view }: Engine,
  { kind, operation, subresource, namespace, object, oldObject }: Admission,
): Subject {
  const own = kind.kind === 'Namespace' && kind.group === '' ? (object ?? oldObject) : undefined;
  const holder = own ?? (namespace === undefined ? undefined : view.get('Namespace', undefined, namespace));
  return {
    kind,
    operation,
    subresource,
    object,
    oldObject,
    namespaceLabels: holder ? (holder.metadata.labels ?? {}) : undefined,
  };
}

function requestOf({
  kind,
  operation,
  subresource,
  namespace,
  name,
  object,
  oldObject,
  identity = program,
  dryRun,
}: Admission): object {
  const gvk = { group: kind.group, version: kind.version, kind: kind.kind };
  const resource = { group: kind.group, version: kind.version, resource: kind.plural };
  const { name: username, groups, uid, extra } = identity;
  const shown = (one: AnyObject | undefined) =>
    one ? { ...one, apiVersion: apiVersionOf(kind), kind: kind.kind } : null;
  return {
    kind: gvk,
    resource,
    requestKind: gvk,
    requestResource: resource,
    ...(subresource && { subResource: subresource, requestSubResource: subresource }),
    name,
    ...(namespace && { namespace }),
    operation,
    userInfo: { username, groups, ...(uid && { uid }), ...(extra && { extra }) },
    object: shown(object),
    oldObject: shown(oldObject),
    dryRun: dryRun ?? false,
    options: null,
  };
}
