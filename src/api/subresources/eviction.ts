/** `POST …/pods/NAME/eviction`: a delete that asks first. */
import { at } from '../../kube/json.js';
import { readObject } from '../codec.js';
import type { Kind } from '../kind.js';
import { type ApiContext, type ApiRequest, fieldValidationOf, isDryRun, type ResourceRoute } from '../request.js';
import { readBody, sendJson } from '../respond.js';
import { deleteObject } from '../verbs/delete.js';
import { success } from './success.js';

/** Throws StatusError. */
export async function eviction(context: ApiContext, call: ApiRequest, route: ResourceRoute, kind: Kind): Promise<void> {
  const expected = { group: 'policy', version: 'v1', kind: 'Eviction', type: 'policy.v1.Eviction' };
  const { object } = readObject(
    expected,
    await readBody(call.request),
    call.request.headers['content-type'],
    fieldValidationOf(call.query),
  );
  await deleteObject(context.engine, kind, route.namespace, route.name!, {
    gracePeriodSeconds: at(object, 'deleteOptions', 'gracePeriodSeconds') as number | undefined,
    uid: at(object, 'deleteOptions', 'preconditions', 'uid') as string | undefined,
    resourceVersion: at(object, 'deleteOptions', 'preconditions', 'resourceVersion') as string | undefined,
    dryRun: isDryRun([
      ...((at(object, 'deleteOptions', 'dryRun') as string[] | undefined) ?? []),
      ...call.query.getAll('dryRun'),
    ]),
  });
  sendJson(call.response, 201, { ...success, code: 201 });
}
