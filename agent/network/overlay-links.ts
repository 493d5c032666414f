/**
 * Keeps the kernel at what `pathsTo` says, over netlink: VXLAN (nothing is flooded or learnt: every entry is permanent) or
 * plain routes. What is there is read off the routes: the last thing made and the last thing removed, so whatever a crash
 * leaves, the next run finds. Nothing is made as long as this is the only node.
 */
import { gatewayOf } from '../../cni/ranges.js';
import { sysctl } from '../../cni/sysctls.js';
import { KernelError, type LinkInfo, type NetlinkOp, netlink, type RouteInfo } from '../../native/index.js';
import { type Cidr, contains, parseCidr } from '../../src/base/cidr.js';
import { describe } from '../../src/base/errors.js';
import { difference, macOfTunnel, type OverlayMode, type Path, tunnelAddress, tunnelMac } from './overlay.js';

export const tunnelLink = 'keelson.vx';
const vxlan = { id: 1, port: 8472 } as const;

export interface OverlaySettings {
  readonly mode: OverlayMode;
  /** This node's own address: where its tunnel ends, and of which family all tunnels are. */
  readonly address: string;
  readonly podCIDRs: readonly string[];
  readonly clusterCIDRs: readonly string[];
  /** Of the tunnel. */
  readonly mtu: number;
}

interface OwnRoute {
  readonly to: string;
  readonly via: string;
  readonly tunnelled: boolean;
}

/** @returns what could not be made, in words */
export async function applyPaths(settings: OverlaySettings, paths: readonly Path[]): Promise<string[]> {
  const { mode } = settings;
  if (mode === 'none') return [];
  const links = await list<LinkInfo>('link.list');
  if (mode === 'vxlan' && paths.length > 0) await raiseTunnel(settings, links);
  if (mode === 'host-gw') await netlink(null, [{ op: 'link.delete', name: tunnelLink, ifMissing: 'ignore' }]);
  const there = (await ownRoutes(settings)).filter(({ tunnelled }) => tunnelled === (mode === 'vxlan'));
  const nextHop = (path: Path): string => (mode === 'vxlan' ? path.tunnel : path.address);
  const { add, remove } = difference(paths, there, nextHop);
  // frames of a node whose own address has changed go elsewhere, by the same route
  const refresh = mode === 'vxlan' ? paths : add;
  await all(remove.map(route => removal(mode, route)));
  return all(refresh.map(path => addition(settings, path)));
}

/** Everything of ours, whatever made it. */
export async function removePaths(settings: Omit<OverlaySettings, 'mode' | 'mtu' | 'address'>): Promise<void> {
  await netlink(null, [{ op: 'link.delete', name: tunnelLink, ifMissing: 'ignore' }]);
  await all((await ownRoutes(settings)).map(route => removal('host-gw', route)));
}

function addition({ mode, podCIDRs }: OverlaySettings, { to, address, tunnel, mac }: Path): NetlinkOp[] {
  if (mode === 'host-gw') return [{ op: 'route.replace', to, via: address }];
  const source = sourceFor(to, podCIDRs);
  return [
    { op: 'fdb.replace', dev: tunnelLink, mac, to: address },
    { op: 'neighbour.replace', dev: tunnelLink, address: tunnel, mac },
    source
      ? { op: 'route.replace', to, via: tunnel, dev: tunnelLink, src: source }
      : { op: 'route.replace', to, via: tunnel, dev: tunnelLink, onlink: true },
  ];
}

/**
 * What the node itself sends to pods of another comes from its own end of the tunnel, which the other knows the way to. The
 * IPv6 address of that end is one that leads nowhere else, so there it is the bridge's.
 */
function sourceFor(to: string, podCIDRs: readonly string[]): string | undefined {
  if (parseCidr(to)?.family !== 6) return undefined;
  const own = rangesOf(podCIDRs).find(({ family }) => family === 6);
  return own && gatewayOf(own);
}

