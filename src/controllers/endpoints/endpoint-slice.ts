/** Says in EndpointSlices which pods are behind each Service with a selector. Key: `namespace/name` of the Service. */
import type { Service } from '../../kube/api/core-v1.js';
import type { Endpoint, EndpointSlice } from '../../kube/api/discovery-v1.js';
import { deepEqual } from '../../kube/json.js';
import type { Pod } from '../../kube/pod.js';
import {
  type Controller,
  type Facts,
  type FactsView,
  type Key,
  nothing,
  type Outcome,
  type Seen,
} from '../contract.js';
import { isPodReady } from '../pods/condition.js';
import { keyOfObject, objectOf } from '../pods/ownership.js';
import type { Group } from './fit.js';
import {
  addressesOf,
  type Family,
  familiesOf,
  hasSelector,
  hostnameIn,
  isHeadless,
  isReachable,
  isSelected,
  podsBehind,
  portsOf,
  referenceToPod,
} from './selection.js';
import { deletionsOf, managedByLabel, serviceNameLabel, slicesOf, writeSlices } from './write-slices.js';

export const manager = 'endpointslice-controller.k8s.io';
const zoneLabel = 'topology.kubernetes.io/zone';

export const endpointSliceController: Controller = {
  name: 'endpointslice',
  wakes: [
    { kind: 'Service', keys: object => [keyOfObject(object)] },
    { kind: 'Pod', keys: keysOfPod },
    { kind: 'EndpointSlice', keys: keysOfSlice },
    { kind: 'Node', keys: keysOfNode },
  ],
  writes: [`EndpointSlices with ${managedByLabel}=${manager}`],
  concurrency: 5,
  reconcile,
};

function keysOfSlice({ metadata: { namespace = '', labels } }: Seen): Key[] {
  const service = labels?.[serviceNameLabel];
  return service !== undefined && labels?.[managedByLabel] === manager ? [`${namespace}/${service}`] : [];
}

/**
 * Services that say something else about the pod than they should: most changes of a pod's status mean nothing here. A
 * write that is still under way is no trap: the slice it changes wakes its Service again.
 */
function keysOfPod(object: Seen, deleted: boolean, view: FactsView): Key[] {
  const pod = object as unknown as Pod;
  const services = view.list('Service', pod.metadata.namespace) as unknown as (Service & Seen)[];
  return services
    .filter(service => hasSelector(service) && !saysRight(view, service, pod, deleted))
    .map(service => keyOfObject(service));
}

function saysRight(view: FactsView, service: Service & Seen, pod: Pod, deleted: boolean): boolean {
  const wanted = !deleted && isReachable(pod) && isSelected(service, pod);
  const said = slicesOf(view, service, manager).flatMap(
    slice => endpointsByPod(slice).get(pod.metadata.uid ?? '') ?? [],
  );
  const right = wanted ? familiesOf(service).flatMap(family => endpointOf(view, service, pod, family)) : [];
  return said.length === right.length && right.every(one => said.some(other => deepEqual(one, other)));
}

const byPod = new WeakMap<EndpointSlice, ReadonlyMap<string, Endpoint>>();

/** Objects of the view never change, so that this is made once for each state of a slice. */
function endpointsByPod(slice: EndpointSlice): ReadonlyMap<string, Endpoint> {
  const known = byPod.get(slice);
  if (known) return known;
  const made = new Map((slice.endpoints ?? []).map(endpoint => [endpoint.targetRef?.uid ?? '', endpoint]));
  byPod.set(slice, made);
  return made;
}

/** A node only matters by its zone; its status changes all the time. */
function keysOfNode(node: Seen, deleted: boolean, view: FactsView): Key[] {
  const zone = deleted ? undefined : node.metadata.labels?.[zoneLabel];
  const slices = view.list('EndpointSlice') as unknown as (EndpointSlice & Seen)[];
  return slices.filter(slice => saysOther(slice, node.metadata.name, zone)).flatMap(keysOfSlice);
}

