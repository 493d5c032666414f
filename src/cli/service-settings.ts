/** Flags about Services. */
import { bitsOf, type Cidr, formatCidr, overlaps, parseCidr } from '../base/cidr.js';
import { UserError } from '../base/errors.js';
import { defaultServiceCidr } from '../base/service-cidr.js';

export interface PortRange {
  readonly first: number;
  readonly last: number;
}

export interface ServiceSettings {
  readonly serviceCIDRs: readonly string[];
  readonly nodePorts: PortRange;
}

const defaultNodePorts = '30000-32767';

export const serviceFlags: readonly (readonly [name: string, flags: string, description: string])[] = [
  [
    'service-cidr',
    '--service-cidr <cidrs>',
    `addresses of Services: a range, or one of IPv4 and one of IPv6, the default family first (default ${defaultServiceCidr})`,
  ],
  [
    'service-node-port-range',
    '--service-node-port-range <range>',
    `ports that Services may open on nodes (default ${defaultNodePorts})`,
  ],
];

/** Throws UserError naming flag, value and what is allowed. */
export function serviceSettings(flags: {
  serviceCidr?: string;
  serviceNodePortRange?: string;
  clusterCidr?: string;
}): ServiceSettings {
  return {
    serviceCIDRs: cidrs(flags.serviceCidr ?? defaultServiceCidr, flags.clusterCidr),
    nodePorts: ports(flags.serviceNodePortRange ?? defaultNodePorts),
  };
}

/** Prefix lengths: the API and the DNS have the 1st and the 10th address, and nobody needs more than 2^64. */
const lengths = { 4: [8, 28], 6: [64, 124] } as const;

function cidrs(value: string, clusterCidr = ''): string[] {
  const parsed = value.split(',').map(text => ({ text, range: parseCidr(text) }));
  const refused = (why: string): UserError => new UserError(`--service-cidr "${value}": ${why}`);
  for (const { text, range } of parsed)
    if (!range || !isAllowed(range))
      throw refused(
        `${text || 'nothing'} must be an IPv4 range such as ${defaultServiceCidr} (/8 to /28) or an IPv6 one such as fd00:10:96::/112 (/64 to /124)`,
      );
  const ranges = parsed.map(({ range }) => range as Cidr);
  if (ranges.length > 2 || (ranges.length === 2 && ranges[0]?.family === ranges[1]?.family))
    throw refused('must be one range, or two of different families');
  const pods = clusterCidr.split(',').flatMap(text => parseCidr(text) ?? []);
  const clash = ranges.find(range => pods.some(other => overlaps(range, other)));
  if (clash) throw refused(`${formatCidr(clash)} overlaps --cluster-cidr "${clusterCidr}"`);
  return ranges.map(formatCidr);
}

const isAllowed = ({ family, length }: Cidr): boolean =>
  length >= lengths[family][0] && length <= lengths[family][1] && length < bitsOf(family);

function ports(value: string): PortRange {
  const [, first = 0, last = 0] = (/^(\d{1,5})-(\d{1,5})$/.exec(value) ?? []).map(Number);
  if (first < 1 || last > 65_535 || first > last)
    throw new UserError(`--service-node-port-range "${value}": must be two ports such as ${defaultNodePorts}`);
  return { first, last };
}