const rangesOf = (texts: readonly string[]): Cidr[] => texts.flatMap(text => parseCidr(text) ?? []);

function removal(mode: OverlayMode, { to, via }: { readonly to: string; readonly via: string }): NetlinkOp[] {
  const mac = macOfTunnel(via);
  const route: NetlinkOp = { op: 'route.delete', to, via, ifMissing: 'ignore' };
  if (mode === 'host-gw' || !mac) return [route];
  return [
    // to nowhere in particular: the entry with all its destinations
    { op: 'fdb.delete', dev: tunnelLink, mac, to: '0.0.0.0', ifMissing: 'ignore' },
    { op: 'neighbour.delete', dev: tunnelLink, address: via, mac, ifMissing: 'ignore' },
    route,
  ];
}

/** In one trip; when something is refused, one by one, so that it concerns nobody else. */
async function all(changes: readonly NetlinkOp[][]): Promise<string[]> {
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

async function raiseTunnel(
  { address: local, podCIDRs, mtu }: OverlaySettings,
  links: readonly LinkInfo[],
): Promise<void> {
  const ranges = rangesOf(podCIDRs);
  const [primary] = ranges;
  if (!primary) return;
  const mac = tunnelMac(primary);
  const found = links.find(({ name }) => name === tunnelLink);
  if (found && (found.kind !== 'vxlan' || found.mac !== mac)) await remove(found);
  const kept = found?.kind === 'vxlan' && found.mac === mac;
  if (!kept) await netlink(null, [{ op: 'vxlan.add', name: tunnelLink, ...vxlan, local, mtu, mac, learning: false }]);
  if (kept && found.up && found.mtu === mtu) return;
  if (ranges.some(({ family }) => family === 6)) await switchTunnel();
  const own = ranges.filter(({ family }) => family === 4).map(range => `${tunnelAddress(range, mac)}/32`);
  await netlink(null, [
    { op: 'link.set', name: tunnelLink, mtu, up: true },
    ...own.map(address => ({ op: 'address.add', dev: tunnelLink, address, ifExists: 'ignore' }) as const),
  ]);
}

/** Before it is up. Nobody else is on it who could have its address, or could tell it anything. */
async function switchTunnel(): Promise<void> {
  const switches = [
    ['accept_ra', '0'],
    ['accept_redirects', '0'],
    ['accept_dad', '0'],
    ['disable_ipv6', '0'],
  ] as const;
  for (const [name, value] of switches) await sysctl(`net/ipv6/conf/${tunnelLink}/${name}`, value);
}

async function remove({ kind }: LinkInfo): Promise<void> {
  if (kind !== 'vxlan')
    throw new Error(`cannot use the link "${tunnelLink}": one of kind "${kind ?? 'physical'}" has that name`);
  await netlink(null, [{ op: 'link.delete', name: tunnelLink, ifMissing: 'ignore' }]);
}

/** Routes into the cluster's ranges over a gateway: with an overlay of ours nobody else makes any. */
async function ownRoutes({
  podCIDRs,
  clusterCIDRs,
}: Pick<OverlaySettings, 'podCIDRs' | 'clusterCIDRs'>): Promise<OwnRoute[]> {
  const links = await list<LinkInfo>('link.list');
  const tunnel = links.find(({ name }) => name === tunnelLink)?.index;
  const ranges = rangesOf(clusterCIDRs);
  const isOurs = ({ to }: RouteInfo): boolean =>
    !podCIDRs.includes(to) && ranges.some(range => contains(range, to.split('/')[0] ?? ''));
  return (await list<RouteInfo>('route.list'))
    .filter(isOurs)
    .flatMap(({ to, via, dev }) => (via ? [{ to, via, tunnelled: tunnel !== undefined && dev === tunnel }] : []));
}

async function list<T>(op: 'link.list' | 'route.list'): Promise<T[]> {
  return (await netlink(null, [{ op }]))[0] as T[];
}
