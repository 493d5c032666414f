/** Blobs named by their digest: read whole (documents) or as a checked stream (layers). */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';

export class ImageError extends Error {
  override name = 'ImageError';
}

export interface Descriptor {
  readonly mediaType?: string;
  readonly digest: string;
  readonly size?: number;
  readonly platform?: { readonly os?: string; readonly architecture?: string; readonly variant?: string };
  readonly annotations?: Readonly<Record<string, string>>;
  readonly artifactType?: string;
}

export const digestOf = (data: Uint8Array) => `sha256:${createHash('sha256').update(data).digest('hex')}`;

/** `sha256:<hex>` → `<hex>`. Throws for anything else, so that no digest can be a path. */
export function hexOf(digest: unknown): string {
  const match = typeof digest === 'string' ? /^sha256:([0-9a-f]{64})$/.exec(digest) : null;
  if (!match) throw new ImageError(`the digest ${JSON.stringify(digest)} is not sha256 and 64 hex digits`);
  return match[1]!;
}

/** @throws ImageError if it is missing or larger */
export async function readBounded(path: string, limit: number, what: string): Promise<Buffer> {
  const file = await open(path, 'r').catch(cause => {
    throw new ImageError(`${what} is missing`, { cause });
  });
  try {
    const { size } = await file.stat();
    if (size > limit) throw new ImageError(`${what} has ${size} bytes; at most ${limit} are allowed`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

type Compression = 'none' | 'gzip';

/** By magic, not by media type: tools disagree on the latter. */
async function compressionOf(path: string): Promise<Compression> {
  const file = await open(path, 'r');
  try {
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
    if (buffer.readUInt32BE(0) === 0x28b52ffd)
      throw new ImageError(
        'the layer is compressed with zstd, which is not supported; recompress it with gzip (skopeo copy --dest-compress-format gzip)',
      );
    return buffer.readUInt16BE(0) === 0x1f8b ? 'gzip' : 'none';
  } finally {
    await file.close();
  }
}

/** Passes chunks on and hashes them; at the end compares with what was promised. */
async function* checked(source: AsyncIterable<Buffer>, expected: string, what: string): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  for await (const chunk of source) {
    hash.update(chunk);
    yield chunk;
  }
  const actual = `sha256:${hash.digest('hex')}`;
  if (actual !== expected) throw new ImageError(`${what} has the digest ${actual}, not ${expected}`);
}

/** The uncompressed tar of a layer; both digests are checked when it has been read to its end. */
export async function* openLayer(path: string, digest: string | undefined, diffId: string): AsyncGenerator<Buffer> {
  const compression = await compressionOf(path);
  const file = createReadStream(path, { highWaterMark: 1 << 18 });
  const raw = digest === undefined ? file : checked(file as AsyncIterable<Buffer>, digest, 'a layer');
  try {
    yield* checked(
      compression === 'gzip' ? gunzip(raw) : (raw as AsyncIterable<Buffer>),
      diffId,
      'an uncompressed layer',
    );
  } finally {
    file.destroy();
  }
}

async function* gunzip(source: AsyncIterable<Buffer> | Readable): AsyncGenerator<Buffer> {
  const { Readable } = await import('node:stream');
  const stream = createGunzip({ chunkSize: 1 << 17 });
  const input = Readable.from(source, { objectMode: false });
  input.on('error', error => stream.destroy(error));
  try {
    yield* input.pipe(stream) as AsyncIterable<Buffer>;
  } finally {
    input.destroy();
    stream.destroy();
  }
}
