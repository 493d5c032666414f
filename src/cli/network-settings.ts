/** Flags about the network of pods: addresses are of one family, or of both, of which the first one is the primary. */
import { isIP } from 'node:net';
import { type OverlayMode, overlayModes } from '../../agent/network/overlay.js';
import { type Cidr, familyOf, formatCidr, overlaps, parseCidr, parseIp, sizeOf } from '../base/cidr.js';
import { UserError } from '../base/errors.js';

export interface NetworkSettings {
  /** Undefined: the controller hands them out. */
  readonly podCIDRs: readonly string[] | undefined;
  readonly clusterCIDRs: readonly string[];
  /** Prefix length of the range that a node is given, by family. */
  readonly nodeMaskSizes: Readonly<Record<4 | 6, number>>;
  readonly overlay: OverlayMode;
  /** Undefined: the machine's first addresses. */
  readonly nodeIPs: readonly string[] | undefined;
  /** Where the API is served. */
  readonly bindAddress: string;
}

export interface NetworkFlags {
  podCidr?: string;
  clusterCidr?: string;
  nodeCidrMaskSize?: string | number;
  nodeCidrMaskSizeIpv6?: string | number;
  overlay?: string;
  nodeIp?: string;
  bindAddress?: string;
}

const defaultClusterCidr = '10.244.0.0/16';

export const networkFlags: readonly (readonly [name: string, flags: string, description: string])[] = [
  ['pod-cidr', '--pod-cidr <cidrs>', 'addresses of the pods of this node (default: as the controller says)'],
  [
    'cluster-cidr',
    '--cluster-cidr <cidrs>',
    `addresses of all pods, not masqueraded among each other: a range, or one of IPv4 and one of IPv6, the primary one first (default ${defaultClusterCidr})`,
  ],
  [
    'node-cidr-mask-size',
    '--node-cidr-mask-size <n>',
    'prefix length of the IPv4 range of --cluster-cidr that each node is given (default 24)',
  ],
  ['node-cidr-mask-size-ipv6', '--node-cidr-mask-size-ipv6 <n>', 'the same of the IPv6 range (default 64)'],
  [
    'overlay',
    '--overlay <mode>',
    `how pods of other nodes are reached: ${overlayModes.join(', ')} (default vxlan; host-gw: nodes are neighbours)`,
  ],
  [
    'node-ip',
    '--node-ip <addresses>',
    'address by which other nodes reach this one, or one of each family (default: the first of the machine)',
  ],
  [
    'bind-address',
    '--bind-address <address>',
    'where the API is served; 0.0.0.0 for other machines (default 127.0.0.1)',
  ],
];

/** Those that are numbers. */
export const numericNetworkFlags: readonly string[] = ['node-cidr-mask-size', 'node-cidr-mask-size-ipv6'];

/** @param serviceCIDRs checked @throws UserError naming flag, value and what is allowed */
export function networkSettings(f: NetworkFlags, serviceCIDRs: readonly string[]): NetworkSettings {
  const services = serviceCIDRs.flatMap(text => parseCidr(text) ?? []);
  const cluster = ranges('--cluster-cidr', f.clusterCidr ?? defaultClusterCidr, services);
  refuseUnreachable(cluster, services[0], f.clusterCidr);
  const own = f.podCidr === undefined ? undefined : ranges('--pod-cidr', f.podCidr, services);
  if (own && familiesOf(own) !== familiesOf(cluster))
    throw new UserError(
      `--pod-cidr "${f.podCidr}": must be of the same families as --cluster-cidr "${cluster.map(formatCidr).join(',')}", in the same order`,
    );
  return {
    podCIDRs: own?.map(formatCidr),
    clusterCIDRs: cluster.map(formatCidr),
    nodeMaskSizes: {
      4: maskSize('--node-cidr-mask-size', f.nodeCidrMaskSize, cluster, 4),
      6: maskSize('--node-cidr-mask-size-ipv6', f.nodeCidrMaskSizeIpv6, cluster, 6),
    },
    overlay: overlayOf(f.overlay ?? 'vxlan'),
    nodeIPs: f.nodeIp === undefined ? undefined : addresses('--node-ip', f.nodeIp),
    bindAddress: address('--bind-address', f.bindAddress ?? '127.0.0.1'),
  };
}

