/** The roles of the cluster's own parts and of everybody, with who has them from the start. */
import type { RoleRef, Subject } from '../../kube/api/rbac-v1.js';
import { allow, allowPaths, readVerbs } from './role-text.js';
import type { DefaultRole } from './user-roles.js';

const discovery = '/api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version /version/';
const publicInfo = '/healthz /livez /readyz /version /version/';
const monitoring = '/healthz /healthz/* /livez /livez/* /metrics /metrics/slis /readyz /readyz/*';
const signers = 'certificates.k8s.io';
const reviews = 'tokenreviews';
const events = '|events.k8s.io';
const approver = (name: string): DefaultRole => ({
  name: `system:certificates.k8s.io:${name.split('/')[1]}-approver`,
  rules: [allow('approve', signers, 'signers', name)],
});

export const systemRoles: readonly DefaultRole[] = [
  { name: 'cluster-admin', rules: [allow('*', '*', '*'), allowPaths('*', '*')] },
  { name: 'system:discovery', rules: [allowPaths('get', discovery)] },
  {
    name: 'system:basic-user',
    rules: [
      allow('create', 'authorization.k8s.io', 'selfsubjectaccessreviews selfsubjectrulesreviews'),
      allow('create', 'authentication.k8s.io', 'selfsubjectreviews'),
    ],
  },
  { name: 'system:public-info-viewer', rules: [allowPaths('get', publicInfo)] },
  { name: 'system:monitoring', rules: [allowPaths('get', monitoring)] },
  {
    name: 'system:service-account-issuer-discovery',
    rules: [
      allowPaths(
        'get',
        '/.well-known/openid-configuration /.well-known/openid-configuration/ /openid/v1/jwks /openid/v1/jwks/',
      ),
    ],
  },
  {
    name: 'system:auth-delegator',
    rules: [
      allow('create', 'authentication.k8s.io', reviews),
      allow('create', 'authorization.k8s.io', 'subjectaccessreviews'),
    ],
  },
  {
    name: 'system:node',
    rules: [
      allow('create', 'authentication.k8s.io', reviews),
      allow('create', 'authorization.k8s.io', 'localsubjectaccessreviews subjectaccessreviews'),
      allow(readVerbs, '', 'services'),
      allow(`create ${readVerbs}`, '', 'nodes'),
      allow('patch update', '', 'nodes nodes/status'),
      allow('create patch update', events, 'events'),
      allow(readVerbs, '', 'pods'),
      allow('create delete', '', 'pods'),
      allow('patch update', '', 'pods/status'),
      allow('create', '', 'pods/eviction'),
      allow(readVerbs, '', 'configmaps secrets'),
      allow('get', '', 'persistentvolumeclaims persistentvolumes'),
      allow('create get', signers, 'certificatesigningrequests'),
      allow('create delete get patch update', 'coordination.k8s.io', 'leases'),
      allow('create', '', 'serviceaccounts/token'),
    ],
  },
  {
    name: 'system:node-bootstrapper',
    rules: [allow(`create ${readVerbs}`, signers, 'certificatesigningrequests')],
  },
  {
    name: 'system:node-proxier',
    rules: [
      allow('list watch', '', 'endpoints services'),
      allow(readVerbs, '', 'nodes'),
      allow('create patch update', events, 'events'),
      allow('list watch', 'discovery.k8s.io', 'endpointslices'),
    ],
  },
  {
    name: 'system:kubelet-api-admin',
    rules: [
      allow(readVerbs, '', 'nodes'),
      allow('proxy', '', 'nodes'),
      allow('*', '', 'nodes/log nodes/metrics nodes/proxy nodes/stats'),
    ],
  },
  {
    name: 'system:kube-scheduler',
    rules: [
      allow('create patch update', events, 'events'),
      allow('create get list update watch', 'coordination.k8s.io', 'leases'),
      allow(readVerbs, '', 'namespaces nodes persistentvolumeclaims persistentvolumes replicationcontrollers services'),
      allow(`delete ${readVerbs}`, '', 'pods'),
      allow('create', '', 'bindings pods/binding'),
      allow('patch update', '', 'pods/status'),
      allow(readVerbs, 'apps', 'replicasets statefulsets'),
      allow(readVerbs, 'policy', 'poddisruptionbudgets'),
      allow(readVerbs, 'storage.k8s.io', 'csidrivers csinodes storageclasses volumeattachments'),
      allow('create', 'authentication.k8s.io', reviews),
      allow('create', 'authorization.k8s.io', 'subjectaccessreviews'),
    ],
  },
  {
    name: 'system:kube-controller-manager',
    rules: [
      allow('create patch update', events, 'events'),
      allow('create get list update watch', 'coordination.k8s.io', 'leases'),
      allow('create get update', '', 'configmaps secrets serviceaccounts'),
      allow('delete', '', 'secrets'),
      allow('create', '', 'serviceaccounts/token'),
      allow('list watch', '*', '*'),
      allow('create', 'authentication.k8s.io', reviews),
      allow('create', 'authorization.k8s.io', 'subjectaccessreviews'),
    ],
  },
  { name: 'system:kube-dns', rules: [allow('list watch', '', 'endpoints services')] },
  {
    name: 'system:persistent-volume-provisioner',
    rules: [
      allow(`create delete ${readVerbs}`, '', 'persistentvolumes'),
      allow(`${readVerbs} update`, '', 'persistentvolumeclaims'),
      allow(readVerbs, 'storage.k8s.io', 'storageclasses'),
      allow('create patch update watch', '', 'events'),
    ],
  },
  {
    name: 'system:certificates.k8s.io:certificatesigningrequests:nodeclient',
    rules: [allow('create', signers, 'certificatesigningrequests/nodeclient')],
  },
  {
    name: 'system:certificates.k8s.io:certificatesigningrequests:selfnodeclient',
    rules: [allow('create', signers, 'certificatesigningrequests/selfnodeclient')],
  },
  approver('kubernetes.io/kube-apiserver-client'),
  approver('kubernetes.io/kube-apiserver-client-kubelet'),
  approver('kubernetes.io/kubelet-serving'),
  approver('kubernetes.io/legacy-unknown'),
];

