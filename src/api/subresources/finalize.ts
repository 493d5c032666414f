/** `PUT …/namespaces/NAME/finalize`. */
import { at, clone } from '../../kube/json.js';
import { sendEntry } from '../answer.js';
import { readObject } from '../codec.js';
import type { AnyObject, Kind } from '../kind.js';
import { type ApiContext, type ApiRequest, fieldValidationOf, type ResourceRoute } from '../request.js';
import { readBody } from '../respond.js';
import { updateObject } from '../verbs/update.js';

/** Takes marks out of `spec.finalizers` of a namespace; the last one lets a deleted namespace go. */
export async function finalize(context: ApiContext, call: ApiRequest, route: ResourceRoute, kind: Kind): Promise<void> {
  const { object } = readObject(
    kind,
    await readBody(call.request),
    call.request.headers['content-type'],
    fieldValidationOf(call.query),
  );
  const finalizers = (at(object, 'spec', 'finalizers') as string[] | undefined) ?? [];
  const change = (old: AnyObject): AnyObject =>
    ({
      ...clone(old),
      spec: { finalizers },
      metadata: {
        ...clone(old.metadata),
        ...(object.metadata.resourceVersion && { resourceVersion: object.metadata.resourceVersion }),
      },
    }) as AnyObject;
  const entry = await updateObject(context.engine, kind, undefined, route.name!, change, {
    part: 'server',
    uid: object.metadata.uid,
  });
  sendEntry(context, call, kind, 200, entry);
}
