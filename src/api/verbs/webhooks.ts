/** How the verbs ask admission webhooks: nothing is awaited and nothing made while none is configured. */
import { type Admission, hasWebhooks, mutate, validateByWebhooks } from '../admission/webhooks.js';
import type { Engine } from '../engine.js';
import type { AnyObject, Kind } from '../kind.js';
import type { WriteOptions } from './create.js';

/** @param old for an update. Throws StatusError. */
export async function askMutators(
  engine: Engine,
  kind: Kind,
  object: AnyObject,
  options: WebhookOptions,
  old?: AnyObject,
): Promise<AnyObject> {
  if (!hasWebhooks(engine, kind)) return object;
  return (await mutate(engine, admissionOf(kind, { object, ...(old && { old }) }, options))) ?? object;
}

/** Throws StatusError. @param write without `object`: a deletion. */
export async function askValidators(
  engine: Engine,
  kind: Kind,
  write: { readonly object?: AnyObject; readonly old?: AnyObject },
  options: WebhookOptions,
): Promise<void> {
  if (hasWebhooks(engine, kind)) await validateByWebhooks(engine, admissionOf(kind, write, options));
}

export interface WebhookOptions extends WriteOptions {
  readonly subresource?: string | undefined;
}

function admissionOf(
  kind: Kind,
  { object, old }: { readonly object?: AnyObject; readonly old?: AnyObject },
  { actor, dryRun, onWarning, subresource }: WebhookOptions,
): Admission {
  const { namespace, name } = (object ?? old)!.metadata;
  return {
    kind,
    operation: object ? (old ? 'UPDATE' : 'CREATE') : 'DELETE',
    subresource,
    namespace,
    name,
    ...(object && { object }),
    ...(old && { oldObject: old }),
    identity: actor?.identity,
    dryRun,
    onWarning,
  };
}
