/** Services and EndpointSlices → the table of a node. Pure; each Service can be worked out by itself. */
import { isDeepStrictEqual } from 'node:util';
import type { Service, ServicePort } from '../../src/kube/api/core-v1.js';
import type { EndpointSlice } from '../../src/kube/api/discovery-v1.js';
import {
  entryKey,
  type Family,
  type HealthPort,
  type NodeFacts,
  type Protocol,
  type ProxyEndpoint,
  type ServiceEntry,
  type ServiceTable,
  type TableDifference,
} from './contract.js';
import { type Candidates, candidates } from './endpoints.js';

/** A Service that the agent answers itself (the DNS) is none of the proxy's business. */
export const servedByLabel = 'keelson.dev/served-by';
/** A Service that another proxy serves. */
const otherProxyLabel = 'service.kubernetes.io/service-proxy-name';
/** The label by which a slice names its Service. */
export const serviceNameLabel = 'kubernetes.io/service-name';
/** Three hours, as Kubernetes has it. */
const defaultAffinitySeconds = 10_800;

export const serviceKey = ({ metadata }: Pick<Service, 'metadata'>): string =>
  `${metadata.namespace ?? ''}/${metadata.name}`;

/** Undefined for a slice that belongs to no Service. */
export const serviceOfSlice = ({ metadata }: EndpointSlice): string | undefined => {
  const name = metadata.labels?.[serviceNameLabel];
  return name === undefined ? undefined : `${metadata.namespace ?? ''}/${name}`;
};

/** Headless, ExternalName, ended and foreign Services have no entries. */
export function isProxied({ metadata, spec }: Service): boolean {
  const own = (label: string) => metadata.labels?.[label] ?? metadata.annotations?.[label];
  if (own(servedByLabel) === 'agent' || metadata.labels?.[otherProxyLabel] !== undefined) return false;
  return spec?.type !== 'ExternalName' && Boolean(spec?.clusterIP) && spec?.clusterIP !== 'None';
}

/** @param slices those of this Service */
export function entriesOf(service: Service, slices: readonly EndpointSlice[], node: NodeFacts): ServiceEntry[] {
  if (!isProxied(service)) return [];
  return (service.spec?.ports ?? []).flatMap(port => {
    const families = [...new Set(clusterIPs(service).map(familyOf))];
    return families.flatMap(family => portEntries(service, port, family, behind(service, slices, port, family, node)));
  });
}

export const familyOf = (address: string): Family => (address.includes(':') ? 'IPv6' : 'IPv4');

const clusterIPs = ({ spec }: Service): readonly string[] =>
  spec?.clusterIPs?.length ? spec.clusterIPs : spec?.clusterIP ? [spec.clusterIP] : [];

function behind(
  service: Service,
  slices: readonly EndpointSlice[],
  port: ServicePort,
  family: Family,
  node: NodeFacts,
): Candidates {
  const relay = serviceKey(service) === 'default/kubernetes' ? node.apiServer : undefined;
  if (!relay || familyOf(relay.address) !== family)
    return candidates(slices, family, port, service.spec?.trafficDistribution, node);
  const endpoints: readonly ProxyEndpoint[] = [{ ...relay, local: true }];
  return { cluster: endpoints, local: endpoints, any: true };
}

/** The cluster's own address first, then those for the world. */
function portEntries(service: Service, port: ServicePort, family: Family, found: Candidates): ServiceEntry[] {
  const { spec } = service;
  const about = {
    service: serviceKey(service),
    portName: port.name ?? '',
    family,
    protocol: (port.protocol ?? 'TCP').toLowerCase() as Protocol,
    ...(spec?.sessionAffinity === 'ClientIP' && {
      affinitySeconds: spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? defaultAffinitySeconds,
    }),
  };
  const internal = withPolicy(found, spec?.internalTrafficPolicy === 'Local', false);
  const external = withPolicy(found, spec?.externalTrafficPolicy === 'Local', true);
  const entry = (
    kind: ServiceEntry['kind'],
    address: string | undefined,
    number: number,
    rest: typeof internal,
  ): ServiceEntry => ({
    key: entryKey(family, about.protocol, address, number),
    kind,
    ...about,
    address,
    port: number,
    ...rest,
  });
  const ofFamily = (addresses: readonly string[]) => addresses.filter(address => familyOf(address) === family);
  const ranges = sourceRanges(service, family);
  return [
    ...ofFamily(clusterIPs(service)).map(address => entry('clusterIP', address, port.port, internal)),
    ...ofFamily(spec?.externalIPs ?? []).map(address => entry('externalIP', address, port.port, external)),
    ...ofFamily(balancerAddresses(service)).map(address => ({
      ...entry('loadBalancer', address, port.port, external),
      ...(ranges && { sourceRanges: ranges }),
    })),
    ...(port.nodePort ? [entry('nodePort', undefined, port.nodePort, external)] : []),
  ];
}

