/** Admission that depends on who writes: what a kind asks of its writers, and what a node may say of itself and its pods. */
import type { Pod } from '../../kube/pod.js';
import { type Actor, nodeNameOf } from '../authorize.js';
import { forbidden } from '../errors.js';
import type { AnyObject, Kind } from '../kind.js';
import { restrictNode, restrictPod } from './node-restriction.js';

export interface GuardedWrite {
  readonly kind: Kind;
  readonly actor: Actor;
  readonly next: AnyObject;
  /** Absent on create. */
  readonly old?: AnyObject;
  readonly part: 'object' | 'status';
}

/** Throws StatusError. */
export function admitWriter(
  kind: Kind,
  actor: Actor | undefined,
  write: Pick<GuardedWrite, 'next' | 'old' | 'part'>,
): void {
  if (!actor) return;
  const node = nodeNameOf(actor.identity);
  if (node !== undefined) restrict(kind, node, write.next, write.old);
  kind.admitWriter?.({ kind, actor, ...write });
}

function restrict(kind: Kind, node: string, next: AnyObject, old: AnyObject | undefined): void {
  const { namespace, name } = next.metadata;
  const why =
    kind.kind === 'Node'
      ? restrictNode(node, next, old)
      : kind.kind === 'Pod'
        ? restrictPod(node, next as unknown as Pod, old as unknown as Pod | undefined)
        : kind.kind === 'Lease' && (namespace !== 'kube-node-lease' || name !== node)
          ? 'can only access lease with the same name as the requesting node'
          : undefined;
  if (why !== undefined) throw forbidden(kind, name, why);
}
