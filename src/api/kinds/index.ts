/** All built-in kinds, in the order that discovery shows them. A new kind is one file, and one line here. */
import type { Kind } from '../kind.js';
import { configMap } from './configmap.js';
import { controllerRevision } from './controllerrevision.js';
import { cronJob } from './cronjob.js';
import { csiDriver } from './csidriver.js';
import { csiNode } from './csinode.js';
import { daemonSet } from './daemonset.js';
import { deployment } from './deployment.js';
import { endpoints } from './endpoints.js';
import { endpointSlice } from './endpointslice.js';
import { event } from './event.js';
import { eventV1 } from './event-v1.js';
import { horizontalPodAutoscaler } from './horizontalpodautoscaler.js';
import { horizontalPodAutoscalerV1 } from './horizontalpodautoscaler-v1.js';
import { ingress } from './ingress.js';
import { ingressClass } from './ingressclass.js';
import { job } from './job.js';
import { lease } from './lease.js';
import { limitRange } from './limitrange.js';
import { namespace } from './namespace.js';
import { networkPolicy } from './networkpolicy.js';
import { node } from './node.js';
import { persistentVolume } from './persistentvolume.js';
import { persistentVolumeClaim } from './persistentvolumeclaim.js';
import { pod } from './pod.js';
import { podDisruptionBudget } from './poddisruptionbudget.js';
import { podTemplate } from './podtemplate.js';
import { priorityClass } from './priorityclass.js';
import { replicaSet } from './replicaset.js';
import { replicationController } from './replicationcontroller.js';
import { resourceQuota } from './resourcequota.js';
import { runtimeClass } from './runtimeclass.js';
import { secret } from './secret.js';
import { service } from './service.js';
import { serviceAccount } from './serviceaccount.js';
import { statefulSet } from './statefulset.js';
import { storageClass } from './storageclass.js';
import { volumeAttachment } from './volumeattachment.js';

export const builtInKinds: readonly Kind[] = [
  configMap,
  endpoints,
  event,
  limitRange,
  namespace,
  node,
  persistentVolumeClaim,
  persistentVolume,
  pod,
  podTemplate,
  replicationController,
  resourceQuota,
  secret,
  serviceAccount,
  service,
  controllerRevision,
  daemonSet,
  deployment,
  replicaSet,
  statefulSet,
  eventV1,
  horizontalPodAutoscaler,
  horizontalPodAutoscalerV1,
  cronJob,
  job,
  ingressClass,
  ingress,
  networkPolicy,
  podDisruptionBudget,
  csiDriver,
  csiNode,
  storageClass,
  volumeAttachment,
  priorityClass,
  lease,
  runtimeClass,
  endpointSlice,
];
