/** Which of the shared numbers a Service has to have. Pure. */
import type { ServiceSpec } from '../../kube/api/core-v1.js';

export const headless = 'None';

/** Headless ones too: their `None` is kept like an address. */
export const needsAddress = ({ type }: ServiceSpec): boolean => type !== 'ExternalName';

export const needsNodePorts = ({ type, allocateLoadBalancerNodePorts }: ServiceSpec): boolean =>
  type === 'NodePort' || (type === 'LoadBalancer' && allocateLoadBalancerNodePorts !== false);

export const mayHaveNodePorts = ({ type }: ServiceSpec): boolean => type === 'NodePort' || type === 'LoadBalancer';

export const needsHealthPort = ({ type, externalTrafficPolicy }: ServiceSpec): boolean =>
  type === 'LoadBalancer' && externalTrafficPolicy === 'Local';

/** Also of a service that is deleted: the node ports and the address are the object's until it is gone. */
export const addressesOf = (spec: ServiceSpec | undefined): string[] =>
  (spec?.clusterIPs ?? (spec?.clusterIP ? [spec.clusterIP] : [])).filter(
    address => address !== '' && address !== headless,
  );

export const nodePortsOf = (spec: ServiceSpec | undefined): number[] => [
  ...new Set([...(spec?.ports ?? []).map(port => port.nodePort ?? 0), spec?.healthCheckNodePort ?? 0].filter(Boolean)),
];
