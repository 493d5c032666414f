/** Ranges of pod addresses of either family: pure. */
import { bitsOf, type Cidr, familyOf, formatCidr, formatIp, parseCidr, parseIp, sizeOf } from '../src/base/cidr.js';
import { CniError } from './contract.js';

/** @throws CniError 7 naming the text and what is allowed */
export function parseRange(text: string, name: string): Cidr {
  const range = parseCidr(text);
  if (range) return range;
  const [address = '', length = ''] = text.split('/');
  const first = parseIp(address);
  const family = familyOf(address);
  if (first === undefined || !/^\d{1,3}$/.test(length) || Number(length) > bitsOf(family))
    throw refused(name, text, 'expected a range such as "10.244.0.0/24" or "fd00:10:244::/64"');
  const network = first - (first % sizeOf({ family, length: Number(length) }));
  const right = formatCidr({ family, first: network, length: Number(length) });
  throw refused(name, text, `host bits are set; the range is "${right}"`);
}

/** One range, or one of each family: the first is the primary one. @throws CniError 7 */
export function parseRanges(texts: readonly string[], name: string): Cidr[] {
  const ranges = texts.map(text => parseRange(text, name));
  if (ranges.length === 0) throw refused(name, '', 'expected a range such as "10.244.0.0/24"');
  if (new Set(ranges.map(({ family }) => family)).size === ranges.length) return ranges;
  throw refused(name, texts.join(','), 'expected one range, or one of IPv4 and one of IPv6');
}

function refused(name: string, text: string, allowed: string): CniError {
  return new CniError(7, `Cannot use ${name} "${text}"`, allowed);
}

/** The first usable address of a node's pod range: it lives on the bridge. */
export const gatewayOf = (range: Cidr): string => formatIp(range.family, range.first + 1n);

/** Addresses that pods may have: neither network nor gateway, nor the broadcast address that IPv4 has. */
export function podAddresses(range: Cidr): { readonly first: bigint; readonly last: bigint; readonly count: bigint } {
  const first = range.first + 2n;
  const last = range.first + sizeOf(range) - (range.family === 4 ? 2n : 1n);
  return { first, last, count: last < first ? 0n : last - first + 1n };
}

/** Round robin: the next free pod address after `previous`, so that one given back is used again last. Undefined if full. */
export function nextFree(
  range: Cidr,
  previous: bigint | undefined,
  taken: { has(address: bigint): boolean },
): bigint | undefined {
  const { first, last, count } = podAddresses(range);
  const start = previous !== undefined && previous >= first && previous < last ? previous + 1n : first;
  for (let i = 0n; i < count; i++) {
    const candidate = first + ((start - first + i) % count);
    if (!taken.has(candidate)) return candidate;
  }
  return undefined;
}

/**
 * A MAC that comes from an address, so that everybody can tell it: of IPv4 from all of it, of IPv6 from the last bits that
 * tell one node's range from another's.
 * @param host the n-th address of the range
 */
export function rangeMac(range: Cidr, host: bigint): string {
  const network = range.first >> BigInt(bitsOf(range.family) - range.length);
  const value = range.family === 4 ? range.first + host : network * 2n + host;
  return ['0a', '58', ...[24n, 16n, 8n, 0n].map(shift => ((value >> shift) & 255n).toString(16).padStart(2, '0'))].join(
    ':',
  );
}

/** The bridge's own: one without takes the lowest of its ports' and breaks the neighbours' caches. */
export const bridgeMac = (range: Cidr): string => rangeMac(range, 1n);
