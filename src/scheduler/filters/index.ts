/** The filters in order; each returns why the node does not fit (kube-scheduler's words), or undefined. */
import type { Taint } from '../../kube/node.js';
import type { Pod, Toleration } from '../../kube/pod.js';
import { milliValue } from '../../kube/quantity.js';
import { type NodeSnapshot, podRequest } from '../snapshot.js';

export type Filter = (pod: Pod, candidate: NodeSnapshot) => string | undefined;

const unschedulable: Filter = (_, { node }) => (node.spec?.unschedulable ? 'node(s) were unschedulable' : undefined);

const ready: Filter = (_, { node }) =>
  node.status?.conditions?.find(c => c.type === 'Ready')?.status === 'True' ? undefined : 'node(s) were not ready';

const nodeSelector: Filter = (pod, { node }) =>
  Object.entries(pod.spec.nodeSelector ?? {}).every(([key, value]) => node.metadata.labels?.[key] === value)
    ? undefined
    : "node(s) didn't match Pod's node affinity/selector";

const taints: Filter = (pod, { node }) => {
  const taint = node.spec?.taints?.find(
    t => t.effect !== 'PreferNoSchedule' && !tolerated(t, pod.spec.tolerations ?? []),
  );
  return taint && `node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`;
};

/** core/v1 Toleration: an empty key with Exists matches all, an empty effect matches every effect. */
export function tolerated(taint: Taint, tolerations: readonly Toleration[]): boolean {
  return tolerations.some(
    t =>
      (!t.effect || t.effect === taint.effect) &&
      ((t.operator === 'Exists' && (!t.key || t.key === taint.key)) ||
        (t.operator !== 'Exists' && t.key === taint.key && (t.value ?? '') === (taint.value ?? ''))),
  );
}

const podCount: Filter = (_, { node, pods }) =>
  pods.length < Number(node.status?.allocatable?.['pods'] ?? 110) ? undefined : 'Too many pods';

const resources: Filter = (pod, { node, pods }) => {
  for (const resource of ['cpu', 'memory', 'ephemeral-storage']) {
    const wanted = podRequest(pod, resource);
    if (wanted === 0n) continue;
    const available = milliValue(node.status?.allocatable?.[resource] ?? '0');
    const used = pods.reduce((sum, p) => sum + podRequest(p, resource), 0n);
    if (used + wanted > available) return `Insufficient ${resource}`;
  }
  return undefined;
};

const hostPorts: Filter = (pod, { pods }) => {
  const wanted = hostPortsOf(pod);
  if (wanted.length === 0) return undefined;
  const taken = new Set(pods.flatMap(hostPortsOf));
  return wanted.some(p => taken.has(p)) ? "node(s) didn't have free ports for the requested pod ports" : undefined;
};

function hostPortsOf(pod: Pod): string[] {
  return pod.spec.containers.flatMap(c =>
    (c.ports ?? []).flatMap(p => {
      const port = p.hostPort ?? (pod.spec.hostNetwork ? p.containerPort : undefined);
      return port ? [`${p.protocol ?? 'TCP'}/${port}`] : [];
    }),
  );
}

export const filters: readonly Filter[] = [unschedulable, ready, nodeSelector, taints, podCount, resources, hostPorts];
