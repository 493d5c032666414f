/**
 * The built-in load balancer: the addresses of the nodes themselves, of the Service's families. Services that ask for another
 * one by `loadBalancerClass` are left to it; one that is no longer of this type loses its addresses, whoever gave them.
 * Key: `namespace/name`.
 */
import type { Service } from '../../kube/api/core-v1.js';
import { deepEqual } from '../../kube/json.js';
import type { Node } from '../../kube/node.js';
import {
  type Controller,
  type Facts,
  type FactsView,
  type Key,
  nothing,
  type Outcome,
  type Seen,
} from '../contract.js';
import { keyOfObject, objectOf } from '../pods/ownership.js';
import { statusPatch } from '../status-patch.js';
import { familyOf } from './selection.js';

/** Set by people on nodes that outside traffic shall not enter. */
const excludeLabel = 'node.kubernetes.io/exclude-from-external-load-balancers';

export const loadBalancerController: Controller = {
  name: 'service-load-balancer',
  wakes: [
    { kind: 'Service', keys: object => [keyOfObject(object)] },
    { kind: 'Node', keys: keysOfNode },
  ],
  writes: ['status.loadBalancer of Services without a loadBalancerClass'],
  reconcile,
};

type Ingress = NonNullable<NonNullable<NonNullable<Service['status']>['loadBalancer']>['ingress']>;

/** Undefined: not ours to say. */
function wantedFor({ spec }: Service, addresses: readonly string[]): Ingress | undefined {
  if (spec?.type !== 'LoadBalancer') return [];
  if (spec.loadBalancerClass) return undefined;
  const families = spec.ipFamilies ?? ['IPv4'];
  return families.flatMap(family => addresses.filter(ip => familyOf(ip) === family).map(ip => ({ ip, ipMode: 'VIP' })));
}

const saidOf = ({ status }: Service): Ingress => status?.loadBalancer?.ingress ?? [];

/** Those whose status is not what the nodes are now: most changes of a node are none here. */
function keysOfNode(_node: Seen, _deleted: boolean, view: FactsView): Key[] {
  const addresses = addressesIn(view);
  const services = view.list('Service') as unknown as (Service & Seen)[];
  return services
    .filter(service => !deepEqual(saidOf(service), wantedFor(service, addresses) ?? saidOf(service)))
    .map(service => keyOfObject(service));
}

function reconcile({ view }: Facts, key: Key): Outcome {
  const service = objectOf<Service>(view, 'Service', key);
  const ingress = service && !service.metadata.deletionTimestamp && wantedFor(service, addressesIn(view));
  if (!service || !ingress || (ingress.length === 0 && saidOf(service).length === 0)) return nothing;
  const loadBalancer = ingress.length > 0 ? { ingress } : {};
  return { actions: statusPatch(service, { ...service.status, loadBalancer }) };
}

function addressesIn(view: FactsView): string[] {
  const nodes = view.list('Node') as unknown as readonly Node[];
  return nodes
    .filter(isIn)
    .flatMap(({ status }) => status?.addresses ?? [])
    .flatMap(({ type, address }) => (type === 'InternalIP' ? [address] : []))
    .sort();
}

const isIn = ({ metadata, status }: Node): boolean =>
  metadata.labels?.[excludeLabel] === undefined &&
  !metadata.deletionTimestamp &&
  status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True';
