/** The rules of one port of a Service, as kube-proxy writes them. Pure. */
import type { BackendOptions, ProxyEndpoint, ServiceEntry } from '../contract.js';
import { comment, type SharedChain } from './layout.js';
import { type ChainNames, chainNames, endpointChain, portNameOf, socketAddress } from './names.js';

/** Entries of one port of a Service in one family share their chains. */
export const groupKey = ({ service, portName, protocol }: ServiceEntry): string => `${service}:${portName}/${protocol}`;

export interface GroupRules {
  /** Chains of table nat that belong to this port alone. */
  readonly chains: ReadonlyMap<string, readonly string[]>;
  readonly shared: readonly { readonly chain: SharedChain; readonly rule: string }[];
}

interface Group {
  readonly entries: readonly ServiceEntry[];
  readonly first: ServiceEntry;
  readonly port: string;
  readonly names: ChainNames;
  /** The pods' network of this family; undefined: who is a pod is not known. */
  readonly pods: string | undefined;
  readonly cluster: readonly ProxyEndpoint[];
  readonly local: readonly ProxyEndpoint[];
}

/** @param entries of one `groupKey` and one family */
export function rulesOf(entries: readonly ServiceEntry[], options: BackendOptions): GroupRules {
  const [first] = entries;
  if (!first) return { chains: new Map(), shared: [] };
  const port = portNameOf(first);
  const isSix = first.family === 'IPv6';
  const group: Group = {
    entries,
    first,
    port,
    names: chainNames(port, first.protocol),
    pods: options.clusterCidrs.find(cidr => cidr.includes(':') === isSix),
    cluster: entries.map(clusterEndpoints).find(found => found !== undefined) ?? [],
    local: entries.find(isLocal)?.endpoints ?? [],
  };
  return { chains: ownChains(group), shared: entries.flatMap(entry => leadingRules(group, entry)) };
}

/** Whether only endpoints of this node may answer (the world, of an entry with `inside`). */
const isLocal = ({ none, inside }: ServiceEntry): boolean => none === 'drop' || inside !== undefined;
const isExternal = ({ kind }: ServiceEntry): boolean => kind !== 'clusterIP';
const clusterEndpoints = (entry: ServiceEntry): readonly ProxyEndpoint[] | undefined =>
  entry.inside ?? (isLocal(entry) ? undefined : entry.endpoints);
/** Somebody could answer somebody. */
const isServed = ({ endpoints, inside = [] }: ServiceEntry): boolean => endpoints.length + inside.length > 0;

const matchPort = ({ protocol, port }: ServiceEntry): string => `-m ${protocol} -p ${protocol} --dport ${port}`;
const matchAddress = (entry: ServiceEntry): string =>
  entry.address === undefined
    ? `-m addrtype --dst-type LOCAL ${matchPort(entry)}`
    : `${matchPort(entry).replace(' --dport', ` -d ${entry.address} --dport`)}`;

/** What the chains that all Services share say of one address. */
function leadingRules(group: Group, entry: ServiceEntry): { chain: SharedChain; rule: string }[] {
  return [...translation(group, entry), ...refusal(group, entry), ...guard(group, entry)];
}

const addressWords = { clusterIP: 'cluster IP', externalIP: 'external IP', loadBalancer: 'loadbalancer IP' } as const;

function translation({ port, names }: Group, entry: ServiceEntry): { chain: SharedChain; rule: string }[] {
  if (!isServed(entry)) return [];
  if (entry.kind === 'nodePort')
    return [{ chain: 'nat KUBE-NODEPORTS', rule: `${comment(port)} ${matchPort(entry)} -j ${names.external}` }];
  const internal = isLocal(entry) ? names.local : names.cluster;
  const external = entry.sourceRanges ? names.firewall : names.external;
  const target = isExternal(entry) ? external : internal;
  const words = comment(`${port} ${addressWords[entry.kind]}`);
  return [{ chain: 'nat KUBE-SERVICES', rule: `${words} ${matchAddress(entry)} -j ${target}` }];
}

/** A packet that no rule of table nat has led elsewhere. */
function refusal({ port }: Group, entry: ServiceEntry): { chain: SharedChain; rule: string }[] {
  if (entry.endpoints.length > 0) return [];
  // the kernel sends a client only so many port unreachables a second: over TCP a reset is surer
  const reject = entry.protocol === 'tcp' ? 'REJECT --reject-with tcp-reset' : 'REJECT';
  const [words, verdict] =
    entry.none === 'reject' ? (['has no endpoints', reject] as const) : (['has no local endpoints', 'DROP'] as const);
  const chain = isExternal(entry) ? 'filter KUBE-EXTERNAL-SERVICES' : 'filter KUBE-SERVICES';
  return [{ chain, rule: `${comment(`${port} ${words}`)} ${matchAddress(entry)} -j ${verdict}` }];
}

