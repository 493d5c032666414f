/**
 * The image store: `<data-dir>/images/{index.json, blobs/sha256/<config>, layers/<chain id>}`. A directory that several
 * processes share (agent and `keelson image …`); reads take no lock, since the index is replaced whole.
 */
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { changeAndCollect, type InUse } from './collect.js';
import { type Image, type ImageStore, InvalidImageName } from './contract.js';
import { importImages } from './import.js';
import { layersInUse } from './in-use.js';
import { cachedIndex, type ImageIndex, readIndex } from './index-file.js';
import { normalizeReference, parseReference } from './reference.js';

/** Config digest that a reference, digest reference or id names. @throws InvalidImageName */
export function resolveIn(index: ImageIndex, text: string): string | undefined {
  const id = /^(?:sha256:)?([0-9a-f]{64})$/.exec(text)?.[1];
  if (id !== undefined) return index.images[`sha256:${id}`] ? `sha256:${id}` : undefined;
  const { digest } = parseReference(text);
  // tag and digest together: the digest decides
  if (digest === undefined) return index.references[normalizeReference(text)];
  return Object.entries(index.images).find(
    ([config, image]) => config === digest || image.manifestDigests.includes(digest),
  )?.[0];
}

function imageOf(root: string, index: ImageIndex, id: string): Image {
  const { config, chain, sizeBytes } = index.images[id]!;
  const references = Object.entries(index.references).filter(([, target]) => target === id);
  return {
    id,
    config,
    sizeBytes,
    references: references.map(([name]) => name).sort(),
    layers: chain.map(hex => join(root, 'layers', hex)),
  };
}

/** Removes one name, or with an id all names of that image. */
function untag(index: ImageIndex, text: string, id: string): ImageIndex {
  const byId = /^(?:sha256:)?[0-9a-f]{64}$/.test(text) || text.includes('@');
  const name = byId ? undefined : normalizeReference(text);
  const kept = Object.entries(index.references).filter(([key, target]) => (byId ? target !== id : key !== name));
  return { ...index, references: Object.fromEntries(kept) };
}

const totalBytes = (index: ImageIndex) => Object.values(index.images).reduce((sum, image) => sum + image.sizeBytes, 0);

/**
 * @param dataDir state directory of the node; `images` in it is made if it is missing, 0700 (rule B7)
 * @param inUse layers that must stay; by default those of attempts recorded below `<data-dir>/pods`
 */
export function createImageStore(dataDir: string, inUse: InUse = () => layersInUse(resolve(dataDir))): ImageStore {
  const root = join(resolve(dataDir), 'images');
  for (const part of ['', 'layers', 'blobs', 'blobs/sha256'])
    mkdirSync(join(root, part), { recursive: true, mode: 0o700 });
  const currentIndex = cachedIndex(root);
  return {
    async find(reference) {
      const index = await currentIndex();
      const id = resolveIn(index, reference);
      return id !== undefined && index.images[id] ? imageOf(root, index, id) : undefined;
    },
    async list() {
      const index = await currentIndex();
      return Object.keys(index.images).map(id => imageOf(root, index, id));
    },
    async import(path, options) {
      const ids = await importImages(root, path, options);
      const index = await readIndex(root);
      return ids.filter(id => index.images[id]).map(id => imageOf(root, index, id));
    },
    async remove(reference) {
      const before = await readIndex(root);
      const id = resolveIn(before, reference);
      if (id === undefined) throw new InvalidImageName(`there is no image "${reference}"`);
      await changeAndCollect(root, inUse, index => untag(index, reference, id));
      return { untagged: reference, freedBytes: Math.max(0, totalBytes(before) - totalBytes(await readIndex(root))) };
    },
  };
}
