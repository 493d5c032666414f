/** How far a rolling update may go above and below the wanted number of pods. */
import type { Deployment } from '../../kube/api/apps-v1.js';
import { resolveIntOrPercent } from '../pods/int-or-percent.js';

export const replicasOf = ({ spec }: Deployment): number => spec?.replicas ?? 1;
export const isRolling = ({ spec }: Deployment): boolean =>
  (spec?.strategy?.type ?? 'RollingUpdate') === 'RollingUpdate';

/** Both are 0 for Recreate. Shares of 0 would allow no step at all: then one pod may be unavailable. */
export function boundsOf(deployment: Deployment): { surge: number; unavailable: number } {
  if (!isRolling(deployment)) return { surge: 0, unavailable: 0 };
  const replicas = replicasOf(deployment);
  const { maxSurge = '25%', maxUnavailable = '25%' } = deployment.spec?.strategy?.rollingUpdate ?? {};
  const surge = resolveIntOrPercent(maxSurge, replicas, 'up');
  const unavailable = resolveIntOrPercent(maxUnavailable, replicas, 'down');
  return { surge, unavailable: Math.min(replicas, surge === 0 && unavailable === 0 ? 1 : unavailable) };
}

/** No deadline at all is written as the largest int32. */
export function progressDeadlineMs({ spec }: Deployment): number | undefined {
  const seconds = spec?.progressDeadlineSeconds;
  return seconds === undefined || seconds === 2 ** 31 - 1 ? undefined : seconds * 1000;
}
