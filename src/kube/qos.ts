/** Quality of service of a pod, from requests and limits of cpu and memory (Kubernetes: qos.GetPodQOS). Pure. */
import type { PodSpec, QosClass } from './pod.js';
import { milliValue } from './quantity.js';

const counted = ['cpu', 'memory'] as const;

export function qosClass(spec: PodSpec): QosClass {
  const whole = counted.some(r => spec.resources?.requests?.[r] ?? spec.resources?.limits?.[r]);
  // what the pod says as a whole decides alone
  const containers = whole ? [spec] : [...(spec.initContainers ?? []), ...spec.containers];
  const set = (values: Record<string, string> | undefined, name: string) =>
    values?.[name] !== undefined && milliValue(values[name]) > 0n;
  const any = containers.some(c => counted.some(r => set(c.resources?.requests, r) || set(c.resources?.limits, r)));
  if (!any) return 'BestEffort';
  const guaranteed = containers.every(c =>
    counted.every(r => {
      const limit = c.resources?.limits?.[r];
      const request = c.resources?.requests?.[r] ?? limit;
      return (
        limit !== undefined &&
        request !== undefined &&
        milliValue(limit) > 0n &&
        milliValue(limit) === milliValue(request)
      );
    }),
  );
  return guaranteed ? 'Guaranteed' : 'Burstable';
}
