/**
 * What must hold at every moment of a Deployment's life, whatever users and nodes do: nobody creates a pod beyond the surge,
 * nobody takes away an available pod that is needed, Recreate never mixes templates, and a pod has one controller.
 */
import type { Seen } from '../../../src/controllers/contract.js';
import { boundsOf, isRolling, replicasOf } from '../../../src/controllers/deployment/bounds.js';
import { isPodActive, isPodAvailable, isPodReady } from '../../../src/controllers/pods/condition.js';
import { controllerRefOf } from '../../../src/controllers/pods/ownership.js';
import type { Deployment } from '../../../src/kube/api/apps-v1.js';
import type { Pod } from '../../../src/kube/pod.js';
import type { Cluster } from './history.js';
import type { WorldChange } from './world.js';

/** The bounds change with the spec, and what has been decided by older ones may still be on its way: all of them count. */
interface Bounds {
  most: number;
  least: number;
  mixes: boolean;
}

/** So long before a write it may have been decided, by two controllers in turn. */
const decidedMs = 300;

/** Changes by users and nodes that make the arithmetic of the controllers wrong until they have seen them. */
const isDisturbance = (change: WorldChange): boolean =>
  change.by === 'user' ? change.object.kind !== 'Deployment' : change.by === 'node' && isFall(change);

/** A pod ends, is no longer ready, or is sent away from a dead node. */
function isFall({ object, previous, type }: WorldChange): boolean {
  if (object.kind !== 'Pod' || type !== 'MODIFIED') return false;
  const [now, before] = [object as unknown as Pod, previous as unknown as Pod];
  const isLess = (test: (pod: Pod) => boolean): boolean => test(before) && !test(now);
  return isLess(isPodActive) || isLess(isPodReady);
}

export function deploymentBounds(
  { world }: Cluster,
  deployment: () => (Deployment & Seen) | undefined,
): (change: WorldChange) => string | undefined {
  let bounds: Bounds | undefined;
  let isDisturbed = false;
  const readyAt = new Map<string, number>();
  const pods = (): Pod[] => {
    const uid = deployment()?.metadata.uid ?? '';
    return world.view
      .dependents(uid)
      .flatMap(set => world.view.dependents(set.metadata.uid ?? '') as unknown as Pod[])
      .filter(isPodActive);
  };
  const isAvailable = (pod: Pod): boolean =>
    isPodAvailable(pod, deployment()?.spec?.minReadySeconds ?? 0, world.clock.now);
  return change => {
    const { object, previous, by, type } = change;
    if (object.kind === 'Deployment' && by === 'user')
      bounds = wider(bounds, object as unknown as Deployment, previous as unknown as Deployment | undefined);
    if (isDisturbance(change)) isDisturbed = true;
    if (object.kind !== 'Pod') return undefined;
    if (by === 'node' && isPodReady(object as unknown as Pod)) readyAt.set(object.metadata.uid!, world.clock.now);
    const controllers = object.metadata.ownerReferences?.filter(({ controller }) => controller) ?? [];
    if (controllers.length > 1) return `${object.metadata.name} has ${controllers.length} controllers`;
    if (by !== 'replicaset' || !bounds) return undefined;
    if (type === 'ADDED' && !isDisturbed && pods().length > bounds.most)
      return `${pods().length} pods, at most ${bounds.most}`;
    const isRemoval =
      previous !== undefined && !previous.metadata.deletionTimestamp && object.metadata.deletionTimestamp;
    if (isRemoval && !isDisturbed && isAvailable(previous as unknown as Pod) && !isNews(previous)) {
      const left = pods().filter(isAvailable).length;
      if (left < bounds.least) return `${left} pods available, at least ${bounds.least}`;
    }
    return type === 'ADDED' && !bounds.mixes ? mixture(object) : undefined;
  };

  /** It became available after its removal had been decided. */
  function isNews({ metadata }: Seen): boolean {
    const minReadyMs = (deployment()?.spec?.minReadySeconds ?? 0) * 1000;
    return world.clock.now - minReadyMs - (readyAt.get(metadata.uid!) ?? 0) < decidedMs;
  }

  function mixture(created: Seen): string | undefined {
    const template = controllerRefOf(created)?.uid;
    const others = pods().filter(pod => controllerRefOf(pod)?.uid !== template);
    return others.length > 0 && !isDisturbed ? `Recreate: ${others.length} old pods beside a new one` : undefined;
  }
}

function wider(before: Bounds | undefined, deployment: Deployment, previous: Deployment | undefined): Bounds {
  const { surge, unavailable } = boundsOf(deployment);
  const replicas = replicasOf(deployment);
  // scaling down takes its share of every ReplicaSet, whether its pods are available or not (as Kubernetes does)
  const isScaledDown = previous !== undefined && replicasOf(previous) > replicas;
  const least = isRolling(deployment) && !isScaledDown ? replicas - unavailable : 0;
  return {
    most: Math.max(before?.most ?? 0, replicas + surge),
    least: Math.min(before?.least ?? Number.POSITIVE_INFINITY, least),
    mixes: (before?.mixes ?? false) || isRolling(deployment),
  };
}
