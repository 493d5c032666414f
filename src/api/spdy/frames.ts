/**
 * SPDY/3.1 frames: bytes ↔ frames, as far as kubectl's streams use them (kubernetes-wire §11.3). Pure but for the decoder's
 * buffer. What comes from the other side is hostile: lengths are bounded before anything is kept.
 */

/** Larger frames than clients send (32 KiB) are accepted up to this; beyond it the connection ends. */
export const maxDataBytes = 1024 * 1024;
/** A control frame holds one block of headers at most. */
export const maxControlBytes = 16 * 1024;
/** What we cut data into. */
export const dataChunkBytes = 32 * 1024;

export const flagFin = 1;
const controlBit = 0x8000_0000;
const version = 3;
const types = {
  synStream: 1,
  synReply: 2,
  reset: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  headers: 8,
  windowUpdate: 9,
} as const;

/** Status codes of RST_STREAM. */
export const resetCodes = {
  protocolError: 1,
  invalidStream: 2,
  refusedStream: 3,
  cancel: 5,
  internalError: 6,
} as const;

export type SpdyFrame =
  | { readonly type: 'data'; readonly stream: number; readonly fin: boolean; readonly data: Buffer }
  /** `block`: compressed headers, in the order of the connection. */
  | { readonly type: 'synStream'; readonly stream: number; readonly fin: boolean; readonly block: Buffer }
  | { readonly type: 'synReply' | 'headers'; readonly stream: number; readonly fin: boolean; readonly block: Buffer }
  | { readonly type: 'reset'; readonly stream: number; readonly code: number }
  | { readonly type: 'ping'; readonly id: number }
  | { readonly type: 'goAway' }
  /** SETTINGS, WINDOW_UPDATE and types of no known meaning: clients of Kubernetes do no flow control by frames. */
  | { readonly type: 'other' };

/** The other side broke the protocol: the connection cannot go on. */
export class SpdyError extends Error {
  override name = 'SpdyError';
}

/** Cuts a byte stream into frames. Holds at most one frame's bytes. */
export class SpdyDecoder {
  #parts: Buffer[] = [];
  #held = 0;
  #need = 8;

  /** Throws SpdyError. Feed it chunk by chunk; what it returns is complete. */
  *push(chunk: Buffer): Generator<SpdyFrame> {
    this.#parts.push(chunk);
    this.#held += chunk.length;
    while (this.#held >= this.#need) {
      const all = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts);
      this.#parts = [all];
      const size = 8 + lengthOf(all);
      this.#need = size;
      if (all.length < size) return;
      this.#parts = [all.subarray(size)];
      this.#held = all.length - size;
      this.#need = 8;
      yield frameOf(all.subarray(0, size));
    }
  }
}

function lengthOf(header: Buffer): number {
  const length = header.readUIntBE(5, 3);
  const limit = isControl(header) ? maxControlBytes : maxDataBytes;
  if (length > limit) throw new SpdyError(`frame of ${length} bytes; at most ${limit} are allowed`);
  return length;
}

const isControl = (header: Buffer): boolean => (header[0]! & 0x80) !== 0;

function frameOf(bytes: Buffer): SpdyFrame {
  const fin = (bytes[4]! & flagFin) !== 0;
  const body = bytes.subarray(8);
  if (!isControl(bytes)) return { type: 'data', stream: bytes.readUInt32BE(0), fin, data: body };
  const spoken = bytes.readUInt16BE(0) & 0x7fff;
  if (spoken !== version) throw new SpdyError(`control frame of version ${spoken}; this server speaks ${version}`);
  return controlOf(bytes.readUInt16BE(2), fin, body);
}

function controlOf(type: number, fin: boolean, body: Buffer): SpdyFrame {
  switch (type) {
    case types.synStream:
      return { type: 'synStream', stream: idOf(body, 10), fin, block: body.subarray(10) };
    case types.synReply:
      return { type: 'synReply', stream: idOf(body, 4), fin, block: body.subarray(4) };
    case types.headers:
      return { type: 'headers', stream: idOf(body, 4), fin, block: body.subarray(4) };
    case types.reset:
      return { type: 'reset', stream: idOf(body, 8), code: body.readUInt32BE(4) };
    case types.ping:
      requireBytes(body, 4);
      return { type: 'ping', id: body.readUInt32BE(0) };
    case types.goAway:
      return { type: 'goAway' };
    default:
      return { type: 'other' };
  }
}

/** @param least bytes that the frame must have */
function idOf(body: Buffer, least: number): number {
  requireBytes(body, least);
  return body.readUInt32BE(0) & 0x7fff_ffff;
}

function requireBytes(body: Buffer, least: number): void {
  if (body.length < least) throw new SpdyError(`control frame of ${body.length} bytes; at least ${least} are needed`);
}

export function encodeData(stream: number, data: Uint8Array, fin: boolean): Buffer {
  const frame = Buffer.allocUnsafe(8 + data.length);
  frame.writeUInt32BE(stream, 0);
  frame.writeUInt32BE(((fin ? flagFin : 0) * 0x100_0000 + data.length) >>> 0, 4);
  frame.set(data, 8);
  return frame;
}

function encodeControl(type: number, body: Uint8Array, flags = 0): Buffer {
  const frame = Buffer.allocUnsafe(8 + body.length);
  frame.writeUInt32BE((controlBit + version * 0x1_0000 + type) >>> 0, 0);
  frame.writeUInt32BE((flags * 0x100_0000 + body.length) >>> 0, 4);
  frame.set(body, 8);
  return frame;
}

function numbers(...values: readonly number[]): Buffer {
  const body = Buffer.allocUnsafe(4 * values.length);
  for (const [index, value] of values.entries()) body.writeUInt32BE(value >>> 0, 4 * index);
  return body;
}

export const encodeSynReply = (stream: number, block: Uint8Array): Buffer =>
  encodeControl(types.synReply, Buffer.concat([numbers(stream), block]));

export const encodeReset = (stream: number, code: number): Buffer => encodeControl(types.reset, numbers(stream, code));

export const encodePing = (id: number): Buffer => encodeControl(types.ping, numbers(id));

export const encodeGoAway = (lastStream: number): Buffer => encodeControl(types.goAway, numbers(lastStream, 0));

/** For clients; the server opens no streams. */
export const encodeSynStream = (stream: number, block: Uint8Array, fin = false): Buffer =>
  encodeControl(types.synStream, Buffer.concat([numbers(stream, 0), Buffer.alloc(2), block]), fin ? flagFin : 0);