type Policy = Pick<ServiceEntry, 'endpoints' | 'none' | 'inside' | 'masquerade'>;

function withPolicy({ cluster, local, any }: Candidates, onlyLocal: boolean, external: boolean): Policy {
  if (!onlyLocal) return { endpoints: cluster, none: 'reject', masquerade: external ? 'all' : 'outside' };
  const policy = { endpoints: local, none: any ? 'drop' : 'reject' } as const;
  return external ? { ...policy, inside: cluster, masquerade: 'node' } : { ...policy, masquerade: 'outside' };
}

/** A balancer that is a proxy by itself must see the traffic: only VIPs are taken over. */
const balancerAddresses = ({ spec, status }: Service): readonly string[] =>
  spec?.type !== 'LoadBalancer'
    ? []
    : (status?.loadBalancer?.ingress ?? []).flatMap(({ ip, ipMode }) => (ip && ipMode !== 'Proxy' ? [ip] : []));

function sourceRanges({ spec }: Service, family: Family): readonly string[] | undefined {
  const all = (spec?.loadBalancerSourceRanges ?? []).map(range => range.trim());
  if (all.length === 0) return undefined;
  return all.filter(range => familyOf(range) === family).sort();
}

export function healthPortOf(
  service: Service,
  slices: readonly EndpointSlice[],
  node: NodeFacts,
): HealthPort | undefined {
  const { spec } = service;
  if (!isProxied(service) || spec?.externalTrafficPolicy !== 'Local' || !spec.healthCheckNodePort) return undefined;
  const local = (spec.ports ?? []).flatMap(port =>
    (['IPv4', 'IPv6'] as const).flatMap(family =>
      behind(service, slices, port, family, node).local.map(({ address }) => address),
    ),
  );
  return { service: serviceKey(service), port: spec.healthCheckNodePort, localEndpoints: new Set(local).size };
}

/** The whole table. Where two Services claim one address and port, `precedence` decides. */
export function desired(services: Iterable<Service>, slices: Iterable<EndpointSlice>, node: NodeFacts): ServiceTable {
  const byService = new Map<string, EndpointSlice[]>();
  for (const slice of slices) {
    const key = serviceOfSlice(slice);
    if (key === undefined) continue;
    const known = byService.get(key);
    if (known) known.push(slice);
    else byService.set(key, [slice]);
  }
  const table = new Map<string, ServiceEntry>();
  for (const service of services)
    for (const entry of entriesOf(service, byService.get(serviceKey(service)) ?? [], node)) {
      const other = table.get(entry.key);
      if (!other || precedence(entry, other) < 0) table.set(entry.key, entry);
    }
  return table;
}

const kindOrder = ['clusterIP', 'nodePort', 'loadBalancer', 'externalIP'] as const;

/** Negative if `a` goes before `b`: what the cluster has given out before what a user wrote, then by name. */
export function precedence(a: ServiceEntry, b: ServiceEntry): number {
  return kindOrder.indexOf(a.kind) - kindOrder.indexOf(b.kind) || (a.service < b.service ? -1 : 1);
}

/** Only what is not equal. */
export function difference(before: ServiceTable, after: ServiceTable): TableDifference {
  const added: ServiceEntry[] = [];
  const changed: { before: ServiceEntry; after: ServiceEntry }[] = [];
  for (const [key, entry] of after) {
    const old = before.get(key);
    if (!old) added.push(entry);
    else if (old !== entry && !isDeepStrictEqual(old, entry)) changed.push({ before: old, after: entry });
  }
  const removed = [...before.values()].filter(({ key }) => !after.has(key));
  return { added, changed, removed };
}
