/**
 * The older form of EndpointSlices, which tools still read: one Endpoints object per Service with a selector, cut at 1,000
 * addresses. Key: `namespace/name` of both, or that of a Service that is gone.
 */
import type { EndpointAddress, EndpointPort, EndpointSubset, Endpoints, Service } from '../../kube/api/core-v1.js';
import { deepEqual } from '../../kube/json.js';
import type { KubeObject } from '../../kube/meta.js';
import type { Pod } from '../../kube/pod.js';
import {
  type Action,
  type Controller,
  type Facts,
  type FactsView,
  type Key,
  type Outcome,
  type Seen,
  targetOf,
} from '../contract.js';
import { isPodReady } from '../pods/condition.js';
import { keyOfObject, objectOf } from '../pods/ownership.js';
import { mergePatchOf } from '../status-patch.js';
import { deleteOrphaned, keyOfGone } from './by-hand.js';
import {
  addressesOf,
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

export const managedByLabel = 'endpoints.kubernetes.io/managed-by';
export const manager = 'endpoint-controller';
const headlessLabel = 'service.kubernetes.io/headless';
const overCapacity = 'endpoints.kubernetes.io/over-capacity';

/** Addresses in one object: Kubernetes' limit. */
export const capacity = 1000;

export const endpointsController: Controller = {
  name: 'endpoint',
  wakes: [
    { kind: 'Service', keys: (object, deleted) => [keyOfObject(object), ...(deleted ? [keyOfGone(object)] : [])] },
    { kind: 'Pod', keys: keysOfPod },
    { kind: 'Endpoints', keys: object => [keyOfObject(object)] },
  ],
  writes: ['Endpoints of Services with a selector'],
  concurrency: 5,
  reconcile,
};

/** Services whose Endpoints say something else about the pod than they should. */
function keysOfPod(object: Seen, deleted: boolean, view: FactsView): Key[] {
  const pod = object as unknown as Pod;
  const services = view.list('Service', pod.metadata.namespace) as unknown as (Service & Seen)[];
  return services.filter(service => hasSelector(service) && !saysRight(view, service, pod, deleted)).map(keyOfObject);
}

function saysRight(view: FactsView, service: Service & Seen, pod: Pod, deleted: boolean): boolean {
  const endpoints = objectOf<Endpoints>(view, 'Endpoints', keyOfObject(service));
  const said = endpoints && addressesByPod(endpoints).get(pod.metadata.uid ?? '');
  const wanted = !deleted && isWanted(service, pod) && isSelected(service, pod) ? addressOf(service, pod) : undefined;
  if (!said || !wanted) return !said && !wanted;
  return said.ready === isPublished(service, pod) && deepEqual(said.address, wanted);
}

interface Said {
  readonly address: EndpointAddress;
  readonly ready: boolean;
}

const byPod = new WeakMap<Endpoints, ReadonlyMap<string, Said>>();

/** Objects of the view never change, so that this is made once for each state of one. */
function addressesByPod(endpoints: Endpoints): ReadonlyMap<string, Said> {
  const known = byPod.get(endpoints);
  if (known) return known;
  const made = new Map<string, Said>();
  for (const { addresses = [], notReadyAddresses = [] } of endpoints.subsets ?? []) {
    for (const address of addresses) made.set(address.targetRef?.uid ?? '', { address, ready: true });
    for (const address of notReadyAddresses) made.set(address.targetRef?.uid ?? '', { address, ready: false });
  }
  byPod.set(endpoints, made);
  return made;
}

function reconcile({ view }: Facts, key: Key): Outcome {
  const orphaned = deleteOrphaned(view, key);
  if (orphaned) return { actions: orphaned };
  const service = objectOf<Service>(view, 'Service', key);
  const found = objectOf<Endpoints>(view, 'Endpoints', key);
  if (!service || service.metadata.deletionTimestamp || !hasSelector(service)) {
    // what somebody wrote by hand stays
    const ours = found?.metadata.labels?.[managedByLabel] === manager && !found.metadata.deletionTimestamp;
    return { actions: ours ? [{ do: 'delete', target: targetOf(found) }] : [] };
  }
  return { actions: write(service, found, wantedOf(view, service)) };
}

interface Wanted {
  readonly subsets: readonly EndpointSubset[];
  readonly labels: Readonly<Record<string, string>>;
  /** Some addresses did not fit. */
  readonly cut: boolean;
}

function wantedOf(view: FactsView, service: Service & Seen): Wanted {
  const pods = podsBehind(view, service).filter(pod => isWanted(service, pod));
  // those that can serve first, so that the others are what is cut
  const ordered = pods.sort((a, b) => Number(isPublished(service, b)) - Number(isPublished(service, a)));
  return {
    subsets: subsetsOf(service, ordered.slice(0, capacity)),
    labels: {
      ...service.metadata.labels,
      ...(isHeadless(service) && { [headlessLabel]: '' }),
      [managedByLabel]: manager,
    },
    cut: pods.length > capacity,
  };
}

const tolerates = ({ spec }: Service): boolean => spec?.publishNotReadyAddresses === true;

/** Without the conditions of a slice, a pod on its way out is only in when nobody asks how it does. */
const isWanted = (service: Service, pod: Pod): boolean =>
  isReachable(pod) && (tolerates(service) || !pod.metadata.deletionTimestamp);

const isPublished = (service: Service, pod: Pod): boolean => tolerates(service) || isPodReady(pod);

/** Endpoints know one family: the Service's first. */
function addressOf(service: Service, pod: Pod): EndpointAddress | undefined {
  const [ip] = addressesOf(pod, familiesOf(service)[0] ?? 'IPv4');
  if (ip === undefined || (portsOf(service, pod).length === 0 && !isPortless(service))) return undefined;
  const hostname = hostnameIn(service, pod);
  const { nodeName } = pod.spec;
  return { ip, ...(hostname && { hostname }), ...(nodeName && { nodeName }), targetRef: referenceToPod(pod) };
}

const isPortless = (service: Service): boolean => isHeadless(service) && (service.spec?.ports ?? []).length === 0;

interface Subset {
  readonly addresses: EndpointAddress[];
  readonly notReadyAddresses: EndpointAddress[];
  readonly ports: readonly EndpointPort[];
}

function subsetsOf(service: Service, pods: readonly Pod[]): EndpointSubset[] {
  const subsets = new Map<string, Subset>();
  for (const pod of pods) {
    const address = addressOf(service, pod);
    if (!address) continue;
    const ports = namedPortsOf(service, pod);
    const id = JSON.stringify(ports);
    const subset = subsets.get(id) ?? { addresses: [], notReadyAddresses: [], ports };
    (isPublished(service, pod) ? subset.addresses : subset.notReadyAddresses).push(address);
    subsets.set(id, subset);
  }
  return [...subsets.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, subset]) => written(subset));
}

