/** What a Pod gets that its author left out (kubernetes-wire §9.6). In place. */
import type { Container, Pod, PodSpec, Probe } from '../../kube/pod.js';

export function defaultPod(pod: Pod): void {
  defaultPodSpec(pod.spec);
  pod.spec.enableServiceLinks ??= true;
  for (const container of [...(pod.spec.initContainers ?? []), ...pod.spec.containers]) {
    requestsFromLimits(container);
    if (pod.spec.hostNetwork) for (const port of container.ports ?? []) port.hostPort ??= port.containerPort;
  }
}

/** The part that pod templates share. */
export function defaultPodSpec(spec: PodSpec): void {
  spec.containers ??= [];
  spec.restartPolicy ??= 'Always';
  spec.dnsPolicy ??= 'ClusterFirst';
  spec.securityContext ??= {};
  spec.terminationGracePeriodSeconds ??= 30;
  spec.schedulerName ||= 'default-scheduler';
  for (const container of spec.initContainers ?? []) defaultContainer(container);
  for (const container of spec.containers) defaultContainer(container);
  for (const container of spec.ephemeralContainers ?? []) defaultContainer(container);
  for (const volume of spec.volumes ?? []) defaultVolume(volume);
  mirrorServiceAccount(spec as PodSpec & { serviceAccount?: string });
}

/** `serviceAccount` is the old name of `serviceAccountName`; both are always shown. */
function mirrorServiceAccount(spec: PodSpec & { serviceAccount?: string }): void {
  const name = spec.serviceAccountName || spec.serviceAccount;
  if (!name) return;
  spec.serviceAccountName = name;
  spec.serviceAccount = name;
}

function defaultContainer(container: Container): void {
  container.terminationMessagePath ??= '/dev/termination-log';
  container.terminationMessagePolicy ??= 'File';
  container.resources ??= {};
  if (container.image) container.imagePullPolicy ??= isLatest(container.image) ? 'Always' : 'IfNotPresent';
  for (const port of container.ports ?? []) port.protocol ??= 'TCP';
  for (const probe of [container.livenessProbe, container.readinessProbe, container.startupProbe])
    if (probe) defaultProbe(probe);
  for (const { valueFrom } of container.env ?? []) {
    if (valueFrom?.fieldRef) valueFrom.fieldRef.apiVersion ??= 'v1';
    if (valueFrom?.resourceFieldRef) valueFrom.resourceFieldRef.divisor ??= '0';
  }
  for (const handler of [container.lifecycle?.postStart, container.lifecycle?.preStop])
    if (handler?.httpGet) defaultHttpGet(handler.httpGet);
}

/** No tag and no digest, or the tag `latest`. */
function isLatest(image: string): boolean {
  if (image.includes('@')) return false;
  const last = image.slice(image.lastIndexOf('/') + 1);
  return !last.includes(':') || last.endsWith(':latest');
}

function defaultProbe(probe: Probe): void {
  probe.timeoutSeconds ||= 1;
  probe.periodSeconds ||= 10;
  probe.successThreshold ||= 1;
  probe.failureThreshold ||= 3;
  if (probe.httpGet) defaultHttpGet(probe.httpGet);
  if (probe.grpc) probe.grpc.service ??= '';
}

function defaultHttpGet(action: { path?: string; scheme?: 'HTTP' | 'HTTPS' }): void {
  action.path ||= '/';
  action.scheme ??= 'HTTP';
}

const fileMode = 0o644;

function defaultVolume(volume: { [source: string]: unknown }): void {
  if (Object.keys(volume).every(key => key === 'name')) volume.emptyDir = {};
  for (const source of ['secret', 'configMap', 'downwardAPI', 'projected']) {
    const value = volume[source] as { defaultMode?: number } | undefined;
    if (value) value.defaultMode ??= fileMode;
  }
  const hostPath = volume.hostPath as { type?: string } | undefined;
  if (hostPath) hostPath.type ??= '';
  for (const item of fieldItems(volume)) if (item.fieldRef) item.fieldRef.apiVersion ??= 'v1';
  const projected = volume.projected as
    | { sources?: { serviceAccountToken?: { expirationSeconds?: number } }[] }
    | undefined;
  for (const { serviceAccountToken } of projected?.sources ?? [])
    if (serviceAccountToken) serviceAccountToken.expirationSeconds ??= 3600;
}

type FieldItem = { fieldRef?: { apiVersion?: string } };

function fieldItems(volume: { [source: string]: unknown }): FieldItem[] {
  const downward = volume.downwardAPI as { items?: FieldItem[] } | undefined;
  const projected = volume.projected as { sources?: { downwardAPI?: { items?: FieldItem[] } }[] } | undefined;
  return [...(downward?.items ?? []), ...(projected?.sources ?? []).flatMap(source => source.downwardAPI?.items ?? [])];
}

function requestsFromLimits({ resources }: Container): void {
  if (!resources?.limits) return;
  const requests = { ...resources.requests };
  for (const [name, limit] of Object.entries(resources.limits)) requests[name] ??= limit;
  resources.requests = requests;
}
