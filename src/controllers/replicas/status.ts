/** The status of a ReplicaSet or ReplicationController, counted from its pods. */

import type { Pod } from '../../kube/pod.js';
import { type LabelRequirement, matchesLabels } from '../../kube/selector.js';
import { timestamp } from '../../kube/time.js';
import type { Refusal } from '../contract.js';
import { isPodAvailable, isPodReady } from '../pods/condition.js';
import type { Replicated } from './replicas.js';

export interface ReplicasCondition {
  type: string;
  status: string;
  lastTransitionTime?: string;
  reason?: string;
  message?: string;
}

export interface ReplicasStatus {
  replicas: number;
  fullyLabeledReplicas?: number | undefined;
  readyReplicas?: number | undefined;
  availableReplicas?: number | undefined;
  terminatingReplicas?: number | undefined;
  observedGeneration?: number | undefined;
  conditions?: ReplicasCondition[] | undefined;
}

export interface Counted {
  readonly active: readonly Pod[];
  readonly terminating: number;
  /** Why no more pods could be made. */
  readonly failure: Refusal | undefined;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** Counts of 0 are absent, as on Kubernetes' wire, but for those that it always writes. */
export function statusOf(owner: Replicated, { active, terminating, failure, now }: Counted): ReplicasStatus {
  const { template, minReadySeconds = 0 } = owner.spec ?? {};
  const labels = Object.entries(template?.metadata?.labels ?? {}).map(
    ([key, value]): LabelRequirement => ({ key, operator: 'in', values: [value] }),
  );
  const count = (test: (pod: Pod) => boolean): number | undefined => active.filter(test).length || undefined;
  return {
    replicas: active.length,
    fullyLabeledReplicas: count(pod => matchesLabels(labels, pod.metadata.labels)),
    readyReplicas: count(isPodReady),
    availableReplicas: count(pod => isPodAvailable(pod, minReadySeconds, now)),
    ...(owner.kind === 'ReplicaSet' && { terminatingReplicas: terminating }),
    observedGeneration: owner.metadata.generation,
    conditions: conditionsOf(owner.status?.conditions ?? [], failure, now),
  };
}

const replicaFailure = 'ReplicaFailure';

/** The first failure stays as it is until pods can be made again: its message names a pod, and each try has another. */
function conditionsOf(
  before: readonly ReplicasCondition[],
  failure: Refusal | undefined,
  now: number,
): ReplicasCondition[] | undefined {
  const others = before.filter(({ type }) => type !== replicaFailure);
  if (!failure) return others.length > 0 ? others : undefined;
  const known = before.find(({ type }) => type === replicaFailure);
  return [
    ...others,
    known ?? {
      type: replicaFailure,
      status: 'True',
      lastTransitionTime: timestamp(now),
      reason: 'FailedCreate',
      message: failure.message,
    },
  ];
}