/** Here an unnamed port has no name at all. */
const namedPortsOf = (service: Service, pod: Pod): EndpointPort[] =>
  portsOf(service, pod).map(({ name, ...port }) => ({ ...(name && { name }), ...port }));

function written({ addresses, notReadyAddresses, ports }: Subset): EndpointSubset {
  return {
    ...(addresses.length > 0 && { addresses: addresses.sort(byAddress) }),
    ...(notReadyAddresses.length > 0 && { notReadyAddresses: notReadyAddresses.sort(byAddress) }),
    ...(ports.length > 0 && { ports: [...ports] }),
  };
}

const byAddress = (a: EndpointAddress, b: EndpointAddress): number => (a.ip < b.ip ? -1 : a.ip > b.ip ? 1 : 0);

function write(service: Service & Seen, found: (Endpoints & Seen) | undefined, wanted: Wanted): Action[] {
  if (!found) return [{ do: 'create', object: objectFor(service, wanted) }];
  if (found.metadata.deletionTimestamp) return [];
  const labels = mergePatchOf(found.metadata.labels ?? {}, wanted.labels);
  const annotations =
    wanted.cut === (found.metadata.annotations?.[overCapacity] !== undefined)
      ? {}
      : { [overCapacity]: wanted.cut ? 'truncated' : null };
  const metadata = {
    ...(Object.keys(labels).length > 0 && { labels }),
    ...(Object.keys(annotations).length > 0 && { annotations }),
  };
  const patch = {
    ...(!deepEqual(found.subsets ?? [], wanted.subsets) && { subsets: wanted.subsets }),
    ...(Object.keys(metadata).length > 0 && { metadata }),
  };
  if (Object.keys(patch).length === 0) return [];
  return [{ do: 'patch', target: targetOf(found), at: found.metadata.resourceVersion, patch }];
}

function objectFor({ metadata: { namespace, name } }: Service, { subsets, labels, cut }: Wanted): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: {
      name,
      ...(namespace && { namespace }),
      labels,
      ...(cut && { annotations: { [overCapacity]: 'truncated' } }),
    },
    subsets,
  } as KubeObject;
}
