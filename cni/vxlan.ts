/**
 * One end of a VXLAN in the kernel, over netlink: its link, and for each range of another node a route, a neighbour and a
 * forwarding entry. Nothing is flooded or learnt: every entry is permanent. The route is the last thing made and the last
 * thing removed, so whatever a crash leaves is found by it.
 */
import { KernelError, type LinkInfo, type NetlinkOp, netlink, type RouteInfo } from '../native/index.js';
import { type Cidr, parseCidr } from '../src/base/cidr.js';
import { describe } from '../src/base/errors.js';
import { gatewayOf } from './ranges.js';
import { sysctl } from './sysctls.js';
import { type Gateway, macOfTunnel, type TunnelPath, tunnelAddress, tunnelMac } from './tunnel.js';

export interface Tunnel {
  readonly link: string;
  /** The VXLAN's number. */
  readonly id: number;
  /** Of UDP. */
  readonly port: number;
  /** This node's own address. */
  readonly address: string;
  readonly mtu: number;
  /** Of this node's pods, the primary one first. */
  readonly ranges: readonly Cidr[];
}

/** Repeatable. @throws Error for a link of that name which is no VXLAN */
export async function raiseTunnel(tunnel: Tunnel): Promise<void> {
  const { link: name, id, port, address: local, mtu, ranges } = tunnel;
  const [primary] = ranges;
  if (!primary) return;
  const mac = tunnelMac(primary);
  const found = await findLink(name);
  if (found && (found.kind !== 'vxlan' || found.mac !== mac)) await removeTunnel(found);
  const kept = found?.kind === 'vxlan' && found.mac === mac;
  if (!kept) await netlink(null, [{ op: 'vxlan.add', name, id, port, local, mtu, mac, learning: false }]);
  if (!(kept && found.up) && ranges.some(({ family }) => family === 6)) await switchTunnel(name);
  await netlink(null, [
    { op: 'link.set', name, mtu, up: true },
    ...ownAddresses(ranges).map(address => ({ op: 'address.add', dev: name, address, ifExists: 'ignore' }) as const),
  ]);
}

/** Of IPv6 the link gives itself one. */
export function ownAddresses(ranges: readonly Cidr[]): string[] {
  return ranges.filter(({ family }) => family === 4).map(range => `${tunnelAddress(range, '')}/32`);
}

/** Before it is up. Nobody else is on it who could have its address, or could tell it anything. */
async function switchTunnel(link: string): Promise<void> {
  const switches = [
    ['accept_ra', '0'],
    ['accept_redirects', '0'],
    ['accept_dad', '0'],
    ['disable_ipv6', '0'],
  ] as const;
  for (const [name, value] of switches) await sysctl(`net/ipv6/conf/${link}/${name}`, value);
}

async function removeTunnel({ kind, name }: LinkInfo): Promise<void> {
  if (kind !== 'vxlan')
    throw new Error(`cannot use the link "${name}": one of kind "${kind ?? 'physical'}" has that name`);
  await netlink(null, [{ op: 'link.delete', name, ifMissing: 'ignore' }]);
}

/** @param podCIDRs this node's own */
export function tunnelAddition(
  dev: string,
  podCIDRs: readonly string[],
  { to, address, tunnel, mac }: TunnelPath,
): NetlinkOp[] {
  const source = sourceFor(to, podCIDRs);
  return [
    { op: 'fdb.replace', dev, mac, to: address },
    { op: 'neighbour.replace', dev, address: tunnel, mac },
    source
      ? { op: 'route.replace', to, via: tunnel, dev, src: source }
      : { op: 'route.replace', to, via: tunnel, dev, onlink: true },
  ];
}

/**
 * What the node itself sends to pods of another comes from its own end of the tunnel, which the other knows the way to. The
 * IPv6 address of that end is one that leads nowhere else, so there it is the bridge's.
 */
function sourceFor(to: string, podCIDRs: readonly string[]): string | undefined {
  if (parseCidr(to)?.family !== 6) return undefined;
  const own = podCIDRs.flatMap(text => parseCidr(text) ?? []).find(({ family }) => family === 6);
  return own && gatewayOf(own);
}

export function tunnelRemoval(dev: string, { to, via }: Gateway): NetlinkOp[] {
  const mac = macOfTunnel(via);
  const route: NetlinkOp = { op: 'route.delete', to, via, ifMissing: 'ignore' };
  if (!mac) return [route];
  return [
    // to nowhere in particular: the entry with all its destinations
    { op: 'fdb.delete', dev, mac, to: '0.0.0.0', ifMissing: 'ignore' },
    { op: 'neighbour.delete', dev, address: via, mac, ifMissing: 'ignore' },
    route,
  ];
}

/** In one trip; when something is refused, one by one, so that it concerns nobody else. @returns problems, in words */
export async function changeAll(changes: readonly NetlinkOp[][]): Promise<string[]> {
  if (changes.length === 0) return [];
  try {
    await netlink(null, changes.flat());
    return [];
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
  }
  const problems: string[] = [];
  for (const change of changes)
    await netlink(null, change).catch((error: unknown) => void problems.push(describe(error)));
  return problems;
}

export async function findLink(name: string): Promise<LinkInfo | undefined> {
  return (await list<LinkInfo>('link.list')).find(link => link.name === name);
}

/** Routes that have a gateway. */
export async function gatewayRoutes(): Promise<(Gateway & { readonly dev?: number })[]> {
  const routes = await list<RouteInfo>('route.list');
  return routes.flatMap(({ to, via, dev }) => (via ? [{ to, via, ...(dev !== undefined && { dev }) }] : []));
}

async function list<T>(op: 'link.list' | 'route.list'): Promise<T[]> {
  return (await netlink(null, [{ op }]))[0] as T[];
}
