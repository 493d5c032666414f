/** core/v1 ReplicationController: the elder of ReplicaSet, with a plain map as selector. */
import type { ReplicationController, ReplicationControllerSpec } from '../../kube/api/core-v1.js';
import { labelsText } from '../../kube/label-selector.js';
import { ageColumn, nameColumn, numberColumn } from '../columns.js';
import type { AnyObject, Kind } from '../kind.js';
import { labelsColumn, templateColumns } from '../workload/columns.js';
import { defaultTemplate } from '../workload/defaults.js';
import { validateReplicationController } from '../workload/validate.js';
import { scaleSubresource, statusSubresource } from './served.js';

const asController = (object: AnyObject): ReplicationController => object as unknown as ReplicationController;
const specOf = (object: AnyObject): ReplicationControllerSpec => asController(object).spec ?? {};

export const replicationController: Kind = {
  group: '',
  version: 'v1',
  kind: 'ReplicationController',
  plural: 'replicationcontrollers',
  singular: 'replicationcontroller',
  namespaced: true,
  shortNames: ['rc'],
  categories: ['all'],
  type: 'core.v1.ReplicationController',
  description: 'ReplicationController keeps a number of equal pods running; ReplicaSet is its successor.',
  hasStatus: true,
  subresources: [scaleSubresource, statusSubresource],
  scale: {
    specReplicas: ['spec', 'replicas'],
    statusReplicas: ['status', 'replicas'],
    selector: object => labelsText(specOf(object).selector),
  },
  columns: [
    nameColumn,
    numberColumn('Desired', object => specOf(object).replicas ?? 0),
    numberColumn('Current', object => asController(object).status?.replicas ?? 0),
    numberColumn('Ready', object => asController(object).status?.readyReplicas ?? 0),
    ageColumn,
    ...templateColumns(object => specOf(object).template),
    labelsColumn('Selector', object => specOf(object).selector, 1),
  ],
  defaults: object => {
    object.spec ??= {};
    const spec = specOf(object);
    spec.replicas ??= 1;
    if (!spec.template) return;
    defaultTemplate(spec.template);
    const labels = spec.template.metadata?.labels;
    if (!labels) return;
    if (Object.keys(spec.selector ?? {}).length === 0) spec.selector = { ...labels };
    if (Object.keys(object.metadata.labels ?? {}).length === 0) object.metadata.labels = { ...labels };
  },
  prepareCreate: object => {
    object.status = { replicas: 0 };
  },
  validate: object => validateReplicationController(specOf(object)),
  fieldLabels: { 'status.replicas': object => String(asController(object).status?.replicas ?? 0) },
};
