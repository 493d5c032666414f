/** coordination.k8s.io/v1 Lease: who is alive or leads, and since when. */
import { at } from '../../kube/json.js';
import { ageColumn, column, nameColumn } from '../columns.js';
import { invalid } from '../errors.js';
import type { Kind } from '../kind.js';

export const lease: Kind = {
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  plural: 'leases',
  singular: 'lease',
  namespaced: true,
  type: 'coordination.v1.Lease',
  description: 'Lease says who holds a role or is alive, and when that was last renewed.',
  columns: [nameColumn, column('Holder', object => String(at(object, 'spec', 'holderIdentity') ?? '')), ageColumn],
  defaults: object => {
    object.spec ??= {};
  },
  validate: object => {
    const seconds = at(object, 'spec', 'leaseDurationSeconds');
    return typeof seconds === 'number' && seconds <= 0
      ? [invalid('spec.leaseDurationSeconds', seconds, 'must be greater than 0')]
      : [];
  },
};
