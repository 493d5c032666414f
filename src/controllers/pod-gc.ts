/**
 * Removes pods whose end nobody is left to confirm: those of a node that no longer exists, after a while only, in case the
 * Node comes back under its name (reliability A11); those that end on a node which people have declared out of service. They
 * are marked as failed first, so that a Job counts them. Key: the node's name.
 */
import type { Node } from '../kube/node.js';
import type { Pod } from '../kube/pod.js';
import { nodeTaints } from '../kube/tolerations.js';
import { type Action, type Controller, type Facts, type Key, nothing, type Outcome, targetOf } from './contract.js';
import { isNodeReady } from './node-lifecycle-taints.js';
import { markDisrupted } from './taint-eviction.js';

export const quarantineMs = 40_000;

const nodeOf = (object: unknown): string | undefined => (object as Pod).spec.nodeName;

export const podGcController: Controller = {
  name: 'pod-gc',
  wakes: [
    { kind: 'Node', keys: object => [object.metadata.name] },
    { kind: 'Pod', keys: object => (nodeOf(object) ? [nodeOf(object)!] : []) },
  ],
  observes: ['Node'],
  writes: ['deletes Pods of Nodes that are deleted or out of service', 'their status'],
  reconcile,
};

function reconcile({ view, now, seenAt }: Facts, key: Key): Outcome {
  const node = view.get('Node', undefined, key) as unknown as Node | undefined;
  if (node && !isOut(node)) return nothing;
  const pods = (view.list('Pod') as unknown as Pod[]).filter(pod => nodeOf(pod) === key);
  // what still runs there is evicted by the taint in the ordinary way, and comes here when it is terminating
  if (node)
    return {
      actions: remove(
        pods.filter(pod => pod.metadata.deletionTimestamp),
        now,
      ),
    };
  if (pods.length === 0) return nothing;
  const leftMs = seenAt('Node', undefined, key) + quarantineMs - now;
  if (leftMs > 0) return { actions: [], requeueAfterMs: leftMs };
  return { actions: remove(pods, now) };
}

const isOut = (node: Node): boolean =>
  !isNodeReady(node) && (node.spec?.taints?.some(({ key }) => key === nodeTaints.outOfService) ?? false);

const why = { reason: 'DeletionByPodGC', message: 'PodGC: node no longer exists' };

/** First all marks, then all deletions: these go into few transactions. */
function remove(pods: readonly Pod[], now: number): Action[] {
  const going = pods.filter(pod => !isHeldByOthers(pod));
  return [
    ...going.filter(pod => !hasEnded(pod)).map(pod => markDisrupted(pod, now, why, { phase: 'Failed' })),
    ...going.map((pod): Action => ({ do: 'delete', target: targetOf(pod), graceSeconds: 0 })),
  ];
}

const hasEnded = ({ status }: Pod): boolean => status?.phase === 'Succeeded' || status?.phase === 'Failed';

/** Ended and deleted: only its finalizers keep it. */
const isHeldByOthers = (pod: Pod): boolean =>
  hasEnded(pod) && pod.metadata.deletionTimestamp !== undefined && (pod.metadata.finalizers?.length ?? 0) > 0;
