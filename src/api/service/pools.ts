/**
 * The pools that Services draw from: cluster addresses of each family that the cluster has, and node ports. The low end of each
 * is for those that ask for a certain one; what is given out without being asked comes from above it, as in Kubernetes. Pure.
 */
import { type Cidr, contains, parseCidr, parseIp, sizeOf } from '../../base/cidr.js';
import { addressAt, clusterAddressesOf, defaultServiceCidr } from '../../base/service-cidr.js';

export type Family = 'IPv4' | 'IPv6';

export interface ServicePools {
  /** One or two, of different families: Services get addresses of the first one unless they ask for the other. */
  readonly ranges: readonly Cidr[];
  readonly nodePorts: PortRange;
}

interface PortRange {
  readonly first: number;
  readonly last: number;
}

export const defaultNodePorts: PortRange = { first: 30_000, last: 32_767 };
export const defaultPools: ServicePools = {
  ranges: [parseCidr(defaultServiceCidr) as Cidr],
  nodePorts: defaultNodePorts,
};

export const familyOf = (address: string): Family => (address.includes(':') ? 'IPv6' : 'IPv4');
export const rangeFamily = ({ family }: Cidr): Family => (family === 4 ? 'IPv4' : 'IPv6');
export const otherFamily = (family: Family): Family => (family === 'IPv4' ? 'IPv6' : 'IPv4');

/** The cluster's families, its default first. */
export const familiesOf = ({ ranges }: ServicePools): Family[] => ranges.map(rangeFamily);

export const rangeOf = ({ ranges }: ServicePools, family: Family): Cidr | undefined =>
  ranges.find(range => rangeFamily(range) === family);

/** Of a huge range of IPv6 this many are enough. */
const mostAddresses = 2n ** 48n;

/** How many have a place, from 0: the network itself and, of IPv4, the broadcast address are not given out. */
const placesIn = (range: Cidr): number => {
  const all = sizeOf(range) - (range.family === 4 ? 1n : 0n);
  return Number(all < mostAddresses ? all : mostAddresses);
};

/** A sixteenth, from 16 to 256: for those who ask. */
const staticAddresses = (places: number): number => Math.min(Math.max(16, Math.floor((places + 1) / 16)), 256, places);
/** A 32nd, from 16 to 128. */
const staticPorts = (count: number): number =>
  count < 32 ? Math.min(16, count) : Math.min(Math.max(16, Math.floor(count / 32)), 128);

/** A free address, or undefined when all are taken; @param random in [0, 1). */
export function pickAddress(
  range: Cidr,
  isTaken: (address: string) => boolean,
  random: () => number,
): string | undefined {
  const { dns } = clusterAddressesOf(range);
  const isFree = (place: number): boolean => {
    const address = addressAt(range, BigInt(place));
    return address !== dns && !isTaken(address);
  };
  const places = placesIn(range);
  const split = staticAddresses(places);
  const place = pick(split, places, isFree, random) ?? pick(1, split, isFree, random);
  return place === undefined ? undefined : addressAt(range, BigInt(place));
}

/** A free node port, or undefined. */
export function pickNodePort(
  { first, last }: PortRange,
  isTaken: (port: number) => boolean,
  random: () => number,
): number | undefined {
  const isFree = (port: number): boolean => !isTaken(port);
  const split = first + staticPorts(last - first + 1);
  return pick(split, last + 1, isFree, random) ?? pick(first, split, isFree, random);
}

/** The first free number at or after a random one, once round. */
function pick(from: number, to: number, isFree: (value: number) => boolean, random: () => number): number | undefined {
  const start = Math.floor(random() * (to - from));
  for (let step = 0; step < to - from; step++) {
    const value = from + ((start + step) % (to - from));
    if (isFree(value)) return value;
  }
  return undefined;
}

/** Whether an address may be a Service's. */
export function isServiceAddress(range: Cidr, address: string): boolean {
  if (!contains(range, address)) return false;
  const place = (parseIp(address) ?? 0n) - range.first;
  return place > 0n && (range.family === 6 || place < sizeOf(range) - 1n);
}

export const isNodePort = ({ first, last }: PortRange, port: number): boolean => port >= first && port <= last;
