/**
 * What a node says of itself and its pods, made trustworthy: decoded as the types that they claim to be, and cut down to what
 * that node may say (reliability rule B11). A node may have been taken over: its frames are input like any other's.
 */
import { isObject } from '../kube/json.js';
import type { KubeEvent } from '../kube/node.js';
import type { Pod, PodSpec, PodStatus } from '../kube/pod.js';
import { failure, type StatusError } from '../kube/status.js';
import { typed } from './codec.js';
import { badRequest } from './errors.js';
import type { AnyObject, Kind } from './kind.js';
import type { ObjectView } from './view.js';

const refused = (why: string): StatusError => failure(403, 'Forbidden', why);

/** Throws StatusError 400 for what is no object of the kind. */
export function decodeReport(kind: Kind, value: unknown): AnyObject {
  return typed(kind, value, [], 'Ignore').object;
}

/** Throws StatusError 400. */
export function decodePodStatus(kind: Kind, status: unknown): PodStatus {
  return (decodeReport(kind, { metadata: { name: 'x' }, status }).status ?? {}) as PodStatus;
}

/** Labels of Kubernetes' own prefixes that a node may give itself; everything without such a prefix is its own business. */
const ownLabels = new Set([
  'kubernetes.io/hostname',
  'kubernetes.io/arch',
  'kubernetes.io/os',
  'beta.kubernetes.io/arch',
  'beta.kubernetes.io/os',
  'beta.kubernetes.io/instance-type',
  'node.kubernetes.io/instance-type',
  'topology.kubernetes.io/zone',
  'topology.kubernetes.io/region',
]);

/** Without the labels by which others decide what may run where (NodeRestriction admission). */
export function labelsOfNode(labels: Readonly<Record<string, string>> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).filter(([key]) => ownLabels.has(key) || !isReserved(key)));
}

function isReserved(key: string): boolean {
  const [prefix = '', name] = key.split('/');
  if (name === undefined) return false;
  return ['kubernetes.io', 'k8s.io'].some(domain => prefix === domain || prefix.endsWith(`.${domain}`));
}

/** The event with its sender's name in it. Throws StatusError for an event about what is not the node's business. */
export function eventOfNode(node: string, event: KubeEvent, view: Pick<ObjectView, 'get'>): KubeEvent {
  const { involvedObject: about, metadata } = event;
  if (!isObject(about)) throw badRequest('involvedObject: Required value');
  const pod = about.kind === 'Pod' ? (view.get('Pod', about.namespace, about.name) as Pod | undefined) : undefined;
  const own =
    about.kind === 'Node' ? about.name === node : about.kind === 'Pod' && (!pod || pod.spec.nodeName === node);
  if (!own) throw refused(`node "${node}" may not send events about ${about.kind} "${about.name}"`);
  const found = view.get('Event', metadata.namespace ?? 'default', metadata.name) as KubeEvent | undefined;
  if (found && found.source?.host !== node) throw refused(`event "${metadata.name}" is not one of node "${node}"`);
  return { ...event, source: { ...event.source, host: node }, reportingInstance: node };
}

/** A mirror only shows what its node runs: it may name nothing whose content the node would then be given. */
export function checkMirror(
  node: string,
  pod: Pod,
  found: Pod | undefined,
  hashOf: (pod: Pod) => string | undefined,
): void {
  if (!hashOf(pod) || pod.spec?.nodeName !== node) throw refused('a node may only mirror its own static pods');
  const named = referenceIn(pod.spec);
  if (named) throw refused(`a static pod may not refer to API objects: ${named}`);
  if (!found) return;
  if (!hashOf(found))
    throw failure(409, 'AlreadyExists', `pods "${pod.metadata.name}" already exists, and is no static pod`);
  if (found.spec.nodeName !== node)
    throw failure(409, 'AlreadyExists', `pods "${pod.metadata.name}" already exists as a static pod of another node`);
}

/** The first field that refers to a ConfigMap, Secret, claim or service account. */
export function referenceIn(spec: PodSpec): string | undefined {
  if (spec.serviceAccountName) return 'spec.serviceAccountName';
  const containers = [...(spec.initContainers ?? []), ...spec.containers];
  for (const { env = [], envFrom = [] } of containers) {
    if (envFrom.length > 0) return 'envFrom';
    if (env.some(({ valueFrom }) => valueFrom?.configMapKeyRef || valueFrom?.secretKeyRef)) return 'env.valueFrom';
  }
  const volume = (spec.volumes ?? []).find(one =>
    ['configMap', 'secret', 'projected', 'persistentVolumeClaim'].some(key => one[key]),
  );
  return volume && `volume "${volume.name}"`;
}
