/** storage.k8s.io/v1 StorageClass. */
import type { StorageClass } from '../../kube/api/storage-v1.js';
import { ageColumn, column, nameColumn } from '../columns.js';
import type { AnyObject, Kind } from '../kind.js';
import { isDefaultClass } from '../volume/default-class.js';
import { validateClass, validateClassUpdate } from '../volume/validate.js';

const asClass = (object: AnyObject): StorageClass => object as unknown as StorageClass;

export const storageClass: Kind = {
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'StorageClass',
  plural: 'storageclasses',
  singular: 'storageclass',
  namespaced: false,
  shortNames: ['sc'],
  type: 'storage.v1.StorageClass',
  description: 'StorageClass says how volumes for claims are made, and by whom.',
  columns: [
    { ...nameColumn, cell: object => object.metadata.name + (isDefaultClass(object) ? ' (default)' : '') },
    column('Provisioner', object => asClass(object).provisioner ?? ''),
    column('ReclaimPolicy', object => asClass(object).reclaimPolicy ?? 'Delete'),
    column('VolumeBindingMode', object => asClass(object).volumeBindingMode ?? '<unset>'),
    column('AllowVolumeExpansion', object => String(asClass(object).allowVolumeExpansion ?? false)),
    ageColumn,
  ],
  defaults: object => {
    const given = asClass(object);
    given.reclaimPolicy ??= 'Delete';
    given.volumeBindingMode ??= 'Immediate';
  },
  validate: object => validateClass(asClass(object)),
  validateUpdate: (next, old) => validateClassUpdate(asClass(next), asClass(old)),
};