function guard({ port, names }: Group, entry: ServiceEntry): { chain: SharedChain; rule: string }[] {
  if (!entry.sourceRanges) return [];
  const words = comment(`${port} traffic not accepted by ${names.firewall}`);
  return [{ chain: 'filter KUBE-PROXY-FIREWALL', rule: `${words} ${matchAddress(entry)} -j DROP` }];
}

function ownChains(group: Group): Map<string, readonly string[]> {
  const { entries, names, cluster, local, first } = group;
  const served = entries.filter(isServed);
  const external = served.find(isExternal);
  const guarded = served.find(({ sourceRanges }) => sourceRanges !== undefined);
  const chains = new Map<string, readonly string[]>();
  const needsCluster = served.some(entry => !isLocal(entry) || entry.inside !== undefined);
  if (needsCluster && cluster.length > 0) chains.set(names.cluster, pick(group, cluster, false));
  if (served.some(isLocal) && local.length > 0) chains.set(names.local, pick(group, local, true));
  if (external) chains.set(names.external, fromOutside(group, external));
  if (guarded) chains.set(names.firewall, allowed(group, guarded.sourceRanges ?? []));
  const endpoints = [...(chains.has(names.cluster) ? cluster : []), ...(chains.has(names.local) ? local : [])];
  for (const endpoint of endpoints)
    chains.set(endpointChain(group.port, first.protocol, endpoint), toEndpoint(group, endpoint));
  return chains;
}

/** One of the endpoints, each as likely as the others; the one that a client had before if it shall come back. */
function pick(group: Group, endpoints: readonly ProxyEndpoint[], local: boolean): string[] {
  const { first, port, entries, pods } = group;
  const targets = endpoints.map(endpoint => ({
    words: comment(`${port} -> ${socketAddress(endpoint)}`),
    chain: endpointChain(port, first.protocol, endpoint),
  }));
  const own = entries.filter(entry => !isExternal(entry) && isLocal(entry) === local);
  const seconds = first.affinitySeconds;
  return [
    ...(pods === undefined
      ? []
      : own.map(entry => `${comment(`${port} cluster IP`)} ${matchAddress(entry)} ! -s ${pods} -j KUBE-MARK-MASQ`)),
    ...(seconds === undefined
      ? []
      : targets.map(
          ({ words, chain }) => `${words} -m recent --name ${chain} --rcheck --seconds ${seconds} --reap -j ${chain}`,
        )),
    ...targets.map(({ words, chain }, i) => `${words}${chance(targets.length - i)} -j ${chain}`),
  ];
}

/** Of those that are left. */
const chance = (left: number): string =>
  left > 1 ? ` -m statistic --mode random --probability ${(1 / left).toFixed(10)}` : '';

/** To an address that the world uses. */
function fromOutside({ port, names, pods, local }: Group, entry: ServiceEntry): string[] {
  if (!isLocal(entry))
    return [
      `${comment(`masquerade traffic for ${port} external destinations`)} -j KUBE-MARK-MASQ`,
      `-j ${names.cluster}`,
    ];
  const own = '-m addrtype --src-type LOCAL';
  return [
    ...(pods === undefined
      ? []
      : [`${comment(`pod traffic for ${port} external destinations`)} -s ${pods} -j ${names.cluster}`]),
    `${comment(`masquerade LOCAL traffic for ${port} external destinations`)} ${own} -j KUBE-MARK-MASQ`,
    `${comment(`route LOCAL traffic for ${port} external destinations`)} ${own} -j ${names.cluster}`,
    ...(local.length > 0 ? [`-j ${names.local}`] : []),
  ];
}

function allowed({ port, names }: Group, ranges: readonly string[]): string[] {
  const words = comment(`${port} loadbalancer IP`);
  return [
    ...ranges.map(range => `-s ${range} ${words} -j ${names.external}`),
    comment(`other traffic to ${port} will be dropped by KUBE-PROXY-FIREWALL`),
  ];
}

function toEndpoint({ first, port }: Group, endpoint: ProxyEndpoint): string[] {
  const { protocol, affinitySeconds } = first;
  const chain = endpointChain(port, protocol, endpoint);
  const remember = affinitySeconds === undefined ? '' : ` -m recent --name ${chain} --set`;
  return [
    // one that reaches itself
    `${comment(port)} -s ${endpoint.address} -j KUBE-MARK-MASQ`,
    `${comment(port)}${remember} -m ${protocol} -p ${protocol} -j DNAT --to-destination ${socketAddress(endpoint)}`,
  ];
}
