/**
 * Keeps the kernel at what `pathsTo` says: VXLAN or plain routes. What is there is read off the routes. Nothing is made as
 * long as this is the only node.
 */
import { difference } from '../../cni/tunnel.js';
import {
  changeAll,
  findLink,
  gatewayRoutes,
  raiseTunnel,
  type Tunnel,
  tunnelAddition,
  tunnelRemoval,
} from '../../cni/vxlan.js';
import { type NetlinkOp, netlink } from '../../native/index.js';
import { type Cidr, contains, parseCidr } from '../../src/base/cidr.js';
import type { OverlayMode, Path } from './overlay.js';

const tunnelLink = 'keelson.vx';
const vxlan = { link: tunnelLink, id: 1, port: 8472 } as const;

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
  if (mode === 'vxlan' && paths.length > 0) await raiseTunnel(tunnelOf(settings));
  if (mode === 'host-gw') await netlink(null, [{ op: 'link.delete', name: tunnelLink, ifMissing: 'ignore' }]);
  const there = (await ownRoutes(settings)).filter(({ tunnelled }) => tunnelled === (mode === 'vxlan'));
  const nextHop = (path: Path): string => (mode === 'vxlan' ? path.tunnel : path.address);
  const { add, remove } = difference(paths, there, nextHop);
  // frames of a node whose own address has changed go elsewhere, by the same route
  const refresh = mode === 'vxlan' ? paths : add;
  await changeAll(remove.map(route => removal(mode, route)));
  return changeAll(refresh.map(path => addition(settings, path)));
}

/** Everything of ours, whatever made it. */
export async function removePaths(settings: Omit<OverlaySettings, 'mode' | 'mtu' | 'address'>): Promise<void> {
  await netlink(null, [{ op: 'link.delete', name: tunnelLink, ifMissing: 'ignore' }]);
  await changeAll((await ownRoutes(settings)).map(route => removal('host-gw', route)));
}

function tunnelOf({ address, mtu, podCIDRs }: OverlaySettings): Tunnel {
  return { ...vxlan, address, mtu, ranges: rangesOf(podCIDRs) };
}

function addition({ mode, podCIDRs }: OverlaySettings, path: Path): NetlinkOp[] {
  if (mode === 'host-gw') return [{ op: 'route.replace', to: path.to, via: path.address }];
  return tunnelAddition(tunnelLink, podCIDRs, path);
}

const rangesOf = (texts: readonly string[]): Cidr[] => texts.flatMap(text => parseCidr(text) ?? []);

function removal(mode: OverlayMode, route: { readonly to: string; readonly via: string }): NetlinkOp[] {
  if (mode === 'vxlan') return tunnelRemoval(tunnelLink, route);
  return [{ op: 'route.delete', to: route.to, via: route.via, ifMissing: 'ignore' }];
}

/** Routes into the cluster's ranges over a gateway: with an overlay of ours nobody else makes any. */
async function ownRoutes({
  podCIDRs,
  clusterCIDRs,
}: Pick<OverlaySettings, 'podCIDRs' | 'clusterCIDRs'>): Promise<OwnRoute[]> {
  const tunnel = (await findLink(tunnelLink))?.index;
  const ranges = rangesOf(clusterCIDRs);
  return (await gatewayRoutes())
    .filter(({ to }) => !podCIDRs.includes(to) && ranges.some(range => contains(range, to.split('/')[0] ?? '')))
    .map(({ to, via, dev }) => ({ to, via, tunnelled: tunnel !== undefined && dev === tunnel }));
}
