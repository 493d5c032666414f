/** What a Deployment writes on its ReplicaSets: which revision they are, what they were made for. */
import type { Deployment, ReplicaSet } from '../../kube/api/apps-v1.js';
import { boundsOf, replicasOf } from './bounds.js';
import type { Sized } from './replica-sets.js';

const prefix = 'deployment.kubernetes.io/';
export const revisionKey = `${prefix}revision`;
const historyKey = `${prefix}revision-history`;
export const desiredKey = `${prefix}desired-replicas`;
export const maxKey = `${prefix}max-replicas`;

/** A history no longer than this, in characters. */
const longestHistory = 2000;

/** Not passed on from a Deployment to its ReplicaSets. */
const own = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  revisionKey,
  historyKey,
  desiredKey,
  maxKey,
  'deprecated.deployment.rollback.to',
]);

type Annotations = Record<string, string>;

export function revisionOf({ metadata }: ReplicaSet): number {
  const revision = Number(metadata.annotations?.[revisionKey] ?? 0);
  return Number.isSafeInteger(revision) ? revision : 0;
}

/** The revision that the newest ReplicaSet has, or should get: one more than any older one. */
export const nextRevision = (old: readonly Sized[]): number =>
  Math.max(0, ...old.map(({ set }) => revisionOf(set))) + 1;

/** What the sizes of a ReplicaSet are judged by when the Deployment is scaled. */
export function sizeAnnotations(deployment: Deployment): Annotations {
  const replicas = replicasOf(deployment);
  return { [desiredKey]: String(replicas), [maxKey]: String(replicas + boundsOf(deployment).surge) };
}

/** Annotations of the Deployment that its ReplicaSets carry too, such as the cause of a change. */
export function passedOn({ metadata }: Deployment): Annotations {
  return Object.fromEntries(Object.entries(metadata.annotations ?? {}).filter(([key]) => !own.has(key)));
}

/** What the newest ReplicaSet's annotations lack. The revisions it had before, when it was rolled back to, are kept. */
export function missingAnnotations(deployment: Deployment, set: ReplicaSet, revision: number): Annotations {
  const has = set.metadata.annotations ?? {};
  const before = revisionOf(set);
  const wanted = {
    ...passedOn(deployment),
    ...(before < revision && { [revisionKey]: String(revision) }),
    ...(before > 0 && before < revision && { [historyKey]: longer(has[historyKey], has[revisionKey] ?? '') }),
  };
  return Object.fromEntries(Object.entries(wanted).filter(([key, value]) => has[key] !== value));
}

/** The oldest revisions are forgotten first. */
function longer(history: string | undefined, revision: string): string {
  const revisions = [...(history ? history.split(',') : []), revision];
  while (revisions.join(',').length > longestHistory) revisions.shift();
  return revisions.join(',');
}
