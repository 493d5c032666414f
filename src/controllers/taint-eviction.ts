/**
 * Deletes pods from nodes whose NoExecute taints they do not tolerate, or not for longer. Time counts from when the taint
 * was put there, but not from before this process began: whoever could not be heard while it was away gets the full time. The
 * deletion is an ordinary one: on a node that is not heard of the pod stays, terminating. Key: the node's name.
 */
import { type Condition, keyOf, referenceTo } from '../kube/meta.js';
import type { Node, Taint } from '../kube/node.js';
import type { Pod } from '../kube/pod.js';
import { parseTime, timestamp } from '../kube/time.js';
import { tolerates } from '../kube/tolerations.js';
import { type Action, type Controller, type Facts, type Key, nothing, type Outcome, targetOf } from './contract.js';
import { isPodActive } from './pods/condition.js';

const nodeOf = (object: unknown): string | undefined => (object as Pod).spec.nodeName;

export const taintEvictionController: Controller = {
  name: 'taint-eviction',
  wakes: [
    { kind: 'Node', keys: object => [object.metadata.name] },
    { kind: 'Pod', keys: object => (nodeOf(object) ? [nodeOf(object)!] : []) },
  ],
  observes: ['Node'],
  writes: ['deletes Pods that do not tolerate a taint', 'Pod condition DisruptionTarget'],
  reconcile,
};

function reconcile({ view, now, seenAt }: Facts, key: Key): Outcome {
  const node = view.get('Node', undefined, key) as unknown as Node | undefined;
  const taints = node?.spec?.taints?.filter(({ effect }) => effect === 'NoExecute') ?? [];
  if (taints.length === 0) return nothing;
  // no node has this name: what this process has never seen change, it has seen at its start
  const began = seenAt('Node', undefined, '');
  const pods = (view.list('Pod') as unknown as Pod[]).filter(pod => nodeOf(pod) === key && isPodActive(pod));
  const due = pods.map(pod => ({ pod, atMs: evictionTime(pod, taints, began) }));
  const waits = due.map(({ atMs }) => atMs - now).filter(ms => ms > 0 && Number.isFinite(ms));
  return {
    actions: evict(
      due.filter(({ atMs }) => atMs <= now).map(({ pod }) => pod),
      now,
    ),
    ...(waits.length > 0 && { requeueAfterMs: Math.min(...waits) }),
  };
}

/** Milliseconds since 1970; -Infinity is at once, Infinity never. The strictest taint decides. */
export function evictionTime(pod: Pod, taints: readonly Taint[], began: number): number {
  return Math.min(...taints.map(taint => toleratedUntil(pod, taint, began)));
}

function toleratedUntil({ spec }: Pod, taint: Taint, began: number): number {
  const matching = spec.tolerations?.filter(toleration => tolerates(toleration, taint)) ?? [];
  if (matching.length === 0) return Number.NEGATIVE_INFINITY;
  const seconds = matching.flatMap(({ tolerationSeconds }) => tolerationSeconds ?? []);
  if (seconds.length === 0) return Number.POSITIVE_INFINITY;
  const since = Math.max(parseTime(taint.timeAdded ?? '') ?? began, began);
  return since + Math.max(0, Math.min(...seconds)) * 1000;
}

const why = { reason: 'DeletionByTaintManager', message: 'Taint manager: deleting due to NoExecute taint' };

/** First all marks, then all deletions: these go into few transactions. */
function evict(pods: readonly Pod[], now: number): Action[] {
  return [
    ...pods.map(pod => markDisrupted(pod, now, why)),
    ...pods.map((pod): Action => {
      const done = { reason: 'TaintManagerEviction', message: `Marking for deletion Pod ${keyOf(pod)}` };
      return { do: 'delete', target: targetOf(pod), tell: { about: referenceTo(pod), done } };
    }),
  ];
}

/** So that a Job's podFailurePolicy can tell this from a failure. @param more further changes of the status */
export function markDisrupted(
  pod: Pod,
  now: number,
  why: { readonly reason: string; readonly message: string },
  more: object = {},
): Action {
  const type = 'DisruptionTarget';
  const others = pod.status?.conditions?.filter(condition => condition.type !== type) ?? [];
  const condition: Condition = { type, status: 'True', ...why, lastTransitionTime: timestamp(now) };
  return {
    do: 'patch',
    target: targetOf(pod),
    at: undefined,
    patch: { status: { ...more, conditions: [...others, condition] } },
    subresource: 'status',
  };
}
