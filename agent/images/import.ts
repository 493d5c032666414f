/**
 * Importing: unpack everything into a private temporary directory, verify it while it streams, and only then publish it
 * under the lock by renames. Whatever fails before leaves nothing but a directory that is removed.
 */
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { access, mkdir, open, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createGunzip } from 'node:zlib';
import { failpoint } from '../../src/base/failpoint.js';
import { hexOf, ImageError, openLayer } from './blob.js';
import { removeTemporary } from './collect.js';
import { readDockerArchive } from './docker-archive.js';
import { type ImageIndex, readIndex, type StoredImage, writeIndex } from './index-file.js';
import { type FoundImage, readLayout } from './layout.js';
import { processMark, withLock } from './lock.js';
import { normalizeReference } from './reference.js';
import { readTar } from './tar.js';
import { LayerUnpacker } from './unpack.js';

const run = promisify(execFile);

export interface ImportOptions {
  readonly name?: string;
  readonly onProgress?: (line: string) => void;
}

/** A private directory named after this process, so that a collector can tell it from a dead one's. */
async function makeTemporary(root: string): Promise<string> {
  const path = join(root, `tmp-${await processMark()}-${randomBytes(4).toString('hex')}`);
  await mkdir(path, { mode: 0o700 });
  return realpath(path);
}

async function isGzip(path: string): Promise<boolean> {
  const file = await open(path, 'r');
  try {
    const { buffer } = await file.read(Buffer.alloc(2), 0, 2, 0);
    return buffer.readUInt16BE(0) === 0x1f8b;
  } finally {
    await file.close();
  }
}

/** An archive's files beneath `target`: the same care as for a layer. */
async function extractArchive(path: string, target: string): Promise<void> {
  await mkdir(target, { mode: 0o700 });
  const file = createReadStream(path, { highWaterMark: 1 << 18 });
  const stream = (await isGzip(path)) ? file.pipe(createGunzip()) : file;
  if (stream !== file) file.on('error', error => stream.destroy(error));
  try {
    await new LayerUnpacker(target, []).apply(readTar(stream as AsyncIterable<Buffer>));
  } finally {
    file.destroy();
  }
}

async function directoryOf(path: string, temporary: string): Promise<string> {
  const info = await stat(path).catch(cause => {
    throw new ImageError(`there is no file or directory "${path}"`, { cause });
  });
  if (info.isDirectory()) return realpath(path);
  const target = join(temporary, 'archive');
  await extractArchive(path, target);
  return target;
}

async function readImages(directory: string): Promise<FoundImage[]> {
  if (existsSync(join(directory, 'oci-layout'))) return readLayout(directory);
  if (existsSync(join(directory, 'manifest.json'))) return readDockerArchive(directory);
  throw new ImageError('it is neither an OCI layout (no oci-layout file) nor a docker archive (no manifest.json)');
}

/** Layers depend on what lies below them (owners of directories they do not name): the name is that of the whole chain. */
export function chainIds(diffIds: readonly string[]): string[] {
  const chain: string[] = [];
  for (const diffId of diffIds) {
    const below = chain.at(-1);
    const id =
      below === undefined ? hexOf(diffId) : createHash('sha256').update(`sha256:${below} ${diffId}`).digest('hex');
    chain.push(id);
  }
  return chain;
}

interface Unpacked {
  readonly found: FoundImage;
  readonly stored: StoredImage;
}

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

/** Where a layer is now: published, or in this import's own directory. */
async function locate(root: string, temporary: string, id: string): Promise<string | undefined> {
  for (const path of [join(root, 'layers', id), join(temporary, id)]) if (await exists(path)) return path;
  return undefined;
}

async function unpackLayer(
  layer: FoundImage['layers'][number],
  target: string,
  lower: readonly string[],
): Promise<void> {
  await mkdir(target, { mode: 0o755 });
  const unpacker = new LayerUnpacker(target, lower);
  await unpacker.apply(readTar(openLayer(layer.path, layer.digest, layer.diffId)));
  await writeFile(`${target}.size`, String(unpacker.bytes));
}

