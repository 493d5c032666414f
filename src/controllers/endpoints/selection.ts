/** What stands behind a Service: which pods, under which addresses and ports. Pure. */
import type { EndpointPort, ObjectReference, Service } from '../../kube/api/core-v1.js';
import { selects } from '../../kube/label-selector.js';
import type { Container, Pod } from '../../kube/pod.js';
import type { FactsView } from '../contract.js';

export type Family = 'IPv4' | 'IPv6';

export const familyOf = (ip: string): Family => (ip.includes(':') ? 'IPv6' : 'IPv4');

/** A Service whose endpoints are found by labels; others name them by hand, or name another host. */
export const hasSelector = ({ spec }: Service): boolean =>
  spec?.type !== 'ExternalName' && Object.keys(spec?.selector ?? {}).length > 0;

export const isHeadless = ({ spec }: Service): boolean => spec?.clusterIP === 'None';

export const familiesOf = ({ spec }: Service): readonly Family[] => (spec?.ipFamilies as Family[]) ?? ['IPv4'];

export const isSelected = (service: Service, pod: Pick<Pod, 'metadata'>): boolean =>
  hasSelector(service) && selects({ matchLabels: service.spec?.selector ?? {} }, pod.metadata.labels);

/** Has addresses, and still holds them: those of an ended pod may be another's already. */
export const isReachable = ({ status }: Pod): boolean =>
  status?.phase !== 'Succeeded' && status?.phase !== 'Failed' && status?.podIP !== undefined;

/** Costs as much as there are pods in the namespace. */
export function podsBehind(view: FactsView, service: Service): Pod[] {
  const pods = view.list('Pod', service.metadata.namespace) as unknown as readonly Pod[];
  return pods.filter(pod => isSelected(service, pod) && isReachable(pod));
}

export function addressesOf({ status }: Pod, family: Family): string[] {
  const all = status?.podIPs?.map(({ ip }) => ip) ?? [status?.podIP ?? ''];
  return all.filter(ip => ip !== '' && familyOf(ip) === family);
}

/** The Service's ports as this pod serves them; one whose name the pod does not know is left out. In order of names. */
export function portsOf(service: Service, pod: Pod): EndpointPort[] {
  const found = (service.spec?.ports ?? []).flatMap(
    ({ name = '', protocol = 'TCP', appProtocol, port, targetPort }) => {
      const resolved = numberOf(targetPort ?? port, protocol, pod);
      return resolved === undefined ? [] : [{ name, port: resolved, protocol, ...(appProtocol && { appProtocol }) }];
    },
  );
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function numberOf(target: number | string, protocol: string, { spec }: Pod): number | undefined {
  if (typeof target === 'number') return target;
  const sidecars = (spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  return [...spec.containers, ...sidecars]
    .flatMap(({ ports = [] }: Container) => ports)
    .find(port => port.name === target && (port.protocol ?? 'TCP') === protocol)?.containerPort;
}

/** The name under which DNS knows the pod within its Service, if it wants one. */
export function hostnameIn({ metadata }: Service, { spec }: Pod): string | undefined {
  return spec.subdomain === metadata.name ? spec.hostname : undefined;
}

export function referenceToPod({ metadata: { namespace, name, uid } }: Pod): ObjectReference {
  return { kind: 'Pod', ...(namespace && { namespace }), name, ...(uid && { uid }) };
}
