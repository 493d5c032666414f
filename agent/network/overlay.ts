/**
 * How the pods of other nodes are reached, from Node objects alone: one route per range, and for VXLAN where its frames go.
 * A tunnel's end needs no announcement: its address is the first of its node's range, and its MAC comes from that. Pure.
 */
import { type Cidr, contains, familyOf, formatIp, overlaps, parseCidr } from '../../src/base/cidr.js';
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
export function tunnelMac(range: Cidr): string {
  const address = range.first & 0xffff_ffffn;
  return [
    '0a',
    '58',
    ...[24n, 16n, 8n, 0n].map(shift => ((address >> shift) & 255n).toString(16).padStart(2, '0')),
  ].join(':');
}

export const tunnelAddress = (range: Cidr): string => formatIp(range.family, range.first);

export interface Self {
  readonly name: string;
  readonly podCIDRs: readonly string[];
  readonly clusterCIDRs: readonly string[];
}

/** Of two Nodes that claim one range the older has it; this node has its own in any case. */
export function pathsTo(nodes: readonly Node[], self: Self): Paths {
  const taken = self.podCIDRs.flatMap(text => (parseCidr(text) ? [{ range: parseCidr(text)!, node: self.name }] : []));
  const paths: Path[] = [];
  const problems: string[] = [];
  for (const node of nodes.filter(({ metadata }) => metadata.name !== self.name).sort(byAge)) {
    const ranges = (node.spec?.podCIDRs ?? []).flatMap(text => parseCidr(text) ?? []);
    const mac = ranges[0] && tunnelMac(ranges[0]);
    for (const range of ranges) {
      const address = addressOf(node, self);
      const other = taken.find(one => overlaps(one.range, range));
      if (other) problems.push(overlapText(node, range, other));
      if (other || !address || !mac) continue;
      taken.push({ range, node: node.metadata.name });
      const to = `${tunnelAddress(range)}/${range.length}`;
      paths.push({ node: node.metadata.name, to, address, tunnel: tunnelAddress(range), mac });
    }
  }
  return { paths, problems };
}

const overlapText = (node: Node, range: Cidr, other: { range: Cidr; node: string }): string =>
  `podCIDR ${tunnelAddress(range)}/${range.length} of Node "${node.metadata.name}" overlaps with ${tunnelAddress(other.range)}/${other.range.length} of Node "${other.node}"`;

/** Undefined for a node without an address of its own: one in namespaces, whose only address is its bridge's. */
function addressOf({ status }: Node, { clusterCIDRs }: Self): string | undefined {
  const ranges = clusterCIDRs.flatMap(text => parseCidr(text) ?? []);
  return status?.addresses?.find(
    ({ type, address }) =>
      type === 'InternalIP' && familyOf(address) === 4 && !ranges.some(range => contains(range, address)),
  )?.address;
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
