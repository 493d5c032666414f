/**
 * Header blocks of SPDY/3: name-value lists in one zlib stream per direction, which lasts as long as the connection and is
 * flushed after every block. Inflating is bounded; our own blocks are stored, not compressed.
 */
import { constants, createInflate, type Inflate } from 'node:zlib';
import { headerDictionary } from './dictionary.js';
import { SpdyError } from './frames.js';

/** What one block may inflate to. */
const maxBlockBytes = 64 * 1024;
const maxHeaders = 100;

export type SpdyHeaders = ReadonlyMap<string, string>;

/** The receiving end: blocks must be given in the order in which they came, one after another. */
export class HeaderReader {
  readonly #inflate: Inflate;
  #parts: Buffer[] = [];
  #size = 0;
  #failed: Error | undefined;
  #fail: (error: Error) => void = () => {};

  constructor() {
    this.#inflate = createInflate({ dictionary: headerDictionary, chunkSize: 4096 });
    this.#inflate.on('data', (part: Buffer) => this.#take(part));
    this.#inflate.on('error', error => this.#broken(new SpdyError(`header block: ${error.message}`)));
  }

  /** Rejects with SpdyError; then the reader is of no use any more. */
  async read(block: Buffer): Promise<SpdyHeaders> {
    if (this.#failed) throw this.#failed;
    this.#parts = [];
    this.#size = 0;
    await new Promise<void>((resolve, reject) => {
      this.#fail = reject;
      this.#inflate.write(block);
      this.#inflate.flush(constants.Z_SYNC_FLUSH, () => resolve());
    });
    return parseHeaders(Buffer.concat(this.#parts));
  }

  close(): void {
    this.#inflate.close();
  }

  #take(part: Buffer): void {
    this.#size += part.length;
    if (this.#size > maxBlockBytes)
      return this.#broken(new SpdyError(`header block inflates to more than ${maxBlockBytes} bytes`));
    this.#parts.push(part);
  }

  #broken(error: Error): void {
    this.#failed ??= error;
    this.#parts = [];
    // a bomb is not inflated to its end
    this.#inflate.destroy();
    this.#fail(this.#failed);
  }
}

/** u32 count, then u32 length and bytes of each name and value. Throws SpdyError. */
export function parseHeaders(bytes: Buffer): SpdyHeaders {
  const headers = new Map<string, string>();
  let at = 0;
  const number = (): number => {
    if (at + 4 > bytes.length) throw new SpdyError('header block ends early');
    at += 4;
    return bytes.readUInt32BE(at - 4);
  };
  const text = (): string => {
    const length = number();
    if (at + length > bytes.length) throw new SpdyError(`header of ${length} bytes in a block of ${bytes.length}`);
    at += length;
    return bytes.toString('utf8', at - length, at);
  };
  const count = number();
  if (count > maxHeaders) throw new SpdyError(`block of ${count} headers; at most ${maxHeaders} are allowed`);
  for (let i = 0; i < count; i++) {
    const name = text().toLowerCase();
    headers.set(name, text());
  }
  return headers;
}

/** A zlib stream without a dictionary begins like this. */
const zlibHeader = Buffer.of(0x78, 0x01);
/** An empty stored block: what a sync flush ends with, and what readers wait for. */
const flushed = Buffer.of(0, 0, 0, 0xff, 0xff);

/** The sending end: stored blocks need no state but whether the stream has begun. */
export class HeaderWriter {
  #begun = false;

  /** @param headers none: the reply that kubectl needs says nothing else than that the stream is there */
  write(headers: Iterable<readonly [string, string]> = []): Buffer {
    const block = Buffer.concat([this.#begun ? Buffer.alloc(0) : zlibHeader, stored(listOf([...headers])), flushed]);
    this.#begun = true;
    return block;
  }
}

function listOf(headers: readonly (readonly [string, string])[]): Buffer {
  const number = (value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return bytes;
  };
  const text = (value: string) => [number(Buffer.byteLength(value)), Buffer.from(value)];
  return Buffer.concat([
    number(headers.length),
    ...headers.flatMap(([name, value]) => [...text(name), ...text(value)]),
  ]);
}

/** One stored deflate block (RFC 1951 §3.2.4): not the last, length, its complement, bytes. */
function stored(bytes: Buffer): Buffer {
  if (bytes.length > 0xffff)
    throw new RangeError(`header block of ${bytes.length} bytes; at most 65535 can be written`);
  const head = Buffer.alloc(5);
  head.writeUInt16LE(bytes.length, 1);
  head.writeUInt16LE(~bytes.length & 0xffff, 3);
  return Buffer.concat([head, bytes]);
}
