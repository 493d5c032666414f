/** storage.k8s.io/v1 CSIDriver. */
import type { CSIDriver } from '../../kube/api/storage-v1.js';
import { ageColumn, column, nameColumn } from '../columns.js';
import { notSupported } from '../errors.js';
import type { AnyObject, Kind } from '../kind.js';

const asDriver = (object: AnyObject): CSIDriver => object as unknown as CSIDriver;

export const csiDriver: Kind = {
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'CSIDriver',
  plural: 'csidrivers',
  singular: 'csidriver',
  namespaced: false,
  type: 'storage.v1.CSIDriver',
  description: 'CSIDriver tells what a storage driver of the Container Storage Interface can do.',
  columns: [
    nameColumn,
    column('AttachRequired', object => String(asDriver(object).spec?.attachRequired ?? true)),
    column('PodInfoOnMount', object => String(asDriver(object).spec?.podInfoOnMount ?? false)),
    column('StorageCapacity', object => String(asDriver(object).spec?.storageCapacity ?? false)),
    column(
      'TokenRequests',
      object => (asDriver(object).spec?.tokenRequests ?? []).map(({ audience }) => audience).join(',') || '<unset>',
    ),
    column('RequiresRepublish', object => String(asDriver(object).spec?.requiresRepublish ?? false)),
    column('Modes', object => (asDriver(object).spec?.volumeLifecycleModes ?? []).join(',') || '<none>'),
    ageColumn,
  ],
  defaults: object => {
    object.spec ??= {};
    const { spec } = asDriver(object);
    spec.attachRequired ??= true;
    spec.podInfoOnMount ??= false;
    spec.storageCapacity ??= false;
    spec.fsGroupPolicy ??= 'ReadWriteOnceWithFSType';
    if (!spec.volumeLifecycleModes?.length) spec.volumeLifecycleModes = ['Persistent'];
    spec.requiresRepublish ??= false;
    spec.seLinuxMount ??= false;
  },
  validate: object =>
    (asDriver(object).spec.volumeLifecycleModes ?? [])
      .filter(mode => !modes.includes(mode))
      .map(mode => notSupported('spec.volumeLifecycleModes', mode, modes)),
};

const modes = ['Ephemeral', 'Persistent'];
