/** Which endpoints of a Service's slices get traffic on this node, by the rules of kube-proxy. Pure. */
import type { ServicePort, ServiceSpec } from '../../src/kube/api/core-v1.js';
import type { Endpoint, EndpointSlice } from '../../src/kube/api/discovery-v1.js';
import type { Family, NodeFacts, ProxyEndpoint } from './contract.js';

interface Candidate extends ProxyEndpoint {
  readonly endpoint: Endpoint;
}

export interface Candidates {
  /** Anywhere, after the wishes for near ones. */
  readonly cluster: readonly ProxyEndpoint[];
  /** On this node only. */
  readonly local: readonly ProxyEndpoint[];
  /** There is somebody somewhere, if only on another node. */
  readonly any: boolean;
}

/** The endpoints behind one port of a Service, for one family. */
export function candidates(
  slices: readonly EndpointSlice[],
  family: Family,
  port: Pick<ServicePort, 'name' | 'protocol'>,
  distribution: string | undefined,
  node: NodeFacts,
): Candidates {
  const all = slices.flatMap(slice => (slice.addressType === family ? ofSlice(slice, port, node) : []));
  const ready = all.filter(({ endpoint }) => endpoint.conditions?.ready !== false);
  const usable = serving(all);
  const cluster = ready.length > 0 ? near(ready, distribution, node) : usable;
  return {
    cluster: plain(cluster),
    local: plain(serving(all.filter(({ local }) => local))),
    any: usable.length > 0,
  };
}

/** Those that are ready; if there are none, those that still serve while they end. */
function serving(all: readonly Candidate[]): readonly Candidate[] {
  const ready = all.filter(({ endpoint }) => endpoint.conditions?.ready !== false);
  if (ready.length > 0) return ready;
  return all.filter(({ endpoint: { conditions } }) => conditions?.terminating && conditions.serving !== false);
}

function ofSlice(
  slice: EndpointSlice,
  wanted: Pick<ServicePort, 'name' | 'protocol'>,
  node: NodeFacts,
): readonly Candidate[] {
  const found = slice.ports?.find(
    ({ name = '', protocol = 'TCP' }) => name === (wanted.name ?? '') && protocol === (wanted.protocol ?? 'TCP'),
  );
  const port = found?.port;
  if (port === undefined) return [];
  return (slice.endpoints ?? []).flatMap(endpoint => {
    // all addresses of an endpoint are the same thing; kube-proxy takes the first as well
    const address = endpoint.addresses?.[0];
    return address === undefined ? [] : [{ address, port, local: endpoint.nodeName === node.name, endpoint }];
  });
}

/** Hints count only if every endpoint has one and one of them means us: otherwise they are being written just now. */
function near(
  all: readonly Candidate[],
  distribution: ServiceSpec['trafficDistribution'],
  node: NodeFacts,
): readonly Candidate[] {
  const forUs = (hints: (one: Candidate) => readonly string[], own: string | undefined) => {
    if (own === undefined || !all.every(one => hints(one).length > 0)) return [];
    return all.filter(one => hints(one).includes(own));
  };
  const here = forUs(one => nodeHints(one, distribution), node.name);
  if (here.length > 0) return here;
  const close = forUs(one => zoneHints(one, distribution), node.zone);
  return close.length > 0 ? close : all;
}

/** What the Service wishes holds where nobody has written hints. */
const nodeHints = ({ endpoint }: Candidate, distribution: string | undefined): readonly string[] =>
  endpoint.hints
    ? (endpoint.hints.forNodes ?? []).map(({ name }) => name)
    : distribution === 'PreferSameNode' && endpoint.nodeName
      ? [endpoint.nodeName]
      : [];

const zoneHints = ({ endpoint }: Candidate, distribution: string | undefined): readonly string[] =>
  endpoint.hints
    ? (endpoint.hints.forZones ?? []).map(({ name }) => name)
    : distribution && endpoint.zone
      ? [endpoint.zone]
      : [];

/** Each once: the same endpoint may stand in two slices while it moves. */
function plain(found: readonly Candidate[]): readonly ProxyEndpoint[] {
  const unique = new Map(
    found.map(({ address, port, local }) => [`${address} ${port}`, { address, port, local }] as const),
  );
  return [...unique.values()].sort(byAddress);
}

const byAddress = (a: ProxyEndpoint, b: ProxyEndpoint): number =>
  a.address < b.address ? -1 : a.address > b.address ? 1 : a.port - b.port;
