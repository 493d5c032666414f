/** Creating and deleting pods, with the events that Kubernetes' controllers send about their owners. */
import { type KubeObject, referenceTo } from '../../kube/meta.js';
import type { Pod } from '../../kube/pod.js';
import { type Action, targetOf } from '../contract.js';

export function createPod(pod: Pod, owner: KubeObject): Action {
  return {
    do: 'create',
    object: pod,
    tell: {
      about: referenceTo(owner),
      done: { reason: 'SuccessfulCreate', message: `Created pod: ${pod.metadata.name}` },
      failed: { reason: 'FailedCreate', message: 'Error creating' },
    },
  };
}

export function deletePod(pod: Pod, owner: KubeObject): Action {
  return {
    do: 'delete',
    target: targetOf(pod),
    tell: {
      about: referenceTo(owner),
      done: { reason: 'SuccessfulDelete', message: `Deleted pod: ${pod.metadata.name}` },
      failed: { reason: 'FailedDelete', message: 'Error deleting' },
    },
  };
}
