/** `docker save` archives: manifest.json names config, tags and uncompressed layers. The legacy files are ignored. */
import { realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { digestOf, hexOf, ImageError, readBounded } from './blob.js';
import { parseConfig, parseJson } from './config.js';
import { type FoundImage, maxDocument } from './layout.js';
import { normalizeReference } from './reference.js';

interface Item {
  readonly Config?: unknown;
  readonly RepoTags?: unknown;
  readonly Layers?: unknown;
}

const isStrings = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every(item => typeof item === 'string');

/** A file named in manifest.json; old layers are links to the real ones, so the end is what must lie inside. */
async function inside(directory: string, name: string): Promise<string> {
  const path = await realpath(join(directory, name)).catch(cause => {
    throw new ImageError(`the archive lacks "${name}"`, { cause });
  });
  if (!path.startsWith(directory + sep)) throw new ImageError(`"${name}" leaves the archive`);
  return path;
}

async function readItem(directory: string, item: Item): Promise<FoundImage[]> {
  const { Config: config, Layers: layers, RepoTags: tags } = item;
  if (typeof config !== 'string' || !isStrings(layers))
    throw new ImageError('manifest.json has an entry without Config or Layers');
  const configData = await readBounded(await inside(directory, config), maxDocument, `the config ${config}`);
  const parsed = parseConfig(configData);
  if (parsed.diffIds.length !== layers.length)
    throw new ImageError(`the config names ${parsed.diffIds.length} layers, manifest.json ${layers.length}`);
  const paths = await Promise.all(layers.map(name => inside(directory, name)));
  parsed.diffIds.forEach(hexOf);
  const found = {
    configDigest: digestOf(configData),
    configData,
    parsed,
    manifestDigests: [],
    layers: paths.map((path, index) => ({ path, diffId: parsed.diffIds[index]! })),
  };
  const references = isStrings(tags) && tags.length > 0 ? tags.map(normalizeReference) : [undefined];
  return references.map(reference => ({ ...found, reference }));
}

/** @param directory real path of the extracted archive */
export async function readDockerArchive(directory: string): Promise<FoundImage[]> {
  const items = parseJson(
    await readBounded(join(directory, 'manifest.json'), maxDocument, 'manifest.json'),
    'manifest.json',
  );
  if (!Array.isArray(items)) throw new ImageError('manifest.json is not a list');
  return (await Promise.all(items.map(item => readItem(directory, item as Item)))).flat();
}
