/**
 * Keeps the kernel at what `pathsTo` says, over netlink: VXLAN (nothing is flooded or learnt: every entry is permanent) or
 * plain routes. What is there is read off the routes: the last thing made and the last thing removed, so whatever a crash
 * leaves, the next run finds. Nothing is made as long as this is the only node.
 */
import { KernelError, type LinkInfo, type NetlinkOp, netlink, type RouteInfo } from '../../native/index.js';
import { contains, parseCidr } from '../../src/base/cidr.js';
import { describe } from '../../src/base/errors.js';
import { difference, type OverlayMode, type Path, tunnelAddress, tunnelMac } from './overlay.js';

export const tunnelLink = 'keelson.vx';
const vxlan = { id: 1, port: 8472 } as const;

export interface OverlaySettings {
  readonly mode: OverlayMode;
  /** This node's own address: where its tunnel ends. */
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
  const gatewayOf = (path: Path): string => (mode === 'vxlan' ? path.tunnel : path.address);
  const { add, remove } = difference(paths, there, gatewayOf);
  // frames of a node whose own address has changed go elsewhere, by the same route
  const refresh = mode === 'vxlan' ? paths : add;
  await all(remove.map(route => removal(mode, route)));
  return all(refresh.map(path => addition(mode, path)));
}

/** Everything of ours, whatever made it. */
export async function removePaths(settings: Omit<OverlaySettings, 'mode' | 'mtu' | 'address'>): Promise<void> {
  await netlink(null, [{ op: 'link.delete', name: tunnelLink, ifMissing: 'ignore' }]);
  await all((await ownRoutes(settings)).map(route => removal('host-gw', route)));
}

function addition(mode: OverlayMode, { to, address, tunnel, mac }: Path): NetlinkOp[] {
  if (mode === 'host-gw') return [{ op: 'route.replace', to, via: address }];
  return [
    { op: 'fdb.replace', dev: tunnelLink, mac, to: address },
    { op: 'neighbour.replace', dev: tunnelLink, address: tunnel, mac },
    { op: 'route.replace', to, via: tunnel, dev: tunnelLink, onlink: true },
  ];
}

function removal(mode: OverlayMode, { to, via }: { readonly to: string; readonly via: string }): NetlinkOp[] {
  const range = parseCidr(to);
  const route: NetlinkOp = { op: 'route.delete', to, via, ifMissing: 'ignore' };
  if (mode === 'host-gw' || !range) return [route];
  const mac = tunnelMac(range);
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
  const range = parseCidr(podCIDRs[0] ?? '');
  if (!range) return;
  const mac = tunnelMac(range);
  const own = `${tunnelAddress(range)}/32`;
  const found = links.find(({ name }) => name === tunnelLink);
  if (found && (found.kind !== 'vxlan' || found.mac !== mac)) await remove(found);
  const kept = found?.kind === 'vxlan' && found.mac === mac;
  if (!kept) await netlink(null, [{ op: 'vxlan.add', name: tunnelLink, ...vxlan, local, mtu, mac, learning: false }]);
  if (kept && found.up && found.mtu === mtu) return;
  await netlink(null, [
    { op: 'link.set', name: tunnelLink, mtu, up: true },
    { op: 'address.add', dev: tunnelLink, address: own, ifExists: 'ignore' },
  ]);
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
  const ranges = clusterCIDRs.flatMap(text => parseCidr(text) ?? []);
  const isOurs = ({ to }: RouteInfo): boolean =>
    !podCIDRs.includes(to) && ranges.some(range => contains(range, to.split('/')[0] ?? ''));
  return (await list<RouteInfo>('route.list'))
    .filter(isOurs)
    .flatMap(({ to, via, dev }) => (via ? [{ to, via, tunnelled: tunnel !== undefined && dev === tunnel }] : []));
}

async function list<T>(op: 'link.list' | 'route.list'): Promise<T[]> {
  return (await netlink(null, [{ op }]))[0] as T[];
}
