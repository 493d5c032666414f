/** What only one node needs to know: its Pods, and the ConfigMaps and Secrets that they name. Pure. */
import type { KubeObject } from '../kube/meta.js';
import type { Container, Pod } from '../kube/pod.js';

export const isPodOf = (object: KubeObject, node: string): boolean =>
  object.kind === 'Pod' && (object as Pod).spec.nodeName === node;

/** A name within the objects a node may read, `ConfigMap/default/app`. */
export type ObjectName = string;

export const objectName = (kind: string, namespace: string | undefined, name: string): ObjectName =>
  `${kind}/${namespace ?? ''}/${name}`;

export const nameOfObject = (object: KubeObject): ObjectName =>
  objectName(object.kind, object.metadata.namespace, object.metadata.name);

/** Everything a pod's spec refers to that its node must hold (a node reads only this: reliability rule B11). */
export function referencesOf(pod: Pod): Set<ObjectName> {
  const names = new Set<ObjectName>();
  const add = (kind: 'ConfigMap' | 'Secret', name: string | undefined) =>
    name && names.add(objectName(kind, pod.metadata.namespace, name));
  for (const volume of pod.spec.volumes ?? []) {
    add('ConfigMap', volume.configMap?.name);
    add('Secret', volume.secret?.secretName);
    for (const source of volume.projected?.sources ?? []) {
      add('ConfigMap', source.configMap?.name);
      add('Secret', source.secret?.name);
    }
  }
  const { containers, initContainers = [], ephemeralContainers = [] } = pod.spec;
  for (const container of [...initContainers, ...containers, ...ephemeralContainers]) addEnv(container, add);
  return names;
}

function addEnv(container: Container, add: (kind: 'ConfigMap' | 'Secret', name: string | undefined) => void): void {
  for (const { valueFrom } of container.env ?? []) {
    add('ConfigMap', valueFrom?.configMapKeyRef?.name);
    add('Secret', valueFrom?.secretKeyRef?.name);
  }
  for (const source of container.envFrom ?? []) {
    add('ConfigMap', source.configMapRef?.name);
    add('Secret', source.secretRef?.name);
  }
}

/**
 * The difference between two views of one pod that matters to its node: its own status does not, what others say for its
 * readiness gates does, and that it is not ready although its containers are, as when its node was not heard of.
 */
export function sameForNode(before: Pod, after: Pod): boolean {
  const relevant = ({ metadata: m, spec, status }: Pod) =>
    JSON.stringify([
      spec,
      m.labels,
      m.annotations,
      m.deletionTimestamp,
      m.deletionGracePeriodSeconds,
      m.ownerReferences,
      m.generation,
      conditionOf(status, 'Ready') === 'False' && conditionOf(status, 'ContainersReady') === 'True',
      spec.readinessGates?.map(({ conditionType }) => conditionOf(status, conditionType)),
    ]);
  return relevant(before) === relevant(after);
}

const conditionOf = (status: Pod['status'], wanted: string): string | undefined =>
  status?.conditions?.find(({ type }) => type === wanted)?.status;
