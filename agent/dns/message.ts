/** Queries and responses as bytes (RFC 1035, EDNS of RFC 6891): the library's codec, and what a server must add to it. Pure. */
import { type Answer, decode, encode, type Packet, type Question, TRUNCATED_RESPONSE } from 'dns-packet';

export const rcodes = {
  noError: 0,
  formatError: 1,
  serverFailure: 2,
  nameError: 3,
  notImplemented: 4,
  refused: 5,
} as const;
export type Rcode = (typeof rcodes)[keyof typeof rcodes];

export interface Query {
  readonly id: number;
  readonly question: Question;
  readonly recursionDesired: boolean;
  /** Bytes that a response by UDP may have. */
  readonly udpSize: number;
  readonly edns: boolean;
}

const headerBytes = 12;
/** Without EDNS (RFC 1035, 4.2.1). */
const smallest = 512;
/** What passes everywhere without fragments (DNS flag day 2020). */
const largest = 1232;

const flagResponse = 0x8000;
const flagAuthoritative = 0x0400;
const flagRecursionDesired = 0x0100;
const flagRecursionAvailable = 0x0080;
const opcodeMask = 0x7800;

/** A query; the code of its refusal; undefined where an answer would only feed a loop. */
export function parseQuery(bytes: Buffer): Query | Rcode | undefined {
  if (bytes.length < headerBytes || bytes.readUInt16BE(2) & flagResponse) return undefined;
  if (bytes.readUInt16BE(2) & opcodeMask) return rcodes.notImplemented;
  try {
    const packet = decode(bytes);
    const [question, second] = packet.questions ?? [];
    if (!question || second) return rcodes.formatError;
    const opt = packet.additionals?.find(record => record.type === 'OPT');
    const size = opt?.type === 'OPT' ? opt.udpPayloadSize : smallest;
    return {
      id: bytes.readUInt16BE(0),
      question,
      recursionDesired: (bytes.readUInt16BE(2) & flagRecursionDesired) !== 0,
      udpSize: Math.min(largest, Math.max(smallest, size)),
      edns: opt !== undefined,
    };
  } catch {
    return rcodes.formatError;
  }
}

export interface Response {
  readonly rcode: Rcode;
  readonly authoritative: boolean;
  readonly answers: readonly Answer[];
  readonly authorities?: readonly Answer[];
  readonly additionals?: readonly Answer[];
}

/** @param limit in bytes: records that do not fit are left out, and the response says that it is cut */
export function encodeResponse(query: Query, response: Response, limit: number): Buffer {
  const whole = write(query, response, 0);
  if (whole.length <= limit) return whole;
  const plain = write(query, { ...response, additionals: [] }, 0);
  if (plain.length <= limit) return plain;
  return write(query, { ...response, answers: [], authorities: [], additionals: [] }, TRUNCATED_RESPONSE);
}

function write(query: Query, response: Response, more: number): Buffer {
  const packet: Packet = {
    type: 'response',
    id: query.id,
    flags:
      more |
      flagRecursionAvailable |
      (response.authoritative ? flagAuthoritative : 0) |
      (query.recursionDesired ? flagRecursionDesired : 0),
    questions: [query.question],
    answers: [...response.answers],
    authorities: [...(response.authorities ?? [])],
    additionals: [...(response.additionals ?? []), ...(query.edns ? [ednsRecord] : [])],
  };
  const bytes = shortenNames(encode(packet));
  bytes.writeUInt16BE((bytes.readUInt16BE(2) & ~0xf) | response.rcode, 2);
  return bytes;
}

const ednsRecord = {
  type: 'OPT',
  name: '.',
  udpPayloadSize: largest,
  extendedRcode: 0,
  ednsVersion: 0,
  flags: 0,
  flag_do: false,
  options: [],
} as unknown as Answer;

/** What cannot be read is answered with its id and its code alone. */
export function encodeRefusal(bytes: Buffer, rcode: Rcode): Buffer {
  const refusal = Buffer.alloc(headerBytes);
  refusal.writeUInt16BE(bytes.readUInt16BE(0), 0);
  refusal.writeUInt16BE(flagResponse | (bytes.readUInt16BE(2) & (opcodeMask | flagRecursionDesired)) | rcode, 2);
  return refusal;
}

/**
 * The name that was asked for, where it owns a record, as two bytes that point to the question (RFC 1035, 4.1.4): the
 * library repeats it, and then a dozen addresses do not fit where musl's resolver, which never asks by TCP, needs them.
 */
function shortenNames(bytes: Buffer): Buffer {
  const asked = nameEnd(bytes, headerBytes);
  const name = bytes.subarray(headerBytes, asked);
  const parts = [bytes.subarray(0, asked + 4)];
  for (let at = asked + 4; at < bytes.length; ) {
    const end = nameEnd(bytes, at);
    const next = end + 10 + bytes.readUInt16BE(end + 8);
    const same = name.length > 2 && bytes.subarray(at, end).equals(name);
    parts.push(same ? pointer : bytes.subarray(at, end), bytes.subarray(end, next));
    at = next;
  }
  return Buffer.concat(parts);
}

const pointer = Buffer.from([0xc0, headerBytes]);

/** Of a name without pointers. */
function nameEnd(bytes: Buffer, start: number): number {
  let at = start;
  while (bytes[at] !== 0) at += 1 + (bytes[at] ?? 0);
  return at + 1;
}
