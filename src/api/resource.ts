/** HTTP verbs on resources: reads the request, calls the verb, writes the answer in the form that was asked for. */
import { at } from '../kube/json.js';
import { includeOf, read, sendEntry, wantedOf } from './answer.js';
import { mediaType, readDeleteOptions, readObject } from './codec.js';
import { badRequest, methodNotAllowed } from './errors.js';
import { faceOf } from './face.js';
import { apiVersionOf, idOf, type Kind, supports } from './kind.js';
import { joinItems } from './list-cache.js';
import { flag } from './log.js';
import { listJson, partial, tableOf } from './present.js';
import {
  type ApiContext,
  type ApiRequest,
  fieldValidationOf,
  isDryRun,
  kindOf,
  managerOf,
  numberParameter,
  type ResourceRoute,
  warn,
} from './request.js';
import { readBody, sendJson } from './respond.js';
import { handleSubresource } from './subresource.js';
import { applyObject, applyType } from './verbs/apply.js';
import { createObject } from './verbs/create.js';
import { type DeleteOptions, deleteObject, type Propagation } from './verbs/delete.js';
import { listPage, livePage, type Page } from './verbs/list.js';
import { patchObject } from './verbs/patch.js';
import { updateObject } from './verbs/update.js';
import { serveWatch } from './watch-response.js';

/** Throws StatusError. */
export async function handleResource(context: ApiContext, call: ApiRequest, route: ResourceRoute): Promise<void> {
  const kind = kindOf(context, route);
  if (kind.custom?.warning) warn(call.response, kind.custom.warning);
  if (route.subresource !== undefined && !(route.subresource === 'status' && kind.hasStatus))
    return handleSubresource(context, call, route, kind);
  if (!supports(kind, call.verb) || (route.name === undefined && route.subresource)) throw methodNotAllowed();
  if (route.subresource === 'status' && !['get', 'update', 'patch'].includes(call.verb)) throw methodNotAllowed();
  switch (call.verb) {
    case 'get':
      return sendEntry(context, call, kind, 200, read(context, kind, route));
    case 'list':
      return list(context, call, kind, route);
    case 'watch':
      return serveWatch(context, call, kind, route);
    case 'create':
      return create(context, call, kind, route);
    case 'update':
      return update(context, call, kind, route);
    case 'patch':
      return patch(context, call, kind, route);
    case 'delete':
      return remove(context, call, kind, route);
    case 'deletecollection':
      return removeAll(context, call, kind, route);
    default:
      throw methodNotAllowed();
  }
}

/** What makes a list less than everything as it is now. */
const narrowing = ['labelSelector', 'fieldSelector', 'limit', 'continue', 'resourceVersion', 'resourceVersionMatch'];

function list(context: ApiContext, call: ApiRequest, kind: Kind, route: ResourceRoute): void {
  const { engine, lists } = context;
  const isWhole = narrowing.every(name => !call.query.get(name) || call.query.get(name) === '0');
  if (isWhole && !kind.conversion && !kind.live && wantedOf(call).form === 'object') {
    const id = idOf(kind);
    const items = lists.items(`${id}/${route.namespace ?? ''}`, engine.view.changedAt(id), () =>
      engine.view.entries(id, route.namespace),
    );
    const meta = { resourceVersion: String(engine.view.revision) };
    sendJson(call.response, 200, listJson(apiVersionOf(kind), `${kind.kind}List`, items, meta));
    return;
  }
  sendPage(context, call, kind, pageOf(context, call, kind, route));
}

function pageOf(context: ApiContext, call: ApiRequest, kind: Kind, route: ResourceRoute): Page {
  const { engine } = context;
  if (kind.live) return livePage(engine.view, kind, kind.live(context, route.namespace), call.query);
  const page = listPage(engine.view, engine.kinds.storedOf(kind), route.namespace, call.query);
  return kind.conversion ? { ...page, entries: page.entries.map(entry => faceOf(kind, entry)) } : page;
}

function sendPage({ engine }: ApiContext, call: ApiRequest, kind: Kind, page: Page): void {
  const wanted = wantedOf(call);
  const meta = {
    resourceVersion: String(page.revision),
    ...(page.continue && { continue: page.continue }),
    ...(page.remaining !== undefined && { remainingItemCount: page.remaining }),
  };
  if (wanted.form === 'object') {
    sendJson(call.response, 200, listJson(apiVersionOf(kind), `${kind.kind}List`, joinItems(page.entries), meta));
    return;
  }
  if (wanted.form === 'table') {
    sendJson(call.response, 200, tableOf(kind, page.entries, meta, wanted, includeOf(call.query), engine.now()));
    return;
  }
  const items = page.entries.map(entry => partial(entry.object, wanted));
  sendJson(call.response, 200, {
    kind: 'PartialObjectMetadataList',
    apiVersion: `meta.k8s.io/${wanted.version}`,
    metadata: meta,
    items,
  });
}

/** Who writes, whether in earnest, and how they are told what is worth telling. Throws StatusError 400. */
function writerOf(call: ApiRequest) {
  return {
    actor: call.actor,
    dryRun: isDryRun(call.query.getAll('dryRun')),
    onWarning: (text: string) => warn(call.response, text),
  };
}

