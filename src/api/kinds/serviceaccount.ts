/** core/v1 ServiceAccount. */
import { ageColumn, nameColumn, numberColumn } from '../columns.js';
import type { Kind } from '../kind.js';

export const serviceAccount: Kind = {
  group: '',
  version: 'v1',
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  singular: 'serviceaccount',
  namespaced: true,
  shortNames: ['sa'],
  type: 'core.v1.ServiceAccount',
  description: 'ServiceAccount is the identity of what runs in pods.',
  subresources: [
    {
      name: 'token',
      responseKind: { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' },
      verbs: ['create'],
    },
  ],
  columns: [
    nameColumn,
    numberColumn('Secrets', object => (Array.isArray(object.secrets) ? object.secrets.length : 0)),
    ageColumn,
  ],
};
