/** The roles that people are given: admin, edit, view, each made of what is labelled to belong to it. */
import type { PolicyRule } from '../../kube/api/rbac-v1.js';
import { allow, allVerbs, readVerbs, writeVerbs } from './role-text.js';

export interface DefaultRole {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly rules?: readonly PolicyRule[];
  /** Made of all roles that carry this label. */
  readonly aggregates?: string;
}

const label = (role: string): string => `rbac.authorization.k8s.io/aggregate-to-${role}`;

const coreRead =
  'configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status';
const coreStatus =
  'bindings events limitranges namespaces/status pods/log pods/status replicationcontrollers/status resourcequotas resourcequotas/status';
const workloads =
  'daemonsets deployments deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale';
const workloadStatus =
  'controllerrevisions daemonsets/status deployments/status replicasets/status statefulsets/status';

const view: readonly PolicyRule[] = [
  allow(readVerbs, '', coreRead),
  allow(readVerbs, '', coreStatus),
  allow(readVerbs, '', 'namespaces'),
  allow(readVerbs, 'discovery.k8s.io', 'endpointslices'),
  allow(readVerbs, 'apps', `${workloads} ${workloadStatus}`),
  allow(readVerbs, 'autoscaling', 'horizontalpodautoscalers horizontalpodautoscalers/status'),
  allow(readVerbs, 'batch', 'cronjobs cronjobs/status jobs jobs/status'),
  allow(readVerbs, 'policy', 'poddisruptionbudgets poddisruptionbudgets/status'),
  allow(readVerbs, 'networking.k8s.io', 'ingresses ingresses/status networkpolicies'),
  allow('get list watch', 'events.k8s.io', 'events'),
  allow('get list', 'metrics.k8s.io', 'pods'),
];

const edit: readonly PolicyRule[] = [
  allow(readVerbs, '', 'pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy'),
  allow('impersonate', '', 'serviceaccounts'),
  allow(writeVerbs, '', 'pods pods/attach pods/exec pods/portforward pods/proxy'),
  allow('create', '', 'pods/eviction'),
  allow('patch update', '', 'pods/ephemeralcontainers pods/resize'),
  allow(
    writeVerbs,
    '',
    'configmaps endpoints events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets serviceaccounts services services/proxy',
  ),
  allow('create', '', 'serviceaccounts/token'),
  allow(writeVerbs, 'apps', `${workloads} deployments/rollback`),
  allow(writeVerbs, 'autoscaling', 'horizontalpodautoscalers'),
  allow(writeVerbs, 'batch', 'cronjobs jobs'),
  allow(writeVerbs, 'policy', 'poddisruptionbudgets'),
  allow(writeVerbs, 'networking.k8s.io', 'ingresses networkpolicies'),
  allow(allVerbs, 'coordination.k8s.io', 'leases'),
];

const admin: readonly PolicyRule[] = [
  allow('create', 'authorization.k8s.io', 'localsubjectaccessreviews'),
  allow(allVerbs, 'rbac.authorization.k8s.io', 'rolebindings roles'),
];

export const userRoles: readonly DefaultRole[] = [
  { name: 'admin', aggregates: label('admin') },
  { name: 'edit', aggregates: label('edit'), labels: { [label('admin')]: 'true' } },
  { name: 'view', aggregates: label('view'), labels: { [label('edit')]: 'true' } },
  { name: 'system:aggregate-to-admin', labels: { [label('admin')]: 'true' }, rules: admin },
  { name: 'system:aggregate-to-edit', labels: { [label('edit')]: 'true' }, rules: edit },
  { name: 'system:aggregate-to-view', labels: { [label('view')]: 'true' }, rules: view },
];
