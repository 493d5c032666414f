/**
 * autoscaling/v1 over v2: only CPU has a field of its own; the rest travels in annotations, under Kubernetes' names, so that
 * nothing is lost on the way there and back. Pure.
 */
import type { HorizontalPodAutoscaler as V1 } from '../../kube/api/autoscaling-v1.js';
import type { MetricSpec, HorizontalPodAutoscaler as V2 } from '../../kube/api/autoscaling-v2.js';
import { clone } from '../../kube/json.js';
import type { AnyObject } from '../kind.js';

const prefix = 'autoscaling.alpha.kubernetes.io/';

export function toV1(object: AnyObject): AnyObject {
  const { metadata, spec, status } = clone(object) as unknown as V2;
  const metrics = spec?.metrics ?? [];
  const cpu = metrics.find(isCpuUtilization);
  const current = status?.currentMetrics?.find(item => item.type === 'Resource' && item.resource?.name === 'cpu');
  const v1 = {
    apiVersion: 'autoscaling/v1',
    kind: object.kind,
    metadata: annotate(metadata, {
      metrics: metrics.filter(item => item !== cpu),
      behavior: spec?.behavior,
      conditions: status?.conditions,
      'current-metrics': status?.currentMetrics?.filter(item => item !== current),
    }),
    spec: {
      ...(spec?.scaleTargetRef && { scaleTargetRef: spec.scaleTargetRef }),
      ...(spec?.minReplicas !== undefined && { minReplicas: spec.minReplicas }),
      maxReplicas: spec?.maxReplicas ?? 0,
      ...(cpu && { targetCPUUtilizationPercentage: cpu.resource?.target.averageUtilization }),
    },
    status: {
      ...(status?.observedGeneration !== undefined && { observedGeneration: status.observedGeneration }),
      ...(status?.lastScaleTime && { lastScaleTime: status.lastScaleTime }),
      currentReplicas: status?.currentReplicas ?? 0,
      desiredReplicas: status?.desiredReplicas ?? 0,
      ...(current?.resource?.current.averageUtilization !== undefined && {
        currentCPUUtilizationPercentage: current.resource.current.averageUtilization,
      }),
    },
  };
  return v1 as unknown as AnyObject;
}

export function fromV1(object: AnyObject): AnyObject {
  const { metadata, spec, status } = clone(object) as unknown as V1;
  const { rest, carried } = strip(metadata);
  const percent = spec?.targetCPUUtilizationPercentage;
  const cpu: MetricSpec[] =
    percent === undefined
      ? []
      : [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: percent } } }];
  const metrics = [...listOf(carried.metrics), ...cpu];
  const { targetCPUUtilizationPercentage: _, ...same } = spec ?? {};
  return {
    apiVersion: 'autoscaling/v2',
    kind: object.kind,
    metadata: rest,
    spec: {
      ...same,
      ...(metrics.length > 0 && { metrics }),
      ...(isRecord(carried.behavior) && { behavior: carried.behavior }),
    },
    ...(status && { status: statusFromV1(status, carried) }),
  } as unknown as AnyObject;
}

function statusFromV1(status: NonNullable<V1['status']>, carried: Record<string, unknown>): object {
  const { currentCPUUtilizationPercentage: percent, ...same } = status;
  const cpu =
    percent === undefined
      ? []
      : [{ type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: percent } } }];
  return {
    ...same,
    currentMetrics: [...listOf(carried['current-metrics']), ...cpu],
    conditions: listOf(carried.conditions),
  };
}

const isCpuUtilization = (metric: MetricSpec): boolean =>
  metric.type === 'Resource' &&
  metric.resource?.name === 'cpu' &&
  metric.resource.target.averageUtilization !== undefined;

const isRecord = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value);
const listOf = (value: unknown): unknown[] & MetricSpec[] => (Array.isArray(value) ? (value as MetricSpec[]) : []);

function annotate(metadata: V2['metadata'], values: Readonly<Record<string, unknown>>): V2['metadata'] {
  const added = Object.entries(values).filter(([, value]) =>
    Array.isArray(value) ? value.length > 0 : value !== undefined,
  );
  if (added.length === 0) return metadata;
  const texts = added.map(([name, value]) => [prefix + name, JSON.stringify(value)]);
  return { ...metadata, annotations: { ...metadata.annotations, ...Object.fromEntries(texts) } };
}

/** An annotation that is no JSON is dropped, as Kubernetes does. */
function strip(metadata: V1['metadata']): { rest: V1['metadata']; carried: Record<string, unknown> } {
  const carried: Record<string, unknown> = {};
  const kept: [string, string][] = [];
  for (const [key, value] of Object.entries(metadata?.annotations ?? {})) {
    if (!key.startsWith(prefix)) kept.push([key, value]);
    else carried[key.slice(prefix.length)] = parsed(value);
  }
  const { annotations: _, ...rest } = metadata ?? { name: '' };
  return { rest: { ...rest, ...(kept.length > 0 && { annotations: Object.fromEntries(kept) }) }, carried };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
