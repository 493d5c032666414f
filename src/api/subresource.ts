/** Subresources beside status: binding, eviction, finalize, log; exec and attach only to say that they need an upgrade. */
import { at, clone } from '../kube/json.js';
import { timestamp } from '../kube/time.js';
import { read, sendEntry } from './answer.js';
import { readObject } from './codec.js';
import type { Engine } from './engine.js';
import { badRequest, conflict, methodNotAllowed, pathNotFound } from './errors.js';
import type { AnyObject, Kind } from './kind.js';
import { serveLog } from './log.js';
import { type ApiContext, type ApiRequest, fieldValidationOf, isDryRun, type ResourceRoute } from './request.js';
import { readBody, sendJson } from './respond.js';
import { deleteObject } from './verbs/delete.js';
import { updateObject } from './verbs/update.js';
import type { ViewEntry } from './view.js';

/** Throws StatusError. */
export async function handleSubresource(
  context: ApiContext,
  call: ApiRequest,
  route: ResourceRoute,
  kind: Kind,
): Promise<void> {
  const subresource = kind.subresources?.find(({ name }) => name === route.subresource);
  if (!subresource || route.name === undefined) throw pathNotFound();
  if (!subresource.verbs.includes(call.verb)) throw methodNotAllowed();
  switch (subresource.name) {
    case 'binding':
      return binding(context, call, route, kind);
    case 'eviction':
      return eviction(context, call, route, kind);
    case 'finalize':
      return finalize(context, call, route, kind);
    case 'log':
      return serveLog(context, call, read(context, kind, route).object);
    case 'exec':
    case 'attach':
      throw badRequest('Upgrade request required');
    default:
      throw pathNotFound();
  }
}

const success = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success' };

async function binding(context: ApiContext, call: ApiRequest, route: ResourceRoute, kind: Kind): Promise<void> {
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
    const pod = clone(old) as AnyObject & { spec: { nodeName?: string }; status?: { conditions?: { type: string }[] } };
    const subject = { ...kind, plural: 'pods/binding' };
    if (pod.metadata.deletionTimestamp)
      throw conflict(subject, name, `pod ${name} is being deleted, cannot be assigned to a host`);
    if (pod.spec.nodeName)
      throw conflict(subject, name, `pod ${name} is already assigned to node ${JSON.stringify(pod.spec.nodeName)}`);
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

async function eviction(context: ApiContext, call: ApiRequest, route: ResourceRoute, kind: Kind): Promise<void> {
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

/** Takes marks out of `spec.finalizers` of a namespace; the last one lets a deleted namespace go. */
async function finalize(context: ApiContext, call: ApiRequest, route: ResourceRoute, kind: Kind): Promise<void> {
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
