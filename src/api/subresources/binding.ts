/** `POST …/pods/NAME/binding`: gives a pod its node, once. The scheduler uses the same function. */
import { at, clone } from '../../kube/json.js';
import { timestamp } from '../../kube/time.js';
import { readObject } from '../codec.js';
import type { Engine } from '../engine.js';
import { badRequest, conflict } from '../errors.js';
import type { AnyObject, Kind } from '../kind.js';
import { type ApiContext, type ApiRequest, fieldValidationOf, isDryRun, type ResourceRoute } from '../request.js';
import { readBody, sendJson } from '../respond.js';
import { updateObject } from '../verbs/update.js';
import type { ViewEntry } from '../view.js';
import { success } from './success.js';

/** Throws StatusError. */
export async function binding(context: ApiContext, call: ApiRequest, route: ResourceRoute, kind: Kind): Promise<void> {
  const expected = { group: '', version: 'v1', kind: 'Binding', type: 'core.v1.Binding' };
  const { object } = readObject(
    expected,
    await readBody(call.request),
    call.request.headers['content-type'],
    fieldValidationOf(call.query),
  );
  const node = at(object, 'target', 'name');
  if (typeof node !== 'string' || node === '') throw badRequest('target.name: Required value');
  await bindPod(context.engine, kind, route.namespace!, route.name!, node, {
    uid: object.metadata.uid,
    dryRun: isDryRun(call.query.getAll('dryRun')),
  });
  sendJson(call.response, 201, { ...success, code: 201 });
}

/** Gives a pod its node, once. Throws StatusError 404, 409. */
export function bindPod(
  engine: Engine,
  kind: Kind,
  namespace: string,
  name: string,
  node: string,
  options: { uid?: string | undefined; dryRun?: boolean },
): Promise<ViewEntry> {
  const change = (old: AnyObject): AnyObject => {
    const pod = clone(old) as AnyObject & {
      spec: { nodeName?: string; schedulingGates?: unknown[] };
      status?: { conditions?: { type: string }[] };
    };
    const subject = { ...kind, plural: 'pods/binding' };
    if (pod.metadata.deletionTimestamp)
      throw conflict(subject, name, `pod ${name} is being deleted, cannot be assigned to a host`);
    if (pod.spec.nodeName)
      throw conflict(subject, name, `pod ${name} is already assigned to node ${JSON.stringify(pod.spec.nodeName)}`);
    if (pod.spec.schedulingGates?.length)
      throw conflict(subject, name, `pod ${name} has non-empty .spec.schedulingGates`);
    pod.spec.nodeName = node;
    const scheduled = {
      type: 'PodScheduled',
      status: 'True',
      lastProbeTime: null,
      lastTransitionTime: timestamp(engine.now()),
    };
    pod.status = {
      ...pod.status,
      conditions: [...(pod.status?.conditions ?? []).filter(({ type }) => type !== 'PodScheduled'), scheduled],
    };
    return pod;
  };
  return updateObject(engine, kind, namespace, name, change, { part: 'server', ...options });
}
