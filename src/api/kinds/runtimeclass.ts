/** node.k8s.io/v1 RuntimeClass. */
import { deepEqual } from '../../kube/json.js';
import { labelProblems } from '../../kube/names.js';
import { ageColumn, column, nameColumn } from '../columns.js';
import { invalid, required } from '../errors.js';
import type { Kind } from '../kind.js';

export const runtimeClass: Kind = {
  group: 'node.k8s.io',
  version: 'v1',
  kind: 'RuntimeClass',
  plural: 'runtimeclasses',
  singular: 'runtimeclass',
  namespaced: false,
  type: 'node.v1.RuntimeClass',
  description: 'RuntimeClass names a way to run containers on a node.',
  columns: [nameColumn, column('Handler', object => String(object.handler ?? '')), ageColumn],
  validate: ({ handler }) =>
    handler ? labelProblems(String(handler)).map(why => invalid('handler', handler, why)) : [required('handler')],
  validateUpdate: (next, old) =>
    deepEqual(next.handler, old.handler) ? [] : [invalid('handler', next.handler, 'field is immutable')],
};
