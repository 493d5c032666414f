/** `/scale`: replicas of any kind that has them, in one shape (autoscaling/v1 Scale). */

import type { Scale } from '../../kube/api/autoscaling-v1.js';
import { at, clone } from '../../kube/json.js';
import { read } from '../answer.js';
import { mediaType, parseJson, readObject, typed } from '../codec.js';
import { invalid, invalidObject, methodNotAllowed, unsupportedMediaType } from '../errors.js';
import type { AnyObject, Kind, ScalePaths } from '../kind.js';
import { applyJsonPatch } from '../patch/json.js';
import { applyMergePatch } from '../patch/merge.js';
import {
  type ApiContext,
  type ApiRequest,
  fieldValidationOf,
  isDryRun,
  managerOf,
  type ResourceRoute,
} from '../request.js';
import { readBody, sendJson } from '../respond.js';
import { updateObject } from '../verbs/update.js';

const scaleKind = { group: 'autoscaling', version: 'v1', kind: 'Scale', type: 'autoscaling.v1.Scale' };

/** Throws StatusError. */
export async function scale(context: ApiContext, call: ApiRequest, route: ResourceRoute, kind: Kind): Promise<void> {
  const paths = kind.scale;
  if (!paths) throw methodNotAllowed();
  if (call.verb === 'get') return sendJson(call.response, 200, scaleOf(paths, read(context, kind, route).object));
  const body = await readBody(call.request);
  const change = (old: AnyObject): AnyObject => {
    const wanted = wantedScale(call, body, scaleOf(paths, old));
    const replicas = wanted.spec?.replicas ?? 0;
    if (replicas < 0)
      throw invalidObject({ ...scaleKind, plural: 'scales' }, route.name!, [
        invalid('spec.replicas', replicas, 'must be greater than or equal to 0'),
      ]);
    return withReplicas(paths, old, replicas, wanted.metadata.resourceVersion);
  };
  const entry = await updateObject(context.engine, kind, route.namespace, route.name!, change, {
    manager: managerOf(call),
    dryRun: isDryRun(call.query.getAll('dryRun')),
  });
  sendJson(call.response, 200, scaleOf(paths, entry.object));
}

function wantedScale(call: ApiRequest, body: Buffer, now: Scale): Scale {
  const contentType = call.request.headers['content-type'];
  const validation = fieldValidationOf(call.query);
  if (call.verb === 'update') return readObject(scaleKind, body, contentType, validation).object as unknown as Scale;
  const { value, duplicates } = parseJson(body.toString('utf8'));
  const type = mediaType(contentType);
  if (type === 'application/json-patch+json')
    return typed(scaleKind, applyJsonPatch(now, value), duplicates, validation).object as unknown as Scale;
  // a Scale has no lists: a strategic merge is a merge
  if (!['application/merge-patch+json', 'application/strategic-merge-patch+json'].includes(type))
    throw unsupportedMediaType(['application/json-patch+json', 'application/merge-patch+json']);
  return typed(scaleKind, applyMergePatch(now, value), duplicates, validation).object as unknown as Scale;
}

function scaleOf(paths: ScalePaths, object: AnyObject): Scale {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const selector = paths.selector(object);
  const count = (path: readonly string[]): number => (at(object, ...path) as number | undefined) ?? 0;
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: {
      name,
      ...(namespace && { namespace }),
      ...(uid && { uid }),
      ...(resourceVersion && { resourceVersion }),
      ...(creationTimestamp && { creationTimestamp }),
    },
    spec: { replicas: count(paths.specReplicas) },
    status: { replicas: count(paths.statusReplicas), ...(selector && { selector }) },
  };
}

function withReplicas(paths: ScalePaths, old: AnyObject, replicas: number, revision: string | undefined): AnyObject {
  const next = clone(old);
  delete next.metadata.resourceVersion;
  if (revision) next.metadata.resourceVersion = revision;
  const parents = paths.specReplicas.slice(0, -1);
  let place = next as Record<string, unknown>;
  for (const step of parents) {
    place[step] ??= {};
    place = place[step] as Record<string, unknown>;
  }
  place[paths.specReplicas.at(-1)!] = replicas;
  return next;
}
