/** core/v1 Namespace. Deleting one is the work of the namespace controller; `finalize` takes the last mark away. */
import { at } from '../../kube/json.js';
import { labelProblems } from '../../kube/names.js';
import { ageColumn, column, nameColumn } from '../columns.js';
import type { Kind } from '../kind.js';

export const namespace: Kind = {
  group: '',
  version: 'v1',
  kind: 'Namespace',
  plural: 'namespaces',
  singular: 'namespace',
  namespaced: false,
  shortNames: ['ns'],
  type: 'core.v1.Namespace',
  description: 'Namespace is a scope for names; deleting it deletes everything inside.',
  verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
  hasStatus: true,
  subresources: [
    { name: 'finalize', verbs: ['update'] },
    { name: 'status', verbs: ['get', 'patch', 'update'] },
  ],
  nameProblems: labelProblems,
  columns: [nameColumn, column('Status', object => String(at(object, 'status', 'phase') ?? '')), ageColumn],
  defaults: object => {
    object.spec ??= {};
    object.metadata.labels = { ...object.metadata.labels, 'kubernetes.io/metadata.name': object.metadata.name };
  },
  prepareCreate: object => {
    object.spec = { finalizers: ['kubernetes'] };
    object.status = { phase: 'Active' };
  },
  permanentNames: ['default', 'kube-system', 'kube-public', 'kube-node-lease'],
  isHeld: object => ((at(object, 'spec', 'finalizers') ?? []) as string[]).length > 0,
  markDeleted: object => {
    object.status = { ...(object.status as object), phase: 'Terminating' };
  },
  fieldLabels: { 'status.phase': object => String(at(object, 'status', 'phase') ?? '') },
};
