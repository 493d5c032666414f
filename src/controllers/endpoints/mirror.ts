/**
 * Endpoints that somebody wrote by hand for a Service without a selector, said again in EndpointSlices: only these are looked
 * at by nodes (Kubernetes' endpointslice-mirroring controller). Key: `namespace/name` of both.
 */
import type { EndpointAddress, EndpointSubset, Endpoints, Service } from '../../kube/api/core-v1.js';
import type { Endpoint, EndpointPort, EndpointSlice } from '../../kube/api/discovery-v1.js';
import { type Action, type Controller, type Facts, type Key, nothing, type Outcome, type Seen } from '../contract.js';
import { keyOfObject, objectOf } from '../pods/ownership.js';
import { isLeaderRecord } from './by-hand.js';
import type { Group } from './fit.js';
import { type Family, familyOf, hasSelector } from './selection.js';
import { deletionsOf, managedByLabel, serviceNameLabel, slicesOf, writeSlices } from './write-slices.js';

const manager = 'endpointslicemirroring-controller.k8s.io';
const skipLabel = 'endpointslice.kubernetes.io/skip-mirror';
/** Said of the Endpoints, not of what they say. */
const ownAnnotations = [
  'kubectl.kubernetes.io/last-applied-configuration',
  'endpoints.kubernetes.io/last-change-trigger-time',
];
/** Addresses of one subset that are mirrored: Kubernetes' limit. */
const capacity = 1000;

export const endpointSliceMirroringController: Controller = {
  name: 'endpointslice-mirroring',
  wakes: [
    { kind: 'Endpoints', keys: object => [keyOfObject(object)] },
    { kind: 'Service', keys: object => [keyOfObject(object)] },
    { kind: 'EndpointSlice', keys: keysOfSlice },
  ],
  writes: [`EndpointSlices with ${managedByLabel}=${manager}`],
  concurrency: 5,
  reconcile,
};

function keysOfSlice({ metadata: { namespace = '', labels } }: Seen): Key[] {
  const service = labels?.[serviceNameLabel];
  return service !== undefined && labels?.[managedByLabel] === manager ? [`${namespace}/${service}`] : [];
}

function reconcile({ view, random }: Facts, key: Key): Outcome {
  const endpoints = objectOf<Endpoints>(view, 'Endpoints', key);
  // slices of Endpoints that are gone are their dependents: the garbage collector takes them
  if (!endpoints || endpoints.metadata.deletionTimestamp) return nothing;
  const slices = slicesOf(view, endpoints, manager);
  if (!isMirrored(endpoints, objectOf<Service>(view, 'Service', key))) return { actions: deletionsOf(slices) };
  const subsets = endpoints.subsets ?? [];
  const actions = writeSlices(slices, endpoints, { groups: groupsOf(subsets, slices), ...about(endpoints) }, random);
  return { actions: [...actions, ...(actions.length > 0 ? tooMany(endpoints, subsets) : [])] };
}

const isMirrored = (endpoints: Endpoints, service: Service | undefined): boolean =>
  service !== undefined &&
  !hasSelector(service) &&
  endpoints.metadata.labels?.[skipLabel] !== 'true' &&
  !isLeaderRecord(endpoints);

function about({ metadata }: Endpoints): { labels: Record<string, string>; annotations: Record<string, string> } {
  const annotations = Object.entries(metadata.annotations ?? {}).filter(([name]) => !ownAnnotations.includes(name));
  return {
    labels: { ...metadata.labels, [serviceNameLabel]: metadata.name, [managedByLabel]: manager },
    annotations: Object.fromEntries(annotations),
  };
}

/** Subsets with the same ports go together; Endpoints that name nobody keep one empty slice. */
function groupsOf(subsets: readonly EndpointSubset[], slices: readonly EndpointSlice[]): Group[] {
  const groups = new Map<string, Group & { endpoints: Endpoint[] }>();
  for (const subset of subsets) {
    const ports = portsOf(subset);
    for (const { address, ready } of addressesOf(subset)) {
      const addressType: Family = familyOf(address.ip);
      const id = JSON.stringify([addressType, ports]);
      const group = groups.get(id) ?? { addressType, ports, endpoints: [] };
      group.endpoints.push(endpointOf(address, ready));
      groups.set(id, group);
    }
  }
  if (groups.size > 0) return [...groups.values()];
  const [any] = slices;
  return [{ addressType: any?.addressType ?? 'IPv4', ports: any?.ports ?? [], endpoints: [] }];
}

const portsOf = ({ ports = [] }: EndpointSubset): EndpointPort[] =>
  ports.map(({ name = '', port, protocol = 'TCP', appProtocol }) => ({
    name,
    port,
    protocol,
    ...(appProtocol && { appProtocol }),
  }));

const addressesOf = ({ addresses = [], notReadyAddresses = [] }: EndpointSubset) =>
  [
    ...addresses.map(address => ({ address, ready: true })),
    ...notReadyAddresses.map(address => ({ address, ready: false })),
  ].slice(0, capacity);

const endpointOf = ({ ip, hostname, nodeName, targetRef }: EndpointAddress, ready: boolean): Endpoint => ({
  addresses: [ip],
  conditions: { ready },
  ...(hostname && { hostname }),
  ...(targetRef && { targetRef }),
  ...(nodeName && { nodeName }),
});

function tooMany(endpoints: Endpoints, subsets: readonly EndpointSubset[]): Action[] {
  const skipped = subsets.reduce((sum, { addresses = [], notReadyAddresses = [] }) => {
    return sum + Math.max(0, addresses.length + notReadyAddresses.length - capacity);
  }, 0);
  if (skipped === 0) return [];
  const { namespace, name, uid } = endpoints.metadata;
  return [
    {
      do: 'event',
      about: { apiVersion: 'v1', kind: 'Endpoints', name, ...(namespace && { namespace }), ...(uid && { uid }) },
      type: 'Warning',
      reason: 'TooManyAddressesToMirror',
      message: `A max of ${capacity} addresses can be mirrored to EndpointSlices per Endpoints subset. ${skipped} addresses were skipped`,
    },
  ];
}