/** Pods of one family could not even ask for a name where Services have only the other. */
function refuseUnreachable(cluster: readonly Cidr[], services: Cidr | undefined, value: string | undefined): void {
  if (value === undefined || !services || cluster.some(({ family }) => family === services.family)) return;
  const [family = 4] = cluster.map(range => range.family);
  const example = family === 6 ? 'fd00:10:96::/112' : '10.96.0.0/12';
  throw new UserError(
    `--service-cidr "${formatCidr(services)}": must begin with an IPv${family} range such as ${example}, because pods have IPv${family} only (--cluster-cidr "${value}")`,
  );
}

const familiesOf = (all: readonly Cidr[]): string => all.map(({ family }) => family).join();

/** Shortest and longest prefix of a range that is of use, and how long a node's share is if nobody says. */
const lengths = { 4: { min: 8, max: 29, share: 24 }, 6: { min: 16, max: 125, share: 64 } } as const;

function ranges(flag: string, value: string, services: readonly Cidr[]): Cidr[] {
  const refused = (why: string): UserError => new UserError(`${flag} "${value}": ${why}`);
  const all = value.split(',').map(text => {
    const range = parseCidr(text);
    if (range && range.length >= lengths[range.family].min && range.length <= lengths[range.family].max) return range;
    throw refused(
      hostBits(text) ??
        'must be an IPv4 range such as 10.244.0.0/16 (/8 to /29), an IPv6 range such as fd00:10:244::/56 (/16 to /125), or one of each with a comma between',
    );
  });
  if (all.length > 2 || (all.length === 2 && all[0]?.family === all[1]?.family))
    throw refused('must be one range, or two of different families');
  for (const range of all) {
    const other = services.find(one => overlaps(one, range));
    if (other) throw refused(`${formatCidr(range)} overlaps --service-cidr ${formatCidr(other)}`);
  }
  return all;
}

/** `10.244.0.5/16` was meant as the range that it is in. */
function hostBits(text: string): string | undefined {
  const [address = '', length = ''] = text.split('/');
  const value = parseIp(address);
  const range = { family: familyOf(address), length: Number(length) };
  if (value === undefined || !/^\d{1,3}$/.test(length) || range.length > (range.family === 4 ? 32 : 128))
    return undefined;
  const first = value - (value % sizeOf(range));
  return first === value ? undefined : `host bits are set; the range is ${formatCidr({ ...range, first })}`;
}

function maskSize(flag: string, value: string | number | undefined, cluster: readonly Cidr[], family: 4 | 6): number {
  const { share, max } = lengths[family];
  const min = cluster.find(range => range.family === family)?.length ?? lengths[family].min;
  const size = Number(value ?? Math.max(share, min));
  if (Number.isInteger(size) && size >= min && size <= max) return size;
  throw new UserError(`${flag} "${value}": must be a whole number from ${min} to ${max}`);
}

function overlayOf(value: string): OverlayMode {
  const found = overlayModes.find(mode => mode === value);
  if (found) return found;
  throw new UserError(`--overlay "${value}": must be one of ${overlayModes.join(', ')}`);
}

function addresses(flag: string, value: string): string[] {
  const all = value.split(',').map(text => address(flag, text));
  if (all.length <= 2 && new Set(all.map(familyOf)).size === all.length) return all;
  throw new UserError(`${flag} "${value}": must be one address, or two of different families`);
}

function address(flag: string, value: string): string {
  if (isIP(value) && !value.includes('%')) return value;
  throw new UserError(
    `${flag} "${value}": must be an IPv4 address such as 192.0.2.10, or an IPv6 address such as 2001:db8::10`,
  );
}
