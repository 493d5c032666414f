/** A subresource through which one part of an object is read and written: GET, PUT and PATCH of the object itself. */
import { read, sendEntry } from '../answer.js';
import { readObject } from '../codec.js';
import { methodNotAllowed } from '../errors.js';
import type { AnyObject, Kind } from '../kind.js';
import {
  type ApiContext,
  type ApiRequest,
  fieldValidationOf,
  isDryRun,
  managerOf,
  type ResourceRoute,
  warn,
} from '../request.js';
import { readBody } from '../respond.js';
import { patchObject } from '../verbs/patch.js';
import { updateObject } from '../verbs/update.js';

export interface Part {
  /** The object with the part of `changed` that may change here; the rest as it was. */
  readonly narrow: (old: AnyObject, changed: AnyObject) => AnyObject;
  /** In place of the kind's own. */
  readonly validateUpdate: NonNullable<Kind['validateUpdate']>;
}

/** Throws StatusError. */
export async function servePart(
  context: ApiContext,
  call: ApiRequest,
  route: ResourceRoute,
  kind: Kind,
  { narrow, validateUpdate }: Part,
): Promise<void> {
  if (call.verb === 'get') return sendEntry(context, call, kind, 200, read(context, kind, route));
  const body = await readBody(call.request);
  const type = call.request.headers['content-type'];
  const validation = fieldValidationOf(call.query);
  const onWarning = (text: string) => warn(call.response, text);
  const options = { narrow, manager: managerOf(call), dryRun: isDryRun(call.query.getAll('dryRun')) };
  const served = { ...kind, validateUpdate };
  const write = async () => {
    if (call.verb === 'patch')
      return patchObject(context.engine, served, route.namespace, route.name!, body, type, {
        ...options,
        validation,
        onWarning,
      });
    if (call.verb !== 'update') throw methodNotAllowed();
    const { object, warnings } = readObject(kind, body, type, validation);
    for (const text of warnings) onWarning(text);
    return updateObject(context.engine, served, route.namespace, route.name!, () => object, options);
  };
  sendEntry(context, call, kind, 200, await write());
}
