/** Frames to and from the shim: one byte of type, u32 length (little endian), payload. Counterpart of native/shim/frame.c. */

export interface ShimFrame {
  readonly type: string;
  readonly payload: Buffer;
}

/** The shim takes payloads of at most this many bytes. */
export const maxPayload = 65536;
/** The shim sends at most what it read in one go. */
const maxReceived = 1 << 20;

export function encodeFrame(type: string, payload: Uint8Array = new Uint8Array()): Buffer {
  const frame = Buffer.allocUnsafe(5 + payload.length);
  frame.write(type, 0, 'latin1');
  frame.writeUInt32LE(payload.length, 1);
  frame.set(payload, 5);
  return frame;
}

/** Cuts a byte stream into frames. Throws a RangeError for a length that no shim sends. */
export class FrameDecoder {
  #rest: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): ShimFrame[] {
    this.#rest = this.#rest.length ? Buffer.concat([this.#rest, chunk]) : chunk;
    const frames: ShimFrame[] = [];
    for (let frame = this.#take(); frame; frame = this.#take()) frames.push(frame);
    return frames;
  }

  #take(): ShimFrame | undefined {
    if (this.#rest.length < 5) return undefined;
    const length = this.#rest.readUInt32LE(1);
    if (length > maxReceived)
      throw new RangeError(`shim frame of ${length} bytes; at most ${maxReceived} are expected`);
    if (this.#rest.length < 5 + length) return undefined;
    const frame = { type: this.#rest.toString('latin1', 0, 1), payload: this.#rest.subarray(5, 5 + length) };
    this.#rest = this.#rest.subarray(5 + length);
    return frame;
  }
}

/** Terminal size: u16 columns, u16 rows. */
export function resizeFrame(columns: number, rows: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt16LE(clampSize(columns), 0);
  payload.writeUInt16LE(clampSize(rows), 2);
  return encodeFrame('W', payload);
}

const clampSize = (cells: number) => Math.max(1, Math.min(65535, Math.trunc(cells) || 1));

/** `<code> <signal>`; a code below 0 means ended by that signal. */
export function parseExit(payload: Buffer): { code: number } | { signal: number } {
  const [code = -1, signal = 0] = payload.toString().split(' ').map(Number);
  return code >= 0 ? { code } : { signal };
}