const zones = new WeakMap<EndpointSlice, ReadonlyMap<string, string | undefined>>();

function saysOther(slice: EndpointSlice, node: string, zone: string | undefined): boolean {
  let known = zones.get(slice);
  if (!known) {
    known = new Map((slice.endpoints ?? []).map(endpoint => [endpoint.nodeName ?? '', endpoint.zone]));
    zones.set(slice, known);
  }
  return known.has(node) && known.get(node) !== zone;
}

function reconcile({ view, random }: Facts, key: Key): Outcome {
  const service = objectOf<Service>(view, 'Service', key);
  // the slices of a Service that goes are its dependents: the garbage collector takes them
  if (!service || service.metadata.deletionTimestamp) return nothing;
  const slices = slicesOf(view, service, manager);
  if (!hasSelector(service)) return { actions: deletionsOf(slices) };
  const pods = podsBehind(view, service);
  const groups = familiesOf(service).flatMap(family => groupsOf(view, service, pods, family, slices));
  return { actions: writeSlices(slices, service, { groups, labels: labelsOf(service) }, random) };
}

function labelsOf(service: Service): Record<string, string> {
  return {
    ...service.metadata.labels,
    ...(isHeadless(service) && { 'service.kubernetes.io/headless': '' }),
    [serviceNameLabel]: service.metadata.name,
    [managedByLabel]: manager,
  };
}

/** Pods may call different ports by one name: those with the same ports go together. */
function groupsOf(
  view: FactsView,
  service: Service,
  pods: readonly Pod[],
  family: Family,
  slices: readonly EndpointSlice[],
): Group[] {
  const groups = new Map<string, Group & { endpoints: Endpoint[] }>();
  for (const pod of pods) {
    const ports = portsOf(service, pod);
    const id = JSON.stringify(ports);
    for (const endpoint of endpointOf(view, service, pod, family)) {
      const group = groups.get(id) ?? { addressType: family, ports, endpoints: [] };
      group.endpoints.push(endpoint);
      groups.set(id, group);
    }
  }
  if (groups.size > 0) return [...groups.values()];
  // none: an empty slice says so, one that is there already if possible
  const ports = slices.find(slice => slice.addressType === family)?.ports ?? [];
  return [{ addressType: family, ports, endpoints: [] }];
}

/** Empty for a pod without an address of the family. */
function endpointOf(view: FactsView, service: Service, pod: Pod, family: Family): Endpoint[] {
  const addresses = addressesOf(pod, family);
  if (addresses.length === 0) return [];
  const serving = isPodReady(pod);
  const terminating = pod.metadata.deletionTimestamp !== undefined;
  const ready = service.spec?.publishNotReadyAddresses === true || (serving && !terminating);
  const hostname = hostnameIn(service, pod);
  const { nodeName } = pod.spec;
  const zone = nodeName && view.get('Node', undefined, nodeName)?.metadata.labels?.[zoneLabel];
  const hints = ready ? hintsFor(service, nodeName, zone) : undefined;
  return [
    {
      addresses,
      conditions: { ready, serving, terminating },
      ...(hostname && { hostname }),
      targetRef: referenceToPod(pod),
      ...(nodeName && { nodeName }),
      ...(zone && { zone }),
      ...(hints && { hints }),
    },
  ];
}

/** Whose traffic an endpoint is for, by the Service's wish for near ones. */
function hintsFor(
  { spec }: Service,
  node: string | undefined,
  zone: string | undefined,
): Endpoint['hints'] | undefined {
  const wish = spec?.trafficDistribution;
  const forZones = wish && zone ? [{ name: zone }] : undefined;
  const forNodes = wish === 'PreferSameNode' && node ? [{ name: node }] : undefined;
  return forZones || forNodes ? { ...(forZones && { forZones }), ...(forNodes && { forNodes }) } : undefined;
}
