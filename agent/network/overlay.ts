/**
 * How the pods of other nodes are reached, from Node objects alone: one route per range, and for VXLAN where its frames go.
 * A tunnel's end needs no announcement: its MAC comes from the first range of its node, and its address from that range or
 * (of IPv6) from that MAC. Pure.
 */
import { rangeMac } from '../../cni/ranges.js';
import {
  type Cidr,
  contains,
  familyOf,
  formatCidr,
  formatIp,
  overlaps,
  parseCidr,
  parseIp,
} from '../../src/base/cidr.js';
import type { Node } from '../../src/kube/node.js';

export const overlayModes = ['vxlan', 'host-gw', 'none'] as const;
export type OverlayMode = (typeof overlayModes)[number];

/** One range of another node. */
export interface Path {
  readonly node: string;
  readonly to: string;
  /** The node's own address. */
  readonly address: string;
  /** Its tunnel's end. */
  readonly tunnel: string;
  readonly mac: string;
}

export interface Paths {
  readonly paths: readonly Path[];
  /** Nodes that cannot be reached, and why, in words. */
  readonly problems: readonly string[];
}

/** `10.244.3.0/24` → `0a:58:0a:f4:03:00`: of the same make as the bridges' own, which end in their gateway's address. */
export const tunnelMac = (range: Cidr): string => rangeMac(range, 0n);

/** Of IPv4 the first of the range, which nobody else has; of IPv6 what a link with that MAC gives itself (RFC 4291). */
export function tunnelAddress(range: Cidr, mac: string): string {
  if (range.family === 4) return formatIp(4, range.first);
  const bytes = mac.split(':').map(part => Number.parseInt(part, 16));
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = bytes;
  const value = [a ^ 2, b, c, 0xff, 0xfe, d, e, f].reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
  return formatIp(6, (0xfe80n << 112n) + value);
}

/** Whose address that is. */
export function macOfTunnel(address: string): string | undefined {
  const value = parseIp(address);
  if (value === undefined) return undefined;
  if (familyOf(address) === 4) return tunnelMac({ family: 4, first: value, length: 32 });
  const bytes = [56n, 48n, 40n, 16n, 8n, 0n].map(shift => Number((value >> shift) & 255n));
  return bytes.map((byte, i) => (i === 0 ? byte ^ 2 : byte).toString(16).padStart(2, '0')).join(':');
}

export interface Self {
  readonly name: string;
  readonly podCIDRs: readonly string[];
  readonly clusterCIDRs: readonly string[];
  /** By what tunnels go from node to node. Undefined: there are none, packets go as they are. */
  readonly tunnelFamily?: 4 | 6 | undefined;
}

/** Of two Nodes that claim one range the older has it; this node has its own in any case. */
export function pathsTo(nodes: readonly Node[], self: Self): Paths {
  const taken = self.podCIDRs.flatMap(text => (parseCidr(text) ? [{ range: parseCidr(text)!, node: self.name }] : []));
  const paths: Path[] = [];
  const problems: string[] = [];
  for (const node of nodes.filter(({ metadata }) => metadata.name !== self.name).sort(byAge)) {
    const ranges = (node.spec?.podCIDRs ?? []).flatMap(text => parseCidr(text) ?? []);
    const mac = ranges[0] && tunnelMac(ranges[0]);
    const addresses = addressesOf(node, self);
    for (const range of ranges) {
      const family = self.tunnelFamily ?? range.family;
      const address = addresses.find(one => familyOf(one) === family);
      const other = taken.find(one => overlaps(one.range, range));
      if (other) problems.push(overlapText(node, range, other));
      else if (!address && addresses.length > 0) problems.push(strangerText(node, range, family));
      if (other || !address || !mac) continue;
      taken.push({ range, node: node.metadata.name });
      paths.push({ node: node.metadata.name, to: formatCidr(range), address, tunnel: tunnelAddress(range, mac), mac });
    }
  }
  return { paths, problems };
}

const overlapText = (node: Node, range: Cidr, other: { range: Cidr; node: string }): string =>
  `podCIDR ${formatCidr(range)} of Node "${node.metadata.name}" overlaps with ${formatCidr(other.range)} of Node "${other.node}"`;

const strangerText = (node: Node, range: Cidr, family: 4 | 6): string =>
  `podCIDR ${formatCidr(range)} of Node "${node.metadata.name}" cannot be reached: that node has no IPv${family} address`;

/** None of a node without an address of its own: one in namespaces, whose only addresses are its bridge's. */
function addressesOf({ status }: Node, { clusterCIDRs }: Self): string[] {
  const ranges = clusterCIDRs.flatMap(text => parseCidr(text) ?? []);
  const internal = (status?.addresses ?? []).filter(({ type }) => type === 'InternalIP');
  return internal.map(({ address }) => address).filter(address => !ranges.some(range => contains(range, address)));
}

function byAge({ metadata: a }: Node, { metadata: b }: Node): number {
  return (a.creationTimestamp ?? '').localeCompare(b.creationTimestamp ?? '') || a.name.localeCompare(b.name);
}

/** What to change in the kernel so that it has what is wanted. `there`: ranges and gateways of routes that are ours. */
export function difference(
  wanted: readonly Path[],
  there: readonly { readonly to: string; readonly via: string }[],
  gatewayOf: (path: Path) => string,
): { readonly add: readonly Path[]; readonly remove: readonly { readonly to: string; readonly via: string }[] } {
  const key = (to: string, via: string): string => `${to} ${via}`;
  const has = new Set(there.map(({ to, via }) => key(to, via)));
  const ranges = new Set(wanted.map(({ to }) => to));
  return {
    add: wanted.filter(path => !has.has(key(path.to, gatewayOf(path)))),
    // one with another gateway is replaced
    remove: there.filter(({ to }) => !ranges.has(to)),
  };
}
