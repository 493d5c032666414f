/** core/v1 ResourceQuota. */
import type { ResourceQuota } from '../../kube/api/core-v1.js';
import { ageColumn, column, nameColumn } from '../columns.js';
import type { AnyObject, Kind } from '../kind.js';
import { validateQuota, validateQuotaUpdate } from '../quota/validate.js';
import { statusSubresource } from './served.js';

const asQuota = (object: AnyObject): ResourceQuota => object as unknown as ResourceQuota;

export const resourceQuota: Kind = {
  group: '',
  version: 'v1',
  kind: 'ResourceQuota',
  plural: 'resourcequotas',
  singular: 'resourcequota',
  namespaced: true,
  shortNames: ['quota'],
  type: 'core.v1.ResourceQuota',
  description: 'ResourceQuota limits what a namespace may use in total.',
  hasStatus: true,
  subresources: [statusSubresource],
  columns: [
    nameColumn,
    column('Request', object => usageText(asQuota(object), false)),
    column('Limit', object => usageText(asQuota(object), true)),
    ageColumn,
  ],
  defaults: object => {
    object.spec ??= {};
  },
  prepareCreate: object => {
    object.status = {};
  },
  validate: object => validateQuota(asQuota(object)),
  validateUpdate: (next, old) => validateQuotaUpdate(asQuota(next), asQuota(old)),
};

/** `cpu: 1/2, pods: 3/10`; names that begin with `limits.` have a column of their own. */
function usageText({ status }: ResourceQuota, limits: boolean): string {
  return Object.entries(status?.hard ?? {})
    .filter(([name]) => name.startsWith('limits.') === limits)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, hard]) => `${name}: ${status?.used?.[name] ?? '0'}/${hard}`)
    .join(', ');
}
