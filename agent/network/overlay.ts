/** How the pods of other nodes are reached, from Node objects alone: one route per range, and for VXLAN where its frames go. Pure. */
import { type TunnelPath, tunnelAddress, tunnelMac } from '../../cni/tunnel.js';
import { type Cidr, contains, familyOf, formatCidr, overlaps, parseCidr } from '../../src/base/cidr.js';
import type { Node } from '../../src/kube/node.js';

export const overlayModes = ['vxlan', 'host-gw', 'none'] as const;
export type OverlayMode = (typeof overlayModes)[number];

/** One range of another node. */
export interface Path extends TunnelPath {
  readonly node: string;
}

export interface Paths {
  readonly paths: readonly Path[];
  /** Nodes that cannot be reached, and why, in words. */
  readonly problems: readonly string[];
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
