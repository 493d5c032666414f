/** core/v1 PersistentVolume. */
import type { PersistentVolume } from '../../kube/api/core-v1.js';
import { ageColumn, column, nameColumn } from '../columns.js';
import type { AnyObject, Kind } from '../kind.js';
import { accessModesText, storageClassOf } from '../volume/claim.js';
import { validateVolume, validateVolumeUpdate } from '../volume/validate.js';
import { statusSubresource } from './served.js';

const asVolume = (object: AnyObject): PersistentVolume => object as unknown as PersistentVolume;

export const persistentVolume: Kind = {
  group: '',
  version: 'v1',
  kind: 'PersistentVolume',
  plural: 'persistentvolumes',
  singular: 'persistentvolume',
  namespaced: false,
  shortNames: ['pv'],
  type: 'core.v1.PersistentVolume',
  description: 'PersistentVolume is storage of the cluster that outlives pods; a claim takes it.',
  hasStatus: true,
  subresources: [statusSubresource],
  columns: [
    nameColumn,
    column('Capacity', object => asVolume(object).spec?.capacity?.storage ?? ''),
    column('Access Modes', object => accessModesText(asVolume(object).spec?.accessModes)),
    column('Reclaim Policy', object => asVolume(object).spec?.persistentVolumeReclaimPolicy ?? ''),
    column('Status', object =>
      object.metadata.deletionTimestamp ? 'Terminating' : (asVolume(object).status?.phase ?? ''),
    ),
    column('Claim', object => claimText(asVolume(object))),
    column('StorageClass', object => storageClassOf(asVolume(object)) ?? ''),
    column('VolumeAttributesClass', object => asVolume(object).spec?.volumeAttributesClassName ?? '<unset>'),
    column('Reason', object => asVolume(object).status?.reason ?? ''),
    ageColumn,
    column('VolumeMode', object => asVolume(object).spec?.volumeMode ?? '<unset>', 1),
  ],
  defaults: object => {
    object.spec ??= {};
    const { spec = {} } = asVolume(object);
    spec.persistentVolumeReclaimPolicy ||= 'Retain';
    spec.volumeMode ??= 'Filesystem';
    if (spec.hostPath) spec.hostPath.type ??= '';
  },
  prepareCreate: object => {
    object.status = { phase: 'Pending' };
  },
  validate: object => validateVolume(asVolume(object)),
  validateUpdate: (next, old) => validateVolumeUpdate(asVolume(next), asVolume(old)),
};

const claimText = ({ spec }: PersistentVolume): string =>
  spec?.claimRef ? `${spec.claimRef.namespace ?? ''}/${spec.claimRef.name ?? ''}` : '';
