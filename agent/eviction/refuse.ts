/** Which pods a node under pressure does not take (kubelet's eviction admission). Pure. */
import type { Pod } from '../../src/kube/pod.js';
import { qosClass } from '../../src/kube/qos.js';
import { nodeTaints, untolerated } from '../../src/kube/tolerations.js';
import type { Rejection } from '../admission/admit.js';
import type { Pressure } from './decide.js';
import { isSpared } from './rank.js';

export function refusedByPressure(pod: Pod, conditions: readonly Pressure[]): Rejection | undefined {
  if (conditions.length === 0 || isSpared(pod)) return undefined;
  const onlyMemory = conditions.every(condition => condition === 'MemoryPressure');
  if (onlyMemory && (qosClass(pod.spec) !== 'BestEffort' || toleratesMemoryPressure(pod))) return undefined;
  return { reason: 'Evicted', message: `The node had condition: [${conditions.join(' ')}]. ` };
}

const taint = { key: nodeTaints.memoryPressure, effect: 'NoSchedule' } as const;

const toleratesMemoryPressure = ({ spec }: Pod): boolean =>
  untolerated([taint], spec.tolerations, ['NoSchedule']) === undefined;
