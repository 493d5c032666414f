/** Server-side apply over HTTP: creates what is not there, otherwise updates it. */
import { StatusError } from '../../kube/status.js';
import { timestamp } from '../../kube/time.js';
import { applyTo, lastApplied } from '../apply/apply.js';
import { type FieldValidation, parseJson, parseYaml, typed } from '../codec.js';
import type { Engine } from '../engine.js';
import { badRequest, invalidObject, required } from '../errors.js';
import { type AnyObject, idOf, type Kind } from '../kind.js';
import type { ViewEntry } from '../view.js';
import { createObject, maxAttempts, type WriteOptions } from './create.js';
import { updateObject } from './update.js';

export const applyType = 'application/apply-patch+yaml';

export interface ApplyRequest extends WriteOptions {
  /** Empty: it was not said, which is an error. */
  readonly manager: string;
  readonly force: boolean;
  readonly validation: FieldValidation;
  readonly part: 'object' | 'status';
  readonly onWarning: (text: string) => void;
}

/** Throws StatusError: 400, 404 (status of nothing), 409 for a conflict, 422. */
export async function applyObject(
  engine: Engine,
  kind: Kind,
  namespace: string | undefined,
  name: string,
  body: Buffer,
  request: ApplyRequest,
): Promise<{ readonly created: boolean; readonly entry: ViewEntry }> {
  if (!request.manager)
    throw invalidObject({ group: 'meta.k8s.io', plural: '', kind: 'PatchOptions' }, '', [
      required('fieldManager', 'is required for apply patch'),
    ]);
  const applied = readApplied(kind, namespace, name, body, request);
  const subresource = request.part === 'status' ? 'status' : undefined;
  const options = { ...request, subresource, time: timestamp(engine.now()) };
  const change = (old: AnyObject): AnyObject =>
    refreshLastApplied(applyTo(kind, old, applied, options), applied, request);
  for (let attempt = 1; ; attempt++) {
    const exists = engine.view.entry(idOf(engine.kinds.storedOf(kind)), namespace, name) !== undefined;
    if (exists || subresource)
      return { created: false, entry: await updateObject(engine, kind, namespace, name, change, request) };
    try {
      const object = applyTo(kind, undefined, applied, options);
      return {
        created: true,
        entry: await createObject(engine, kind, namespace, object, { ...request, keepManagers: true }),
      };
    } catch (error) {
      // somebody else was faster: then it is an update
      if (!(error instanceof StatusError && error.reason === 'AlreadyExists') || attempt >= maxAttempts) throw error;
    }
  }
}

function readApplied(
  kind: Kind,
  namespace: string | undefined,
  name: string,
  body: Buffer,
  { validation, part, onWarning }: ApplyRequest,
): AnyObject {
  const text = body.toString('utf8');
  const { value, duplicates } = text.trimStart().startsWith('{') ? parseJson(text) : parseYaml(text);
  const { object, warnings } = typed(kind, value, duplicates, validation);
  for (const warning of warnings) onWarning(warning);
  const { metadata } = object;
  if (metadata.managedFields?.length) throw badRequest('metadata.managedFields must be nil');
  if (metadata.name && metadata.name !== name)
    throw badRequest(`the name of the object (${metadata.name}) does not match the name on the URL (${name})`);
  if (metadata.namespace && metadata.namespace !== namespace)
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  const own = {
    ...object,
    metadata: { ...metadata, name, ...(namespace !== undefined && { namespace }) },
  } as AnyObject;
  if (part === 'object' && kind.hasStatus) delete own.status;
  return own;
}

/** Once an object has the annotation of client-side apply, kubectl keeps it true, so that both ways can be mixed. */
function refreshLastApplied(next: AnyObject, applied: AnyObject, { manager }: ApplyRequest): AnyObject {
  const { annotations } = next.metadata;
  if (manager !== 'kubectl' || annotations?.[lastApplied] === undefined) return next;
  const text = `${JSON.stringify(applied)}\n`;
  return { ...next, metadata: { ...next.metadata, annotations: { ...annotations, [lastApplied]: text } } };
}
