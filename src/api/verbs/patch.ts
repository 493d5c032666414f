/** Patch: the stored object, changed as the document says, then written as an update. */
import { StatusError } from '../../kube/status.js';
import { type FieldValidation, mediaType, parseJson, typed } from '../codec.js';
import type { Engine } from '../engine.js';
import { badRequest, invalidObject, unsupportedMediaType } from '../errors.js';
import { type AnyObject, apiVersionOf, type Kind } from '../kind.js';
import { applyJsonPatch, PatchApplyError, PatchSyntaxError } from '../patch/json.js';
import { applyMergePatch } from '../patch/merge.js';
import { applyStrategicPatch } from '../patch/strategic.js';
import type { ViewEntry } from '../view.js';
import { type UpdateOptions, updateObject } from './update.js';

const patchTypes = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
] as const;

export interface PatchOptions extends UpdateOptions {
  readonly validation: FieldValidation;
  readonly onWarning: (text: string) => void;
}

/** Throws StatusError: 400 for what is no patch, 404, 409, 415, 422. */
export async function patchObject(
  engine: Engine,
  kind: Kind,
  namespace: string | undefined,
  name: string,
  body: Buffer,
  contentType: string | undefined,
  options: PatchOptions,
): Promise<ViewEntry> {
  const type = mediaType(contentType);
  if (!(patchTypes as readonly string[]).includes(type) || (kind.custom && type === patchTypes[2]))
    throw unsupportedMediaType([...patchTypes, 'application/apply-patch+yaml']);
  const { value: patch, duplicates } = parseJson(body.toString('utf8'));
  const warned = new Set<string>();
  const change = (old: AnyObject): AnyObject => {
    const patched = apply(kind, name, type, old, patch);
    const { object, warnings } = typed(
      kind,
      { ...(patched as object), apiVersion: apiVersionOf(kind), kind: kind.kind },
      duplicates,
      options.validation,
    );
    for (const text of warnings) warned.add(text);
    return object;
  };
  const entry = await updateObject(engine, kind, namespace, name, change, options);
  for (const text of warned) options.onWarning(text);
  return entry;
}

function apply(kind: Kind, name: string, type: string, old: AnyObject, patch: unknown): unknown {
  try {
    if (type === patchTypes[0]) return applyJsonPatch(old, patch);
    if (typeof patch !== 'object' || patch === null || Array.isArray(patch))
      throw new PatchSyntaxError('error decoding patch: a patch is an object');
    return type === patchTypes[1] ? applyMergePatch(old, patch) : applyStrategicPatch(kind.type, old, patch);
  } catch (error) {
    throw shown(kind, name, error);
  }
}

function shown(kind: Kind, name: string, error: unknown): unknown {
  if (error instanceof StatusError) return error;
  if (error instanceof PatchSyntaxError) return badRequest(error.message);
  if (error instanceof PatchApplyError)
    return invalidObject(kind, name, [
      {
        reason: 'Invalid',
        field: 'patch',
        message: `the server rejected our request due to an error in our request: ${error.message}`,
      },
    ]);
  return error;
}
