/**
 * The variables that tell a container of the Services it could reach when it started (kubelet's getServiceEnvVarMap and
 * pkg/kubelet/envvars). Pure.
 */
import type { Service } from '../../src/kube/api/core-v1.js';

type Variable = readonly [name: string, value: string];

export interface ServiceEnvFacts {
  /** All that the node knows of; others than the pod's namespace are left out here. */
  readonly services: readonly Service[];
  readonly namespace: string;
  /** spec.enableServiceLinks: without it, only the API server's are told. */
  readonly links: boolean;
}

/** The API server's Service: told in every namespace, unless that has a Service `kubernetes` of its own. */
const master = { namespace: 'default', name: 'kubernetes' };

/** Sorted by Service, so that the same Services always make the same environment. */
export function serviceEnv({ services, namespace, links }: ServiceEnvFacts): Variable[] {
  const told = new Map<string, Service>();
  for (const service of services) {
    const { namespace: at = 'default', name } = service.metadata ?? {};
    if (name === undefined || !hasClusterIP(service)) continue;
    if (at === master.namespace && name === master.name && !told.has(name)) told.set(name, service);
    if (at === namespace && links) told.set(name, service);
  }
  return [...told.keys()].sort().flatMap(name => variablesOf(name, told.get(name) as Service));
}

const hasClusterIP = ({ spec }: Service): boolean => !['', 'None', undefined].includes(spec?.clusterIP);

/** `redis-master` → `REDIS_MASTER`. */
const prefixOf = (name: string): string => name.replaceAll('-', '_').toUpperCase();

function variablesOf(name: string, { spec }: Service): Variable[] {
  const prefix = prefixOf(name);
  const { clusterIP = '', ports = [] } = spec ?? {};
  const [first] = ports;
  if (!first) return [];
  const named = ports.flatMap(({ name: portName, port }): Variable[] =>
    portName ? [[`${prefix}_SERVICE_PORT_${prefixOf(portName)}`, String(port)]] : [],
  );
  return [
    [`${prefix}_SERVICE_HOST`, clusterIP],
    [`${prefix}_SERVICE_PORT`, String(first.port)],
    ...named,
    ...linkVariables(prefix, clusterIP, ports),
  ];
}

type Port = NonNullable<NonNullable<Service['spec']>['ports']>[number];

/** As Docker's links were: `tcp://10.0.0.11:6379`; an IPv6 address stands in brackets. */
function linkVariables(prefix: string, address: string, ports: readonly Port[]): Variable[] {
  const host = address.includes(':') ? `[${address}]` : address;
  const url = ({ protocol = 'TCP', port }: Port) => `${protocol.toLowerCase()}://${host}:${port}`;
  return ports.flatMap((port, index): Variable[] => {
    const protocol = port.protocol ?? 'TCP';
    const own = `${prefix}_PORT_${port.port}_${protocol}`;
    return [
      ...(index === 0 ? ([[`${prefix}_PORT`, url(port)]] as const) : []),
      [own, url(port)],
      [`${own}_PROTO`, protocol.toLowerCase()],
      [`${own}_PORT`, String(port.port)],
      [`${own}_ADDR`, address],
    ];
  });
}
