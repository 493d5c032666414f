/** All controllers. A new one is one file, and one line here. */
import { clusterRoleAggregationController } from './cluster-role-aggregation.js';
import type { Controller } from './contract.js';
import { cronJobController } from './cronjob/index.js';
import { csrApproverController } from './csr-approver.js';
import { csrSignerController } from './csr-signer.js';
import { customResourceDefinitionController } from './custom-resource-definition.js';
import { daemonSetController } from './daemonset/index.js';
import { deploymentController } from './deployment/deployment.js';
import { disruptionController } from './disruption.js';
import { endpointSliceController } from './endpoints/endpoint-slice.js';
import { endpointsController } from './endpoints/endpoints.js';
import { loadBalancerController } from './endpoints/load-balancer.js';
import { endpointSliceMirroringController } from './endpoints/mirror.js';
import { eventTtlController } from './event-ttl.js';
import { garbageCollector } from './garbage-collector.js';
import { jobController } from './job/index.js';
import { namespaceController } from './namespace.js';
import { nodeLifecycleController } from './node-lifecycle.js';
import { podGcController } from './pod-gc.js';
import { replicaSetController } from './replicaset.js';
import { replicationController } from './replication-controller.js';
import { resourceQuotaController } from './resource-quota.js';
import { rootCaController } from './root-ca.js';
import { serviceAccountController } from './service-account.js';
import { serviceAccountSecretController } from './service-account-secret.js';
import { statefulSetController } from './statefulset/index.js';
import { taintEvictionController } from './taint-eviction.js';
import { ttlAfterFinishedController } from './ttl-after-finished.js';

export const controllers: readonly Controller[] = [
  namespaceController,
  serviceAccountController,
  rootCaController,
  serviceAccountSecretController,
  clusterRoleAggregationController,
  csrApproverController,
  csrSignerController,
  nodeLifecycleController,
  podGcController,
  garbageCollector,
  resourceQuotaController,
  customResourceDefinitionController,
  eventTtlController,
  deploymentController,
  replicaSetController,
  replicationController,
  statefulSetController,
  daemonSetController,
  jobController,
  disruptionController,
  cronJobController,
  ttlAfterFinishedController,
  taintEvictionController,
  endpointSliceController,
  endpointsController,
  endpointSliceMirroringController,
  loadBalancerController,
];