async function create(context: ApiContext, call: ApiRequest, kind: Kind, route: ResourceRoute): Promise<void> {
  if (route.name !== undefined) throw methodNotAllowed();
  if (kind.namespaced && route.namespace === undefined) throw methodNotAllowed();
  const { object, warnings } = readObject(
    kind,
    await readBody(call.request),
    call.request.headers['content-type'],
    fieldValidationOf(call.query),
  );
  const given = object.metadata.namespace;
  if (kind.namespaced && given && given !== route.namespace)
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  for (const text of warnings) warn(call.response, text);
  if (kind.review) return sendJson(call.response, 201, await kind.review(object, { context, call }));
  const entry = await createObject(context.engine, kind, route.namespace, object, {
    ...writerOf(call),
  });
  sendEntry(context, call, kind, 201, entry);
}

async function update(context: ApiContext, call: ApiRequest, kind: Kind, route: ResourceRoute): Promise<void> {
  const { object, warnings } = readObject(
    kind,
    await readBody(call.request),
    call.request.headers['content-type'],
    fieldValidationOf(call.query),
  );
  for (const text of warnings) warn(call.response, text);
  const part = route.subresource === 'status' ? 'status' : 'object';
  const entry = await updateObject(context.engine, kind, route.namespace, route.name!, () => object, {
    part,
    manager: managerOf(call),
    ...writerOf(call),
  });
  sendEntry(context, call, kind, 200, entry);
}

async function patch(context: ApiContext, call: ApiRequest, kind: Kind, route: ResourceRoute): Promise<void> {
  const body = await readBody(call.request);
  if (mediaType(call.request.headers['content-type']) === applyType) return apply(context, call, kind, route, body);
  const entry = await patchObject(
    context.engine,
    kind,
    route.namespace,
    route.name!,
    body,
    call.request.headers['content-type'],
    {
      part: route.subresource === 'status' ? 'status' : 'object',
      manager: managerOf(call),
      validation: fieldValidationOf(call.query),
      ...writerOf(call),
    },
  );
  sendEntry(context, call, kind, 200, entry);
}

async function apply(
  context: ApiContext,
  call: ApiRequest,
  kind: Kind,
  route: ResourceRoute,
  body: Buffer,
): Promise<void> {
  const { created, entry } = await applyObject(context.engine, kind, route.namespace, route.name!, body, {
    part: route.subresource === 'status' ? 'status' : 'object',
    validation: fieldValidationOf(call.query),
    manager: call.query.get('fieldManager') ? managerOf(call) : '',
    force: flag(call.query, 'force'),
    ...writerOf(call),
  });
  sendEntry(context, call, kind, created ? 201 : 200, entry);
}

/** Options come in the body or, without one, in the query. Throws StatusError 400. */
async function deletionOf(call: ApiRequest): Promise<DeleteOptions> {
  const options = readDeleteOptions(await readBody(call.request), call.request.headers['content-type']);
  const grace = options.gracePeriodSeconds ?? numberParameter(call.query, 'gracePeriodSeconds');
  if (grace !== undefined && (grace as number) < 0)
    throw badRequest('gracePeriodSeconds: Invalid value: must be greater than or equal to 0');
  const policy = options.propagationPolicy ?? call.query.get('propagationPolicy') ?? undefined;
  if (policy !== undefined && !['Orphan', 'Background', 'Foreground'].includes(policy as string))
    throw badRequest(
      `invalid propagationPolicy ${JSON.stringify(policy)}: supported values: "Background", "Foreground", "Orphan"`,
    );
  return {
    gracePeriodSeconds: grace as number | undefined,
    uid: at(options, 'preconditions', 'uid') as string | undefined,
    resourceVersion: at(options, 'preconditions', 'resourceVersion') as string | undefined,
    propagation: (policy as Propagation | undefined) ?? legacyPropagation(options.orphanDependents),
    dryRun: isDryRun([...((options.dryRun as string[] | undefined) ?? []), ...call.query.getAll('dryRun')]),
  };
}

/** `orphanDependents`, from before there were policies. */
function legacyPropagation(orphanDependents: unknown): Propagation | undefined {
  return orphanDependents === undefined ? undefined : orphanDependents ? 'Orphan' : 'Background';
}

async function remove(context: ApiContext, call: ApiRequest, kind: Kind, route: ResourceRoute): Promise<void> {
  const options = { ...writerOf(call), ...(await deletionOf(call)) };
  const { gone, entry } = await deleteObject(context.engine, kind, route.namespace, route.name!, options);
  if (!gone) return sendEntry(context, call, kind, 200, entry);
  const details = {
    name: route.name!,
    ...(kind.group && { group: kind.group }),
    kind: kind.plural,
    uid: entry.object.metadata.uid ?? '',
  };
  sendJson(call.response, 200, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details });
}

async function removeAll(context: ApiContext, call: ApiRequest, kind: Kind, route: ResourceRoute): Promise<void> {
  const options = { ...writerOf(call), ...(await deletionOf(call)) };
  const page = pageOf(context, call, kind, route);
  const removals = page.entries.map(entry =>
    deleteObject(context.engine, kind, entry.object.metadata.namespace, entry.object.metadata.name, options),
  );
  // one that went meanwhile is as good as deleted
  const failed = (await Promise.allSettled(removals)).find(
    result => result.status === 'rejected' && result.reason?.code !== 404,
  );
  if (failed?.status === 'rejected') throw failed.reason;
  sendPage(context, call, kind, page);
}
