/**
 * OCI layouts (image-spec image-layout.md): index.json → manifests (through nested indexes, for this platform) → config
 * and layers, each document checked against the digest that named it.
 */
import { join } from 'node:path';
import { type Descriptor, digestOf, hexOf, ImageError, readBounded } from './blob.js';
import { type ParsedConfig, parseConfig, parseJson } from './config.js';
import { normalizeReference } from './reference.js';

export const maxDocument = 4 << 20;

/** An image that is ready to be unpacked: where its parts are, and what they must hash to. */
export interface FoundImage {
  /** As the archive names it; undefined if it does not. */
  readonly reference: string | undefined;
  readonly configDigest: string;
  readonly configData: Buffer;
  readonly parsed: ParsedConfig;
  readonly manifestDigests: readonly string[];
  readonly layers: readonly { readonly path: string; readonly digest?: string; readonly diffId: string }[];
}

interface Manifest {
  readonly mediaType?: string;
  readonly config?: Descriptor;
  readonly layers?: readonly Descriptor[];
  readonly manifests?: readonly Descriptor[];
}

const blobPath = (directory: string, digest: string) => join(directory, 'blobs', 'sha256', hexOf(digest));

async function readDocument(directory: string, descriptor: Descriptor, what: string): Promise<Buffer> {
  const data = await readBounded(blobPath(directory, descriptor.digest), maxDocument, `${what} ${descriptor.digest}`);
  if (digestOf(data) !== descriptor.digest)
    throw new ImageError(`${what} has the digest ${digestOf(data)}, not ${descriptor.digest}`);
  if (descriptor.size !== undefined && descriptor.size !== data.length)
    throw new ImageError(`${what} ${descriptor.digest} has ${data.length} bytes, not ${descriptor.size}`);
  return data;
}

/** A document that could be read as an index and as a manifest means two different images to two readers. */
function parseManifest(data: Buffer): Manifest {
  const document = parseJson(data, 'a manifest') as Manifest;
  if (typeof document !== 'object' || document === null) throw new ImageError('a manifest is not an object');
  const isIndex = Array.isArray(document.manifests);
  if (isIndex && (document.layers !== undefined || document.config !== undefined))
    throw new ImageError('a document is both an index and a manifest');
  if (isIndex && /manifest\.v[12]\+json$/.test(document.mediaType ?? ''))
    throw new ImageError('an index calls itself a manifest');
  return document;
}

/** Architecture as Go names it. */
const architecture = ({ x64: 'amd64', arm64: 'arm64' } as Record<string, string>)[process.arch] ?? process.arch;

function fits({ platform, artifactType }: Descriptor): boolean {
  if (artifactType !== undefined) return false;
  if (!platform) return true;
  return platform.os === 'linux' && platform.architecture === architecture;
}

function choosePlatform(manifests: readonly Descriptor[]): Descriptor {
  const chosen = manifests.find(fits);
  if (chosen) return chosen;
  const offered = manifests.map(m => `${m.platform?.os}/${m.platform?.architecture}`).join(', ');
  throw new ImageError(`the image is not for linux/${architecture}; it has ${offered || 'nothing'}`);
}

/** The name a layout gives an image. A bare tag ("1", as umoci and skopeo write) does not say which repository. */
function nameOf({ annotations }: Descriptor): string | undefined {
  const full = annotations?.['io.containerd.image.name'] ?? annotations?.['org.opencontainers.image.ref.name'];
  return full !== undefined && /[/:]/.test(full) ? normalizeReference(full) : undefined;
}

const refused = /nondistributable|foreign/;

async function readImage(
  directory: string,
  descriptor: Descriptor,
  digests: readonly string[],
  reference: string | undefined,
): Promise<FoundImage> {
  const manifest = parseManifest(await readDocument(directory, descriptor, 'the manifest'));
  const manifestDigests = [...digests, descriptor.digest];
  if (manifestDigests.length > 4) throw new ImageError('indexes are nested too deeply');
  if (manifest.manifests) return readImage(directory, choosePlatform(manifest.manifests), manifestDigests, reference);
  if (!manifest.config || !Array.isArray(manifest.layers))
    throw new ImageError(`the manifest ${descriptor.digest} has no config or no layers`);
  const configData = await readDocument(directory, manifest.config, 'the config');
  const parsed = parseConfig(configData);
  if (parsed.diffIds.length !== manifest.layers.length)
    throw new ImageError(`the config names ${parsed.diffIds.length} layers, the manifest ${manifest.layers.length}`);
  if (parsed.os && parsed.os !== 'linux') throw new ImageError(`the image is for ${parsed.os}, not for linux`);
  const layers = manifest.layers.map((layer, index) => layerOf(directory, layer, parsed.diffIds[index]!));
  return { reference, configDigest: manifest.config.digest, configData, parsed, manifestDigests, layers };
}

function layerOf(directory: string, layer: Descriptor, diffId: string): FoundImage['layers'][number] {
  if (refused.test(layer.mediaType ?? ''))
    throw new ImageError(`the layer ${layer.digest} is of the type ${layer.mediaType}, which may not be distributed`);
  hexOf(diffId);
  return { path: blobPath(directory, layer.digest), digest: layer.digest, diffId };
}

/** All images that index.json lists (one per name). */
export async function readLayout(directory: string): Promise<FoundImage[]> {
  const index = parseManifest(await readBounded(join(directory, 'index.json'), maxDocument, 'index.json'));
  const manifests = index.manifests ?? [];
  // an index may list one image for several platforms, without names
  const unnamed = manifests.filter(descriptor => nameOf(descriptor) === undefined);
  const several = unnamed.length > 1 && unnamed.every(descriptor => descriptor.platform);
  const wanted = several
    ? [...manifests.filter(d => !unnamed.includes(d)), choosePlatform(unnamed)]
    : manifests.filter(fits);
  if (wanted.length === 0) choosePlatform(manifests);
  return Promise.all(wanted.map(descriptor => readImage(directory, descriptor, [], nameOf(descriptor))));
}
