/** storage.k8s.io/v1 VolumeAttachment. */
import type { VolumeAttachment } from '../../kube/api/storage-v1.js';
import { deepEqual } from '../../kube/json.js';
import { ageColumn, column, nameColumn } from '../columns.js';
import { type FieldError, invalid, required } from '../errors.js';
import type { AnyObject, Kind } from '../kind.js';
import { statusSubresource } from './served.js';

const asAttachment = (object: AnyObject): VolumeAttachment => object as unknown as VolumeAttachment;

export const volumeAttachment: Kind = {
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'VolumeAttachment',
  plural: 'volumeattachments',
  singular: 'volumeattachment',
  namespaced: false,
  type: 'storage.v1.VolumeAttachment',
  description: 'VolumeAttachment asks that a volume be attached to a node.',
  hasStatus: true,
  subresources: [statusSubresource],
  columns: [
    nameColumn,
    column('Attacher', object => asAttachment(object).spec?.attacher ?? ''),
    column('PV', object => asAttachment(object).spec?.source?.persistentVolumeName ?? ''),
    column('Node', object => asAttachment(object).spec?.nodeName ?? ''),
    column('Attached', object => String(asAttachment(object).status?.attached ?? false)),
    ageColumn,
  ],
  defaults: object => {
    object.spec ??= {};
  },
  prepareCreate: object => {
    object.status = { attached: false };
  },
  validate: object => validate(asAttachment(object)),
  validateUpdate: (next, old) =>
    deepEqual(next.spec, old.spec) ? [] : [invalid('spec', next.spec, 'field is immutable')],
};

function validate({ spec }: VolumeAttachment): FieldError[] {
  const { persistentVolumeName, inlineVolumeSpec } = spec.source ?? {};
  return [
    ...(spec.attacher ? [] : [required('spec.attacher')]),
    ...(spec.nodeName ? [] : [required('spec.nodeName')]),
    ...(persistentVolumeName === undefined && inlineVolumeSpec === undefined
      ? [required('spec.source', 'must specify exactly one of inlineVolumeSpec and persistentVolumeName')]
      : []),
  ];
}
