/** apps/v1 ReplicaSet. */
import type { ReplicaSet, ReplicaSetSpec } from '../../kube/api/apps-v1.js';
import { selectorText } from '../../kube/label-selector.js';
import { ageColumn, nameColumn, numberColumn } from '../columns.js';
import { immutable } from '../field-checks.js';
import type { AnyObject, Kind } from '../kind.js';
import { selectorColumn, templateColumns } from '../workload/columns.js';
import { defaultTemplate } from '../workload/defaults.js';
import { validateReplicaSet } from '../workload/validate.js';
import { scaleSubresource, statusSubresource } from './served.js';

const asReplicaSet = (object: AnyObject): ReplicaSet => object as unknown as ReplicaSet;
const specOf = (object: AnyObject): ReplicaSetSpec => asReplicaSet(object).spec ?? ({} as ReplicaSetSpec);

export const replicaSet: Kind = {
  group: 'apps',
  version: 'v1',
  kind: 'ReplicaSet',
  plural: 'replicasets',
  singular: 'replicaset',
  namespaced: true,
  shortNames: ['rs'],
  categories: ['all'],
  type: 'apps.v1.ReplicaSet',
  description: 'ReplicaSet keeps a number of equal pods running.',
  hasStatus: true,
  subresources: [scaleSubresource, statusSubresource],
  scale: {
    specReplicas: ['spec', 'replicas'],
    statusReplicas: ['status', 'replicas'],
    selector: object => selectorText(specOf(object).selector),
  },
  columns: [
    nameColumn,
    numberColumn('Desired', object => specOf(object).replicas ?? 0),
    numberColumn('Current', object => asReplicaSet(object).status?.replicas ?? 0),
    numberColumn('Ready', object => asReplicaSet(object).status?.readyReplicas ?? 0),
    ageColumn,
    ...templateColumns(object => specOf(object).template),
    selectorColumn(object => specOf(object).selector),
  ],
  defaults: object => {
    object.spec ??= {};
    const spec = specOf(object);
    spec.replicas ??= 1;
    spec.template ??= {};
    defaultTemplate(spec.template);
  },
  prepareCreate: object => {
    object.status = { replicas: 0 };
  },
  validate: object => validateReplicaSet(specOf(object)),
  validateUpdate: (next, old) => immutable('spec.selector', specOf(next).selector, specOf(old).selector),
  fieldLabels: { 'status.replicas': object => String(asReplicaSet(object).status?.replicas ?? 0) },
};
