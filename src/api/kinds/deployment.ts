/** apps/v1 Deployment. */
import type { Deployment, DeploymentSpec } from '../../kube/api/apps-v1.js';
import { selectorText } from '../../kube/label-selector.js';
import { ageColumn, column, nameColumn, numberColumn } from '../columns.js';
import { immutable } from '../field-checks.js';
import type { AnyObject, Kind } from '../kind.js';
import { selectorColumn, templateColumns } from '../workload/columns.js';
import { defaultTemplate } from '../workload/defaults.js';
import { validateDeployment } from '../workload/validate.js';
import { scaleSubresource, statusSubresource } from './served.js';

const asDeployment = (object: AnyObject): Deployment => object as unknown as Deployment;
const specOf = (object: AnyObject): DeploymentSpec => asDeployment(object).spec ?? ({} as DeploymentSpec);

export const deployment: Kind = {
  group: 'apps',
  version: 'v1',
  kind: 'Deployment',
  plural: 'deployments',
  singular: 'deployment',
  namespaced: true,
  shortNames: ['deploy'],
  categories: ['all'],
  type: 'apps.v1.Deployment',
  description: 'Deployment keeps pods of one template running, and rolls changes of the template out step by step.',
  hasStatus: true,
  subresources: [scaleSubresource, statusSubresource],
  scale: {
    specReplicas: ['spec', 'replicas'],
    statusReplicas: ['status', 'replicas'],
    selector: object => selectorText(specOf(object).selector),
  },
  columns: [
    nameColumn,
    column('Ready', object => `${asDeployment(object).status?.readyReplicas ?? 0}/${specOf(object).replicas ?? 0}`),
    numberColumn('Up-to-date', object => asDeployment(object).status?.updatedReplicas ?? 0),
    numberColumn('Available', object => asDeployment(object).status?.availableReplicas ?? 0),
    ageColumn,
    ...templateColumns(object => specOf(object).template),
    selectorColumn(object => specOf(object).selector),
  ],
  defaults: object => {
    object.spec ??= {};
    defaultSpec(specOf(object));
  },
  prepareCreate: object => {
    object.status = {};
  },
  validate: object => validateDeployment(specOf(object)),
  validateUpdate: (next, old) => immutable('spec.selector', specOf(next).selector, specOf(old).selector),
};

function defaultSpec(spec: DeploymentSpec): void {
  spec.replicas ??= 1;
  spec.revisionHistoryLimit ??= 10;
  spec.progressDeadlineSeconds ??= 600;
  spec.strategy ??= {};
  spec.strategy.type ||= 'RollingUpdate';
  if (spec.strategy.type === 'RollingUpdate') {
    spec.strategy.rollingUpdate ??= {};
    spec.strategy.rollingUpdate.maxUnavailable ??= '25%';
    spec.strategy.rollingUpdate.maxSurge ??= '25%';
  }
  spec.template ??= {};
  defaultTemplate(spec.template);
}
