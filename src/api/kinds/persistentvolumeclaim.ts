/** core/v1 PersistentVolumeClaim. */
import type { PersistentVolumeClaim } from '../../kube/api/core-v1.js';
import { ageColumn, column, nameColumn } from '../columns.js';
import type { AnyObject, Kind } from '../kind.js';
import { accessModesText, defaultClaim, storageClassOf } from '../volume/claim.js';
import { validateClaim, validateClaimUpdate } from '../volume/validate.js';
import { statusSubresource } from './served.js';

const asClaim = (object: AnyObject): PersistentVolumeClaim => object as unknown as PersistentVolumeClaim;

export const persistentVolumeClaim: Kind = {
  group: '',
  version: 'v1',
  kind: 'PersistentVolumeClaim',
  plural: 'persistentvolumeclaims',
  singular: 'persistentvolumeclaim',
  namespaced: true,
  shortNames: ['pvc'],
  type: 'core.v1.PersistentVolumeClaim',
  description: 'PersistentVolumeClaim asks for storage that outlives pods.',
  hasStatus: true,
  subresources: [statusSubresource],
  columns: [
    nameColumn,
    column('Status', object =>
      object.metadata.deletionTimestamp ? 'Terminating' : (asClaim(object).status?.phase ?? ''),
    ),
    column('Volume', object => asClaim(object).spec?.volumeName ?? ''),
    column('Capacity', object => whenBound(object, ({ status }) => status?.capacity?.storage ?? '')),
    column('Access Modes', object => whenBound(object, ({ status }) => accessModesText(status?.accessModes))),
    column('StorageClass', object => storageClassOf(asClaim(object)) ?? ''),
    column('VolumeAttributesClass', object => asClaim(object).spec?.volumeAttributesClassName ?? '<unset>'),
    ageColumn,
    column('VolumeMode', object => asClaim(object).spec?.volumeMode ?? '<unset>', 1),
  ],
  defaults: object => defaultClaim(asClaim(object)),
  prepareCreate: object => {
    object.status = { phase: 'Pending' };
  },
  validate: object => validateClaim(asClaim(object)),
  validateUpdate: (next, old) => validateClaimUpdate(asClaim(next), asClaim(old)),
};

function whenBound(object: AnyObject, cell: (claim: PersistentVolumeClaim) => string): string {
  const claim = asClaim(object);
  return claim.spec?.volumeName ? cell(claim) : '';
}
