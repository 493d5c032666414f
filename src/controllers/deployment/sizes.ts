/**
 * How large each ReplicaSet should be: the arithmetic of scaling and of rolling updates. Every function says only what
 * changes. Pods never exceed the wanted number plus `surge`, and are never made unavailable below it minus `unavailable`.
 */
import type { Deployment } from '../../kube/api/apps-v1.js';
import { desiredKey, maxKey } from './annotations.js';
import { boundsOf, isRolling, replicasOf } from './bounds.js';
import { type ReplicaSets, type Sized, total } from './replica-sets.js';

/** New sizes, also of those that only need their annotations renewed. */
export type Sizes = ReadonlyMap<Sized, number>;

const active = (sets: readonly Sized[]): Sized[] => sets.filter(({ size }) => size > 0);

/** Somebody has changed `spec.replicas` since a ReplicaSet in use got its size. */
export function wasScaled(deployment: Deployment, { all }: ReplicaSets): boolean {
  return active(all).some(({ set }) => {
    const desired = set.metadata.annotations?.[desiredKey];
    return desired !== undefined && Number(desired) !== replicasOf(deployment);
  });
}

/** After a change of `spec.replicas`, or while paused: without going on with a rollout. */
export function scaledSizes(deployment: Deployment, sets: ReplicaSets): Sizes {
  const replicas = replicasOf(deployment);
  const only = onlyOrLatest(sets);
  if (only) return new Map([[only, Math.min(replicas, only.size + roomFor(deployment, sets))]]);
  if (isSaturated(deployment, sets.newest)) return new Map(active(sets.old).map(one => [one, 0]));
  return isRolling(deployment) ? proportional(deployment, sets) : new Map();
}

/** So many pods may be added now: those that other sets have still to remove count, and those they may yet make. */
function roomFor(deployment: Deployment, { all }: Pick<ReplicaSets, 'all'>): number {
  if (!all.every(({ isSettled }) => isSettled)) return 0;
  return Math.max(0, replicasOf(deployment) + boundsOf(deployment).surge - total(all, 'claims'));
}

function onlyOrLatest({ all, newest, old }: ReplicaSets): Sized | undefined {
  const inUse = active(all);
  if (inUse.length > 1) return undefined;
  return inUse[0] ?? newest ?? old.at(-1);
}

function isSaturated(deployment: Deployment, newest: Sized | undefined): boolean {
  const replicas = replicasOf(deployment);
  return (
    newest !== undefined &&
    newest.size === replicas &&
    newest.available === replicas &&
    Number(newest.set.metadata.annotations?.[desiredKey]) === replicas
  );
}

/** Each set in use gets its share of what is to be added or taken away, the largest first; the first gets what is left. */
function proportional(deployment: Deployment, { all }: ReplicaSets): Sizes {
  const replicas = replicasOf(deployment);
  const allowed = replicas > 0 ? replicas + boundsOf(deployment).surge : 0;
  const missing = allowed - total(all, 'size');
  const toAdd = missing > 0 ? Math.min(missing, roomFor(deployment, { all })) : missing;
  // the oldest come first; among equals the newer one grows, and the older one shrinks
  const bySize = (toAdd > 0 ? active(all).reverse() : active(all)).toSorted((a, b) => b.size - a.size);
  let added = 0;
  const sizes = new Map<Sized, number>();
  for (const one of bySize) {
    const left = toAdd - added;
    const wanted = toAdd === 0 ? 0 : share(deployment, one);
    const part = toAdd > 0 ? Math.min(wanted, left) : Math.max(wanted, left);
    sizes.set(one, one.size + part);
    added += part;
  }
  const [first] = bySize;
  if (first) sizes.set(first, Math.max(0, sizes.get(first)! + toAdd - added));
  return sizes;
}

/** How many pods the set would gain (or lose) if it kept its share of the whole. */
function share(deployment: Deployment, { set, size }: Sized): number {
  const replicas = replicasOf(deployment);
  if (replicas === 0) return -size;
  const before = Number(set.metadata.annotations?.[maxKey] ?? 0) || deployment.status?.replicas || 0;
  if (before === 0) return 0;
  return Math.round((size * (replicas + boundsOf(deployment).surge)) / before) - size;
}

/** The size at which the newest set is made, or to which it may grow now. */
export function newSize(deployment: Deployment, sets: ReplicaSets): number {
  const replicas = replicasOf(deployment);
  const size = sets.newest?.size ?? 0;
  if (size >= replicas || !isRolling(deployment)) return replicas;
  return size + Math.min(roomFor(deployment, sets), replicas - size);
}

/** What old sets must give up, the unhealthy pods first: they do not serve anybody. */
export function oldSizes(deployment: Deployment, { all, newest, old }: ReplicaSets): Sizes {
  const least = replicasOf(deployment) - boundsOf(deployment).unavailable;
  const pending = newest ? newest.size - newest.available : 0;
  const spare = total(all, 'size') - least - pending;
  const sizes = new Map<Sized, number>();
  if (spare <= 0) return sizes;
  shrink(sizes, old, spare, one => one.size - one.available);
  const healthy = total(all, 'available') - least;
  shrink(sizes, old, healthy, one => sizes.get(one) ?? one.size);
  return sizes;
}

function shrink(sizes: Map<Sized, number>, sets: readonly Sized[], most: number, can: (one: Sized) => number): void {
  let left = most;
  for (const one of sets) {
    const part = Math.min(left, can(one));
    if (part <= 0) continue;
    sizes.set(one, (sizes.get(one) ?? one.size) - part);
    left -= part;
  }
}
