/** Services and slices as a controller would write them. */
import type { Service, ServiceSpec } from '../../src/kube/api/core-v1.js';
import type { EndpointConditions, EndpointHints, EndpointSlice } from '../../src/kube/api/discovery-v1.js';

export interface EndpointOptions {
  readonly address: string;
  readonly nodeName?: string;
  readonly zone?: string;
  readonly conditions?: EndpointConditions;
  readonly hints?: EndpointHints;
}

/** `default/NAME` at 10.96.0.10:80, unless `spec` says something else. */
export const service = (name: string, spec: ServiceSpec = {}): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'default', uid: `service-${name}` },
  spec: { type: 'ClusterIP', clusterIP: '10.96.0.10', ports: [{ port: 80 }], ...spec },
});

/** All ports lead to 8080. */
export const sliceOf = (
  { metadata, spec }: Service,
  endpoints: readonly EndpointOptions[],
  addressType = 'IPv4',
): EndpointSlice => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: {
    name: `${metadata.name}-${addressType}`,
    namespace: 'default',
    uid: `slice-${metadata.name}-${addressType}`,
    labels: { 'kubernetes.io/service-name': metadata.name as string },
  },
  addressType,
  ports: (spec?.ports ?? []).map(({ name = '', protocol = 'TCP' }) => ({ name, protocol, port: 8080 })),
  endpoints: endpoints.map(({ address, ...rest }) => ({
    addresses: [address],
    conditions: { ready: true, serving: true, terminating: false },
    ...rest,
  })),
});
