/**
 * The built-in load balancer: the addresses of the nodes themselves. Services that ask for another one by
 * `loadBalancerClass` are left to it. Key: `namespace/name`.
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

const isOurs = ({ spec }: Service): boolean => spec?.type === 'LoadBalancer' && !spec.loadBalancerClass;

/** Those whose status is not what the nodes are now: most changes of a node are none here. */
function keysOfNode(_node: Seen, _deleted: boolean, view: FactsView): Key[] {
  const ingress = ingressOf(view);
  const services = view.list('Service') as unknown as (Service & Seen)[];
  return services
    .filter(service => isOurs(service) && !deepEqual(service.status?.loadBalancer?.ingress ?? [], ingress))
    .map(service => keyOfObject(service));
}

function reconcile({ view }: Facts, key: Key): Outcome {
  const service = objectOf<Service>(view, 'Service', key);
  if (!service || service.metadata.deletionTimestamp || !isOurs(service)) return nothing;
  const ingress = ingressOf(view);
  const loadBalancer = ingress.length > 0 ? { ingress } : {};
  return { actions: statusPatch(service, { ...service.status, loadBalancer }) };
}

function ingressOf(view: FactsView): { ip: string; ipMode: string }[] {
  const nodes = view.list('Node') as unknown as readonly Node[];
  return nodes
    .filter(isIn)
    .flatMap(({ status }) => status?.addresses ?? [])
    .flatMap(({ type, address }) => (type === 'InternalIP' ? [{ ip: address, ipMode: 'VIP' }] : []))
    .sort((a, b) => (a.ip < b.ip ? -1 : 1));
}

const isIn = ({ metadata, status }: Node): boolean =>
  metadata.labels?.[excludeLabel] === undefined &&
  !metadata.deletionTimestamp &&
  status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True';
