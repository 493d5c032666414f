/** Which pod answers for a service: one of its ready endpoints, by the port's name or number. */
import type { EndpointSlice } from '../../kube/api/discovery-v1.js';
import type { Pod } from '../../kube/pod.js';
import { failure } from '../../kube/status.js';
import { badRequest } from '../errors.js';
import type { AnyObject } from '../kind.js';
import type { ApiContext } from '../request.js';

interface ServicePort {
  readonly name?: string;
  readonly port: number;
}
export interface ServiceTarget {
  readonly pod: Pod;
  readonly port: number;
}

/** @param wanted a port's name or number, or nothing if the service has only one. Throws StatusError 400, 503. */
export function serviceTarget(context: ApiContext, service: AnyObject, wanted: string): ServiceTarget {
  const { name, namespace = '' } = service.metadata;
  const port = portOf(service, wanted);
  const ready = endpointsOf(context, namespace, name, port.name ?? '');
  const found = ready[Math.floor(context.engine.random() * ready.length)];
  if (found) return found;
  throw failure(
    503,
    'ServiceUnavailable',
    `no endpoints available for service ${JSON.stringify(wanted ? `${name}:${wanted}` : name)}`,
  );
}

function portOf(service: AnyObject, wanted: string): ServicePort {
  const ports = (service.spec as { ports?: ServicePort[] } | undefined)?.ports ?? [];
  const found =
    wanted === '' && ports.length === 1
      ? ports[0]
      : ports.find(({ name, port }) => (wanted !== '' && name === wanted) || String(port) === wanted);
  if (found) return found;
  throw badRequest(
    `no service port ${JSON.stringify(wanted)} found for service ${JSON.stringify(service.metadata.name)}`,
  );
}

/** Endpoints that are pods of this cluster; others have no node that could connect. */
function endpointsOf({ engine }: ApiContext, namespace: string, name: string, port: string): ServiceTarget[] {
  const slices = engine.view.list('EndpointSlice', namespace) as unknown as EndpointSlice[];
  return slices
    .filter(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === name)
    .flatMap(({ endpoints = [], ports = [] }) => {
      const number = ports.find(one => (one.name ?? '') === port)?.port;
      if (number === undefined) return [];
      return endpoints
        .filter(({ conditions }) => conditions?.ready !== false)
        .flatMap(({ targetRef }) => {
          const pod = targetRef?.kind === 'Pod' && engine.view.get('Pod', namespace, targetRef.name ?? '');
          return pod ? [{ pod: pod as unknown as Pod, port: number }] : [];
        });
    });
}
