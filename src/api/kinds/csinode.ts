/** storage.k8s.io/v1 CSINode. */
import type { CSINode } from '../../kube/api/storage-v1.js';
import { ageColumn, nameColumn, numberColumn } from '../columns.js';
import { duplicate, type FieldError, required } from '../errors.js';
import type { AnyObject, Kind } from '../kind.js';

const asNode = (object: AnyObject): CSINode => object as unknown as CSINode;

export const csiNode: Kind = {
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'CSINode',
  plural: 'csinodes',
  singular: 'csinode',
  namespaced: false,
  type: 'storage.v1.CSINode',
  description: 'CSINode lists the storage drivers that a node has.',
  columns: [nameColumn, numberColumn('Drivers', object => asNode(object).spec?.drivers?.length ?? 0), ageColumn],
  defaults: object => {
    object.spec ??= {};
    asNode(object).spec.drivers ??= [];
  },
  validate: object => validate(asNode(object)),
};

function validate({ spec }: CSINode): FieldError[] {
  const seen = new Set<string>();
  return (spec.drivers ?? []).flatMap(({ name, nodeID }, i) => {
    const repeated = seen.has(name);
    seen.add(name);
    return [
      ...(name ? [] : [required(`spec.drivers[${i}].name`)]),
      ...(nodeID ? [] : [required(`spec.drivers[${i}].nodeID`)]),
      ...(repeated ? [duplicate(`spec.drivers[${i}].name`, name)] : []),
    ];
  });
}
