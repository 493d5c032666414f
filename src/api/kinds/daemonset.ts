/** apps/v1 DaemonSet. */
import type { DaemonSet, DaemonSetSpec } from '../../kube/api/apps-v1.js';
import { ageColumn, nameColumn, numberColumn } from '../columns.js';
import { immutable } from '../field-checks.js';
import type { AnyObject, Kind } from '../kind.js';
import { labelsColumn, selectorColumn, templateColumns } from '../workload/columns.js';
import { defaultTemplate } from '../workload/defaults.js';
import { validateDaemonSet } from '../workload/validate.js';
import { statusSubresource } from './served.js';

const asDaemonSet = (object: AnyObject): DaemonSet => object as unknown as DaemonSet;
const specOf = (object: AnyObject): DaemonSetSpec => asDaemonSet(object).spec ?? ({} as DaemonSetSpec);

export const daemonSet: Kind = {
  group: 'apps',
  version: 'v1',
  kind: 'DaemonSet',
  plural: 'daemonsets',
  singular: 'daemonset',
  namespaced: true,
  shortNames: ['ds'],
  categories: ['all'],
  type: 'apps.v1.DaemonSet',
  description: 'DaemonSet runs one pod on every node that fits.',
  hasStatus: true,
  subresources: [statusSubresource],
  columns: [
    nameColumn,
    numberColumn('Desired', object => asDaemonSet(object).status?.desiredNumberScheduled ?? 0),
    numberColumn('Current', object => asDaemonSet(object).status?.currentNumberScheduled ?? 0),
    numberColumn('Ready', object => asDaemonSet(object).status?.numberReady ?? 0),
    numberColumn('Up-to-date', object => asDaemonSet(object).status?.updatedNumberScheduled ?? 0),
    numberColumn('Available', object => asDaemonSet(object).status?.numberAvailable ?? 0),
    labelsColumn('Node Selector', object => specOf(object).template?.spec?.nodeSelector),
    ageColumn,
    ...templateColumns(object => specOf(object).template),
    selectorColumn(object => specOf(object).selector),
  ],
  defaults: object => {
    object.spec ??= {};
    defaultSpec(specOf(object));
  },
  prepareCreate: object => {
    object.status = { currentNumberScheduled: 0, numberMisscheduled: 0, desiredNumberScheduled: 0, numberReady: 0 };
  },
  validate: object => validateDaemonSet(specOf(object)),
  validateUpdate: (next, old) => immutable('spec.selector', specOf(next).selector, specOf(old).selector),
};

function defaultSpec(spec: DaemonSetSpec): void {
  spec.revisionHistoryLimit ??= 10;
  spec.updateStrategy ??= {};
  spec.updateStrategy.type ||= 'RollingUpdate';
  if (spec.updateStrategy.type === 'RollingUpdate') {
    spec.updateStrategy.rollingUpdate ??= {};
    spec.updateStrategy.rollingUpdate.maxUnavailable ??= 1;
    spec.updateStrategy.rollingUpdate.maxSurge ??= 0;
  }
  spec.template ??= {};
  defaultTemplate(spec.template);
}
