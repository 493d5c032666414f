/**
 * Pods of a node that no longer exists are removed: nobody is left to confirm their end. After a while only, in case the
 * Node comes back under its name (reliability A11). Key: the node's name.
 */
import type { Pod } from '../kube/pod.js';
import { type Controller, type Facts, type Key, nothing, type Outcome, targetOf } from './contract.js';

export const quarantineMs = 40_000;

const nodeOf = (object: unknown): string | undefined => (object as Pod).spec.nodeName;

export const podGcController: Controller = {
  name: 'pod-gc',
  wakes: [
    { kind: 'Node', keys: object => [object.metadata.name] },
    { kind: 'Pod', keys: object => (nodeOf(object) ? [nodeOf(object)!] : []) },
  ],
  observes: ['Node'],
  writes: ['deletes Pods of deleted Nodes'],
  reconcile,
};

function reconcile({ view, now, seenAt }: Facts, key: Key): Outcome {
  if (view.get('Node', undefined, key)) return nothing;
  const pods = view.list('Pod').filter(pod => nodeOf(pod) === key);
  if (pods.length === 0) return nothing;
  const leftMs = seenAt('Node', undefined, key) + quarantineMs - now;
  if (leftMs > 0) return { actions: [], requeueAfterMs: leftMs };
  return { actions: pods.map(pod => ({ do: 'delete', target: targetOf(pod), graceSeconds: 0 })) };
}
