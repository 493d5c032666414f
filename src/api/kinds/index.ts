/** All built-in kinds, in the order that discovery shows them. A new kind is one file, and one line here. */
import type { Kind } from '../kind.js';
import { binding } from './binding.js';
import { certificateSigningRequest } from './certificatesigningrequest.js';
import { clusterRole } from './clusterrole.js';
import { clusterRoleBinding } from './clusterrolebinding.js';
import { configMap } from './configmap.js';
import { controllerRevision } from './controllerrevision.js';
import { cronJob } from './cronjob.js';
import { csiDriver } from './csidriver.js';
import { csiNode } from './csinode.js';
import { customResourceDefinition } from './customresourcedefinition.js';
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
import { localSubjectAccessReview } from './localsubjectaccessreview.js';
import { nodeMetrics, podMetrics } from './metrics.js';
import { mutatingWebhookConfiguration } from './mutatingwebhookconfiguration.js';
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
import { role } from './role.js';
import { roleBinding } from './rolebinding.js';
import { runtimeClass } from './runtimeclass.js';
import { secret } from './secret.js';
import { selfSubjectAccessReview } from './selfsubjectaccessreview.js';
import { selfSubjectReview } from './selfsubjectreview.js';
import { selfSubjectRulesReview } from './selfsubjectrulesreview.js';
import { service } from './service.js';
import { serviceAccount } from './serviceaccount.js';
import { statefulSet } from './statefulset.js';
import { storageClass } from './storageclass.js';
import { subjectAccessReview } from './subjectaccessreview.js';
import { tokenReview } from './tokenreview.js';
import { validatingWebhookConfiguration } from './validatingwebhookconfiguration.js';
import { volumeAttachment } from './volumeattachment.js';

export const builtInKinds: readonly Kind[] = [
  binding,
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
  tokenReview,
  selfSubjectReview,
  subjectAccessReview,
  localSubjectAccessReview,
  selfSubjectAccessReview,
  selfSubjectRulesReview,
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
  certificateSigningRequest,
  ingressClass,
  ingress,
  networkPolicy,
  podDisruptionBudget,
  clusterRole,
  clusterRoleBinding,
  role,
  roleBinding,
  mutatingWebhookConfiguration,
  validatingWebhookConfiguration,
  customResourceDefinition,
  csiDriver,
  csiNode,
  storageClass,
  volumeAttachment,
  priorityClass,
  lease,
  runtimeClass,
  endpointSlice,
  nodeMetrics,
  podMetrics,
];
