/** core/v1 Service. Addresses and node ports are given out by service/allocate.ts. */
import type { Service } from '../../kube/api/core-v1.js';
import { dns1035Problems } from '../../kube/names.js';
import { ageColumn, column, nameColumn } from '../columns.js';
import type { AnyObject, Kind } from '../kind.js';
import { clusterAddress, externalAddress, portsText } from '../service/columns.js';
import { defaultService } from '../service/defaults.js';
import { validateService } from '../service/validate.js';
import { validateAddressUpdate } from '../service/validate-addresses.js';
import { labelsColumn } from '../workload/columns.js';
import { statusSubresource } from './served.js';

const asService = (object: AnyObject): Service => object as unknown as Service;

export const service: Kind = {
  group: '',
  version: 'v1',
  kind: 'Service',
  plural: 'services',
  singular: 'service',
  namespaced: true,
  shortNames: ['svc'],
  categories: ['all'],
  type: 'core.v1.Service',
  description: 'Service gives pods that match a selector one lasting address and name.',
  hasStatus: true,
  subresources: [
    {
      name: 'proxy',
      responseKind: { group: '', version: 'v1', kind: 'ServiceProxyOptions' },
      verbs: ['create', 'delete', 'get', 'patch', 'update'],
    },
    statusSubresource,
  ],
  columns: [
    nameColumn,
    column('Type', object => asService(object).spec?.type ?? ''),
    column('Cluster-IP', object => clusterAddress(asService(object))),
    column('External-IP', object => externalAddress(asService(object))),
    column('Port(s)', object => portsText(asService(object))),
    ageColumn,
    labelsColumn('Selector', object => asService(object).spec?.selector, 1),
  ],
  defaults: object => {
    object.spec ??= {};
    defaultService(asService(object));
  },
  prepareCreate: object => {
    object.status = { loadBalancer: {} };
  },
  fieldLabels: {
    'spec.clusterIP': object => asService(object).spec?.clusterIP ?? '',
    'spec.type': object => asService(object).spec?.type ?? '',
  },
  nameProblems: dns1035Problems,
  validate: object => validateService(asService(object).spec ?? {}),
  validateUpdate: (next, old) => validateAddressUpdate(asService(next).spec ?? {}, asService(old).spec ?? {}),
};
