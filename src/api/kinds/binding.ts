/** core/v1 Binding: gives a pod its node. The older way; clients of today post to the pod's `binding` subresource. */
import { at } from '../../kube/json.js';
import { nameColumn } from '../columns.js';
import { badRequest, internal } from '../errors.js';
import type { AnyObject, Kind, ReviewCall } from '../kind.js';
import { bindPod } from '../subresources/binding.js';
import { success } from '../subresources/success.js';

export const binding: Kind = {
  group: '',
  version: 'v1',
  kind: 'Binding',
  plural: 'bindings',
  singular: 'binding',
  namespaced: true,
  type: 'core.v1.Binding',
  description: 'Binding gives a pod its node; the scheduler makes them.',
  verbs: ['create'],
  columns: [nameColumn],
  review: bind,
};

async function bind(object: AnyObject, { context, call }: ReviewCall): Promise<AnyObject> {
  const { name, uid } = object.metadata;
  const node = at(object, 'target', 'name');
  if (!name) throw badRequest('metadata.name: Required value');
  if (typeof node !== 'string' || node === '') throw badRequest('target.name: Required value');
  const pods = context.engine.kinds.find('', 'v1', 'pods');
  if (!pods || call.route.to !== 'resource' || !call.route.namespace) throw internal('a Binding without its route');
  await bindPod(context.engine, pods, call.route.namespace, name, node, {
    uid,
    dryRun: call.query.getAll('dryRun').includes('All'),
  });
  return { ...success, code: 201 } as unknown as AnyObject;
}
