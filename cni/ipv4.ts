/** IPv4 ranges as numbers: pure. */
import { CniError } from './contract.js';

/** A range, e.g. `10.244.1.0/24`. Addresses are unsigned 32-bit numbers. */
export interface Range {
  readonly first: number;
  readonly last: number;
  /** Prefix length. */
  readonly length: number;
}

/** @throws CniError 7 naming the text and what is allowed */
export function parseRange(text: string, name: string): Range {
  const match = /^(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})\/(\d{1,2})$/.exec(text);
  const address = match && parseAddress(match[1]!);
  const length = Number(match?.[2]);
  if (address === undefined || address === null || length > 32)
    throw refused(name, text, 'expected an IPv4 range such as "10.244.0.0/24"');
  const size = 2 ** (32 - length);
  if (address % size !== 0)
    throw refused(
      name,
      text,
      `host bits are set; the range is "${formatAddress(address - (address % size))}/${length}"`,
    );
  return { first: address, last: address + size - 1, length };
}

function refused(name: string, text: string, allowed: string): CniError {
  return new CniError(7, `Cannot use ${name} "${text}"`, allowed);
}

/** Undefined if it is not an address. */
export function parseAddress(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || parts.some(part => !/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255))
    return undefined;
  return parts.reduce((value, part) => value * 256 + Number(part), 0);
}

export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map(shift => (address >>> shift) & 255).join('.');
}

/** The first usable address of a node's pod range: it lives on the bridge. */
export function gatewayOf(range: Range): number {
  return range.first + 1;
}

/** Addresses that pods may have: neither network nor gateway nor broadcast. */
export function podAddresses(range: Range): { readonly first: number; readonly last: number; readonly count: number } {
  const first = range.first + 2;
  const last = range.last - 1;
  return { first, last, count: Math.max(0, last - first + 1) };
}

/** Round robin: the next free pod address after `previous`, so that one given back is used again last. Undefined if full. */
export function nextFree(
  range: Range,
  previous: number | undefined,
  taken: { has(address: number): boolean },
): number | undefined {
  const { first, last, count } = podAddresses(range);
  const start = previous !== undefined && previous >= first && previous < last ? previous + 1 : first;
  for (let i = 0; i < count; i++) {
    const candidate = first + ((start - first + i) % count);
    if (!taken.has(candidate)) return candidate;
  }
  return undefined;
}