async function sizeOf(path: string): Promise<number> {
  const file = await open(`${path}.size`, 'r').catch(() => undefined);
  if (!file) return 0;
  try {
    return Number(await file.readFile('utf8'));
  } finally {
    await file.close();
  }
}

async function unpackImage(
  root: string,
  temporary: string,
  found: FoundImage,
  options: ImportOptions,
): Promise<Unpacked> {
  const chain = chainIds(found.parsed.diffIds);
  const lower: string[] = [];
  let sizeBytes = found.configData.length;
  for (const [index, id] of chain.entries()) {
    const known = await locate(root, temporary, id);
    const path = known ?? join(temporary, id);
    options.onProgress?.(`layer ${index + 1}/${chain.length} ${id.slice(0, 12)} ${known ? 'is there' : 'unpacking'}`);
    if (!known) await unpackLayer(found.layers[index]!, path, lower);
    lower.push(path);
    sizeBytes += await sizeOf(path);
  }
  const { manifestDigests, parsed } = found;
  return { found, stored: { config: parsed.config, chain, manifestDigests, sizeBytes } };
}

/** Moves what the store does not have yet. Another import may have brought the same layer meanwhile: theirs is as good. */
async function publishLayers(root: string, temporary: string, chain: readonly string[]): Promise<void> {
  for (const id of chain) {
    const [from, to] = [join(temporary, id), join(root, 'layers', id)];
    if (await exists(to)) continue;
    if (!(await exists(from)))
      throw new ImageError(`the layer ${id} was removed while the image was imported; import it again`);
    await rename(`${from}.size`, `${to}.size`);
    await rename(from, to);
  }
}

function addTo(index: ImageIndex, { found, stored }: Unpacked): ImageIndex {
  const references =
    found.reference === undefined ? index.references : { ...index.references, [found.reference]: found.configDigest };
  const before = index.images[found.configDigest]?.manifestDigests ?? [];
  const manifestDigests = [...new Set([...before, ...stored.manifestDigests])];
  return { ...index, references, images: { ...index.images, [found.configDigest]: { ...stored, manifestDigests } } };
}

async function publish(root: string, temporary: string, unpacked: readonly Unpacked[]): Promise<void> {
  // an index that names a layer whose files a power cut took would never be repaired: content first
  await run('sync', ['-f', temporary]);
  await failpoint('images.beforePublish');
  await withLock(root, async () => {
    for (const { stored } of unpacked) await publishLayers(root, temporary, stored.chain);
    await failpoint('images.beforeIndex');
    for (const { found } of unpacked)
      await writeFile(join(root, 'blobs', 'sha256', hexOf(found.configDigest)), found.configData);
    await writeIndex(root, unpacked.reduce(addTo, await readIndex(root)));
    await removeTemporary(root);
  });
}

/** `name` goes to the one image of an archive; names inside do without it. */
function withName(images: FoundImage[], name: string | undefined): FoundImage[] {
  const different = new Set(images.map(image => image.configDigest)).size;
  if (name !== undefined && different > 1)
    throw new ImageError(`the archive has ${different} images; a name can be given to one only`);
  if (name !== undefined) return [{ ...images[0]!, reference: normalizeReference(name) }];
  if (images.some(image => image.reference === undefined))
    throw new ImageError('the archive does not say how the image is called; give a name (--name)');
  return images;
}

/** @returns config digests of what was imported */
export async function importImages(root: string, path: string, options: ImportOptions): Promise<string[]> {
  if (options.name !== undefined) normalizeReference(options.name);
  const temporary = await makeTemporary(root);
  try {
    const images = withName(await readImages(await directoryOf(path, temporary)), options.name);
    const unpacked: Unpacked[] = [];
    for (const found of images) unpacked.push(await unpackImage(root, temporary, found, options));
    await publish(root, temporary, unpacked);
    return [...new Set(images.map(image => image.configDigest))];
  } catch (cause) {
    throw new ImageError(`Cannot import "${path}": ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}