export interface DefaultBinding {
  readonly name: string;
  readonly roleRef: RoleRef;
  readonly subjects: readonly Subject[];
}

const group = 'rbac.authorization.k8s.io';
const groupNamed = (name: string): Subject => ({ kind: 'Group', apiGroup: group, name });
const user = (name: string): Subject => ({ kind: 'User', apiGroup: group, name });
const bind = (name: string, role: string, ...subjects: Subject[]): DefaultBinding => ({
  name,
  roleRef: { apiGroup: group, kind: 'ClusterRole', name: role },
  subjects,
});

const everybody = groupNamed('system:authenticated');
const requests = 'system:certificates.k8s.io:certificatesigningrequests';

export const defaultBindings: readonly DefaultBinding[] = [
  bind('cluster-admin', 'cluster-admin', groupNamed('system:masters')),
  bind('system:discovery', 'system:discovery', everybody),
  bind('system:basic-user', 'system:basic-user', everybody),
  bind('system:public-info-viewer', 'system:public-info-viewer', everybody, groupNamed('system:unauthenticated')),
  bind('system:monitoring', 'system:monitoring', groupNamed('system:monitoring')),
  bind(
    'system:service-account-issuer-discovery',
    'system:service-account-issuer-discovery',
    groupNamed('system:serviceaccounts'),
  ),
  bind('system:node-proxier', 'system:node-proxier', user('system:kube-proxy')),
  bind('system:kube-scheduler', 'system:kube-scheduler', user('system:kube-scheduler')),
  bind('system:kube-controller-manager', 'system:kube-controller-manager', user('system:kube-controller-manager')),
  bind('keelson:node-bootstrapper', 'system:node-bootstrapper', groupNamed('system:bootstrappers')),
  bind('keelson:node-autoapprove-bootstrap', `${requests}:nodeclient`, groupNamed('system:bootstrappers')),
  bind('keelson:node-autoapprove-certificate-rotation', `${requests}:selfnodeclient`, groupNamed('system:nodes')),
];
