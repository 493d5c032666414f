/**
 * A streaming tar reader for archives that nobody vouches for: ustar, GNU long names, PAX (its values as bytes, since a
 * capability xattr is no text), base-256 numbers. Anything damaged, negative or beyond a limit throws TarError at the
 * header, before a byte of the body is used. Names are "binary" strings: one character per byte.
 */

export class TarError extends Error {
  override name = 'TarError';
}

export type TarType = 'file' | 'directory' | 'symlink' | 'link' | 'char' | 'block' | 'fifo';

export interface TarEntry {
  readonly name: string;
  readonly type: TarType;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Seconds, perhaps with a fraction. */
  readonly mtime: number;
  readonly linkname: string;
  readonly major: number;
  readonly minor: number;
  readonly xattrs: ReadonlyMap<string, Buffer>;
  /** The content; what is not read is skipped. */
  readonly body: AsyncIterable<Buffer>;
}

const block = 512;
/** PAX records and GNU names beyond this are an attack. */
const maxExtension = 1 << 20;

/** Exact reads over chunks that come as they like. */
class ByteReader {
  readonly #source: AsyncIterator<Buffer>;
  #chunk: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** At most `limit` bytes; empty at the end. */
  async some(limit: number): Promise<Buffer> {
    while (this.#chunk.length === 0) {
      const next = await this.#source.next();
      if (next.done) return Buffer.alloc(0);
      this.#chunk = next.value;
    }
    const part = this.#chunk.subarray(0, limit);
    this.#chunk = this.#chunk.subarray(part.length);
    return part;
  }

  /** Undefined at a clean end, TarError in the middle. */
  async exactly(length: number): Promise<Buffer | undefined> {
    const parts: Buffer[] = [];
    for (let missing = length; missing > 0; ) {
      const part = await this.some(missing);
      if (part.length === 0 && missing === length) return undefined;
      if (part.length === 0) throw new TarError('the archive is cut off');
      parts.push(part);
      missing -= part.length;
    }
    return parts.length === 1 ? parts[0] : Buffer.concat(parts);
  }
}

/** A body that knows how much of it is left, so that the rest can be skipped. */
class Body implements AsyncIterable<Buffer> {
  constructor(
    readonly reader: ByteReader,
    public left: number,
  ) {}
  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    while (this.left > 0) {
      const part = await this.reader.some(this.left);
      if (part.length === 0) throw new TarError('the archive is cut off');
      this.left -= part.length;
      yield part;
    }
  }
  async skip(): Promise<void> {
    for await (const _ of this);
  }
}

function field(header: Buffer, from: number, length: number): string {
  const text = header.toString('latin1', from, from + length);
  const end = text.indexOf('\0');
  return end < 0 ? text : text.slice(0, end);
}

/** Octal text, or base 256 with the top bit set. Throws for a negative or unsafe one. */
function numberField(header: Buffer, from: number, length: number, what: string): number {
  const value =
    header[from]! & 0x80 ? base256(header.subarray(from, from + length)) : octal(field(header, from, length));
  if (!Number.isSafeInteger(value) || value < 0) throw new TarError(`a header has the ${what} ${value}`);
  return value;
}

function octal(text: string): number {
  const digits = text.trim();
  if (digits === '') return 0;
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN;
}

function base256(bytes: Buffer): number {
  if (bytes[0]! & 0x40) return -1;
  return bytes.reduce((sum, byte, index) => sum * 256 + (index === 0 ? byte & 0x3f : byte), 0);
}

function checkSum(header: Buffer): void {
  let sum = 8 * 32;
  for (let i = 0; i < block; i++) if (i < 148 || i >= 156) sum += header[i]!;
  if (sum !== numberField(header, 148, 8, 'checksum')) throw new TarError('a header has a wrong checksum');
}

const types: Readonly<Record<string, TarType>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  '1': 'link',
  '2': 'symlink',
  '3': 'char',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
};

/** `<length> <key>=<value>\n`, repeated; values as bytes. */
export function parsePax(data: Buffer): Map<string, Buffer> {
  const records = new Map<string, Buffer>();
  for (let at = 0; at < data.length; ) {
    const space = data.indexOf(0x20, at);
    const length = space < 0 ? Number.NaN : Number(data.toString('latin1', at, space));
    const record = data.subarray(space + 1, at + length - 1);
    const equals = record.indexOf(0x3d);
    if (!(length > space - at + 2) || at + length > data.length || equals < 1 || data[at + length - 1] !== 0x0a)
      throw new TarError('a PAX record is damaged');
    records.set(record.toString('latin1', 0, equals), record.subarray(equals + 1));
    at += length;
  }
  return records;
}

const paxText = (pax: ReadonlyMap<string, Buffer>, key: string) => pax.get(key)?.toString('latin1');

