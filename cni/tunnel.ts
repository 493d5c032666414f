/**
 * How one node's tunnel knows the others' without any announcement: the MAC of a tunnel's end comes from the first range of
 * its node, and its address from that range or (of IPv6) from that MAC. Pure.
 */
import { type Cidr, familyOf, formatIp, parseIp } from '../src/base/cidr.js';
import { rangeMac } from './ranges.js';

/** One range of another node. */
export interface TunnelPath {
  readonly to: string;
  /** The node's own address. */
  readonly address: string;
  /** Its tunnel's end. */
  readonly tunnel: string;
  readonly mac: string;
}

/** A range, and over which gateway there is a route to it. */
export interface Gateway {
  readonly to: string;
  readonly via: string;
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

/** What to change in the kernel so that it has what is wanted. `there`: ranges and gateways of routes that are ours. */
export function difference<P extends TunnelPath>(
  wanted: readonly P[],
  there: readonly Gateway[],
  gatewayOf: (path: P) => string,
): { readonly add: readonly P[]; readonly remove: readonly Gateway[] } {
  const key = (to: string, via: string): string => `${to} ${via}`;
  const has = new Set(there.map(({ to, via }) => key(to, via)));
  const ranges = new Set(wanted.map(({ to }) => to));
  return {
    add: wanted.filter(path => !has.has(key(path.to, gatewayOf(path)))),
    // one with another gateway is replaced
    remove: there.filter(({ to }) => !ranges.has(to)),
  };
}
