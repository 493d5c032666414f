/** apps/v1 StatefulSet. */
import type { StatefulSet, StatefulSetSpec } from '../../kube/api/apps-v1.js';
import type { PersistentVolumeClaim } from '../../kube/api/core-v1.js';
import { selectorText } from '../../kube/label-selector.js';
import { ageColumn, column, nameColumn } from '../columns.js';
import type { AnyObject, Kind } from '../kind.js';
import { defaultClaim } from '../volume/claim.js';
import { templateColumns } from '../workload/columns.js';
import { defaultTemplate } from '../workload/defaults.js';
import { validateStatefulSet, validateStatefulSetUpdate } from '../workload/validate-statefulset.js';
import { scaleSubresource, statusSubresource } from './served.js';

const asStatefulSet = (object: AnyObject): StatefulSet => object as unknown as StatefulSet;
const specOf = (object: AnyObject): StatefulSetSpec => asStatefulSet(object).spec ?? ({} as StatefulSetSpec);

export const statefulSet: Kind = {
  group: 'apps',
  version: 'v1',
  kind: 'StatefulSet',
  plural: 'statefulsets',
  singular: 'statefulset',
  namespaced: true,
  shortNames: ['sts'],
  categories: ['all'],
  type: 'apps.v1.StatefulSet',
  description: 'StatefulSet runs pods with lasting names and volumes, by default one after the other.',
  hasStatus: true,
  subresources: [scaleSubresource, statusSubresource],
  scale: {
    specReplicas: ['spec', 'replicas'],
    statusReplicas: ['status', 'replicas'],
    selector: object => selectorText(specOf(object).selector),
  },
  columns: [
    nameColumn,
    column('Ready', object => `${asStatefulSet(object).status?.readyReplicas ?? 0}/${specOf(object).replicas ?? 0}`),
    ageColumn,
    ...templateColumns(object => specOf(object).template),
  ],
  defaults: object => {
    object.spec ??= {};
    defaultSpec(specOf(object));
  },
  prepareCreate: object => {
    object.status = { replicas: 0, availableReplicas: 0 };
  },
  validate: object => validateStatefulSet(specOf(object)),
  validateUpdate: (next, old) => validateStatefulSetUpdate(specOf(next), specOf(old)),
};

function defaultSpec(spec: StatefulSetSpec): void {
  spec.replicas ??= 1;
  spec.revisionHistoryLimit ??= 10;
  spec.podManagementPolicy ||= 'OrderedReady';
  spec.updateStrategy ??= {};
  spec.updateStrategy.type ||= 'RollingUpdate';
  if (spec.updateStrategy.type === 'RollingUpdate') {
    spec.updateStrategy.rollingUpdate ??= {};
    spec.updateStrategy.rollingUpdate.partition ??= 0;
  }
  spec.persistentVolumeClaimRetentionPolicy ??= {};
  spec.persistentVolumeClaimRetentionPolicy.whenDeleted ||= 'Retain';
  spec.persistentVolumeClaimRetentionPolicy.whenScaled ||= 'Retain';
  spec.template ??= {};
  defaultTemplate(spec.template);
  if (spec.volumeClaimTemplates) spec.volumeClaimTemplates = spec.volumeClaimTemplates.map(defaultClaimTemplate);
}

/** Claim templates are whole objects, and are shown as such. */
function defaultClaimTemplate(template: PersistentVolumeClaim): PersistentVolumeClaim {
  const claim = { ...template, apiVersion: 'v1', kind: 'PersistentVolumeClaim', status: template.status ?? {} };
  claim.status.phase ??= 'Pending';
  defaultClaim(claim);
  const { apiVersion, kind, metadata, spec, status } = claim;
  return { apiVersion, kind, metadata, ...(spec && { spec }), status };
}
