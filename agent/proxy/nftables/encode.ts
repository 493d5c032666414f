/** Addresses, ports and slots as nftables compares them: bytes, each part padded to four. Pure. */
import { endianness } from 'node:os';
import type { Protocol } from '../contract.js';

export const protocolNumbers: Readonly<Record<Protocol, number>> = { tcp: 6, udp: 17, sctp: 132 };

/** @param address IPv4 or IPv6, as Kubernetes has validated it */
export function addressBytes(address: string): Buffer {
  return address.includes(':') ? ipv6Bytes(address) : ipv4Bytes(address);
}

/** By character: a table of 10,000 Services has 50,000 of them, and this is what its making consists of. */
function ipv4Bytes(address: string): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  let part = 0;
  let at = 0;
  for (let i = 0; i < address.length; i++) {
    const digit = address.charCodeAt(i) - 48;
    if (digit >= 0) part = part * 10 + digit;
    else {
      bytes[at++] = part;
      part = 0;
    }
  }
  bytes[at] = part;
  return bytes;
}

/** One part after another. */
export function joined(...parts: readonly Uint8Array[]): Buffer {
  let size = 0;
  for (const part of parts) size += part.length;
  const bytes = Buffer.allocUnsafe(size);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function ipv6Bytes(address: string): Buffer {
  const plain = address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a, b, c, d) =>
    [(Number(a) << 8) | Number(b), (Number(c) << 8) | Number(d)].map(word => word.toString(16)).join(':'),
  );
  const [head = '', tail] = plain.split('::');
  const words = (text: string) => (text === '' ? [] : text.split(':').map(word => Number.parseInt(word, 16)));
  const before = words(head);
  const after = tail === undefined ? [] : words(tail);
  const all = tail === undefined ? before : [...before, ...Array(8 - before.length - after.length).fill(0), ...after];
  const bytes = Buffer.alloc(16);
  for (const [i, word] of all.entries()) bytes.writeUInt16BE(word, i * 2);
  return bytes;
}

const protocols = Object.fromEntries(
  Object.entries(protocolNumbers).map(([protocol, number]) => [protocol, Buffer.from([number, 0, 0, 0])]),
);
export const protocolBytes = (protocol: Protocol): Buffer => protocols[protocol] as Buffer;

export const portBytes = (port: number): Buffer => Buffer.from([port >> 8, port & 255, 0, 0]);

const little = endianness() === 'LE';

/** A number that the kernel made itself, so in its own byte order. */
export function slotBytes(slot: number): Buffer {
  const bytes = Buffer.alloc(4);
  if (little) bytes.writeUInt32LE(slot);
  else bytes.writeUInt32BE(slot);
  return bytes;
}

/** First and last address of a CIDR. */
export function rangeBytes(cidr: string): { first: Buffer; last: Buffer } {
  const [address = '', length] = cidr.split('/');
  const first = addressBytes(address);
  const last = Buffer.from(first);
  const prefix = length === undefined ? first.length * 8 : Number(length);
  for (let i = 0; i < first.length; i++) {
    const kept = Math.max(0, Math.min(8, prefix - i * 8));
    const mask = (0xff << (8 - kept)) & 0xff;
    first[i] = (first[i] ?? 0) & mask;
    last[i] = (last[i] ?? 0) | (~mask & 0xff);
  }
  return { first, last };
}
