/** Addresses and ranges of IPv4 and IPv6 as whole numbers. Pure. */
import { isIPv4, isIPv6 } from 'node:net';

export interface Cidr {
  readonly family: 4 | 6;
  readonly first: bigint;
  /** Prefix length. */
  readonly length: number;
}

export const bitsOf = (family: 4 | 6): number => (family === 4 ? 32 : 128);
export const familyOf = (text: string): 4 | 6 => (text.includes(':') ? 6 : 4);

/** Undefined for what is no range, or has bits set beyond its prefix. */
export function parseCidr(text: string): Cidr | undefined {
  const [address = '', prefix = ''] = text.split('/');
  const first = parseIp(address);
  if (first === undefined || !/^\d{1,3}$/.test(prefix)) return undefined;
  const family = familyOf(address);
  const length = Number(prefix);
  if (length > bitsOf(family) || first % sizeOf({ family, length }) !== 0n) return undefined;
  return { family, first, length };
}

export function parseIp(text: string): bigint | undefined {
  if (isIPv4(text)) return text.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n);
  if (!isIPv6(text) || text.includes('%')) return undefined;
  return groupsOf(text).reduce((sum, group) => sum * 65_536n + BigInt(group), 0n);
}

function groupsOf(text: string): number[] {
  const plain = text.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...parts: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = parts.map(Number);
    return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  });
  const [head = '', tail] = plain.split('::');
  const numbers = (part: string): number[] =>
    part === '' ? [] : part.split(':').map(group => Number.parseInt(group, 16));
  const [front, back] = [numbers(head), numbers(tail ?? '')];
  return [...front, ...Array<number>(8 - front.length - back.length).fill(0), ...back];
}

/** IPv6 as RFC 5952 has it: the longest run of zero groups, of two at least, is left out. */
export function formatIp(family: 4 | 6, address: bigint): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map(shift => (address >> shift) & 255n).join('.');
  const groups = Array.from({ length: 8 }, (_, i) => ((address >> BigInt(112 - 16 * i)) & 65_535n).toString(16)).join(
    ':',
  );
  const runs = [...groups.matchAll(/(?:^|:)0(?::0)+(?=:|$)/g)].sort((a, b) => b[0].length - a[0].length);
  const run = runs[0];
  if (!run) return groups;
  return `${groups.slice(0, run.index)}::${groups.slice(run.index + run[0].length).replace(/^:/, '')}`;
}

export const sizeOf = ({ family, length }: Pick<Cidr, 'family' | 'length'>): bigint =>
  1n << BigInt(bitsOf(family) - length);

export const formatCidr = ({ family, first, length }: Cidr): string => `${formatIp(family, first)}/${length}`;

export const overlaps = (a: Cidr, b: Cidr): boolean =>
  a.family === b.family && a.first < b.first + sizeOf(b) && b.first < a.first + sizeOf(a);

export const contains = (range: Cidr, address: string): boolean => {
  const value = parseIp(address);
  return (
    value !== undefined &&
    familyOf(address) === range.family &&
    value >= range.first &&
    value < range.first + sizeOf(range)
  );
};

/** The n-th range of `length` within another. */
export const subrange = ({ family, first }: Cidr, length: number, n: number): Cidr => ({
  family,
  first: first + BigInt(n) * sizeOf({ family, length }),
  length,
});