function paxNumber(pax: ReadonlyMap<string, Buffer>, key: string): number | undefined {
  const text = paxText(pax, key);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isFinite(value) || (key !== 'mtime' && (value < 0 || !Number.isSafeInteger(value))))
    throw new TarError(`a PAX header has ${key} "${text}"`);
  return value;
}

const xattrPrefix = 'SCHILY.xattr.';

function xattrsOf(pax: ReadonlyMap<string, Buffer>): Map<string, Buffer> {
  const found = [...pax].filter(([key]) => key.startsWith(xattrPrefix));
  return new Map(found.map(([key, value]) => [key.slice(xattrPrefix.length), value]));
}

function headerName(header: Buffer): string {
  const prefix = header.toString('latin1', 257, 263) === 'ustar\0' ? field(header, 345, 155) : '';
  const name = field(header, 0, 100);
  return prefix ? `${prefix}/${name}` : name;
}

function noNul(text: string): string {
  if (text.includes('\0')) throw new TarError(`the name ${JSON.stringify(text)} contains a NUL`);
  return text;
}

function entryOf(
  header: Buffer,
  pax: ReadonlyMap<string, Buffer>,
  reader: ByteReader,
): TarEntry & { readonly body: Body } {
  const flag = header.toString('latin1', 156, 157);
  const name = noNul(paxText(pax, 'path') ?? headerName(header));
  const type = types[flag];
  const sparse = [...pax.keys()].some(key => key.startsWith('GNU.sparse.'));
  if (!type || sparse)
    throw new TarError(
      `the entry "${name}" has the type ${sparse ? 'sparse' : JSON.stringify(flag)}, which layers do not have`,
    );
  const size = paxNumber(pax, 'size') ?? numberField(header, 124, 12, 'size');
  const stored = type === 'file' ? size : 0;
  return {
    name,
    type,
    mode: numberField(header, 100, 8, 'mode') & 0o7777,
    uid: paxNumber(pax, 'uid') ?? numberField(header, 108, 8, 'uid'),
    gid: paxNumber(pax, 'gid') ?? numberField(header, 116, 8, 'gid'),
    size: stored,
    mtime: paxNumber(pax, 'mtime') ?? numberField(header, 136, 12, 'mtime'),
    linkname: noNul(paxText(pax, 'linkpath') ?? field(header, 157, 100)),
    major: type === 'char' || type === 'block' ? numberField(header, 329, 8, 'device') : 0,
    minor: type === 'char' || type === 'block' ? numberField(header, 337, 8, 'device') : 0,
    xattrs: xattrsOf(pax),
    body: new Body(reader, stored),
  };
}

const padding = (size: number) => (block - (size % block)) % block;

/** Content of an extension header (PAX or GNU name), with its padding. */
async function extension(reader: ByteReader, header: Buffer): Promise<Buffer> {
  const size = numberField(header, 124, 12, 'size');
  if (size > maxExtension)
    throw new TarError(`an extended header has ${size} bytes; at most ${maxExtension} are allowed`);
  const data = size === 0 ? Buffer.alloc(0) : await reader.exactly(size + padding(size));
  if (!data) throw new TarError('the archive is cut off');
  return data.subarray(0, size);
}

const untilNul = (data: Buffer) => (data.indexOf(0) < 0 ? data : data.subarray(0, data.indexOf(0)));

/** What an extension header says about the entry after it; undefined if the header is an entry itself. */
async function readExtension(reader: ByteReader, header: Buffer): Promise<Map<string, Buffer> | undefined> {
  switch (header.toString('latin1', 156, 157)) {
    case 'x':
      return parsePax(await extension(reader, header));
    case 'g':
      // global headers carry comments (git) and nothing that a layer needs
      await extension(reader, header);
      return new Map();
    case 'L':
      return new Map([['path', untilNul(await extension(reader, header))]]);
    case 'K':
      return new Map([['linkpath', untilNul(await extension(reader, header))]]);
    default:
      return undefined;
  }
}

export async function* readTar(source: AsyncIterable<Buffer>): AsyncGenerator<TarEntry> {
  const reader = new ByteReader(source);
  let pax = new Map<string, Buffer>();
  for (;;) {
    const header = await reader.exactly(block);
    // two empty blocks end the archive; one, or the end of the file, is taken as that too
    if (!header || header.every(byte => byte === 0)) break;
    checkSum(header);
    const more = await readExtension(reader, header);
    if (more) {
      pax = new Map([...pax, ...more]);
      continue;
    }
    const entry = entryOf(header, pax, reader);
    pax = new Map();
    yield entry;
    await entry.body.skip();
    if (padding(entry.size)) await reader.exactly(padding(entry.size));
  }
  // the rest is read so that the digest covers the whole file
  while ((await reader.some(1 << 20)).length > 0);
}
