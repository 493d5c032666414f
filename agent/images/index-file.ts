/** `index.json` of the image store: which images are there and how they are called. Written whole, atomically, under the lock. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../../src/base/atomic-file.js';
import { codeOf } from '../../src/base/errors.js';
import type { ImageConfig } from './contract.js';

export interface StoredImage {
  readonly config: ImageConfig;
  /** Chain ids (hex), lowest first: the names of the directories in `layers/`. */
  readonly chain: readonly string[];
  readonly manifestDigests: readonly string[];
  readonly sizeBytes: number;
}

export interface ImageIndex {
  readonly version: 1;
  /** By config digest. */
  readonly images: Readonly<Record<string, StoredImage>>;
  /** Normalised reference → config digest. */
  readonly references: Readonly<Record<string, string>>;
}

const empty: ImageIndex = { version: 1, images: {}, references: {} };

/** A missing file is an empty store; an unreadable one is an error, for collecting by it would remove every layer. */
export async function readIndex(root: string): Promise<ImageIndex> {
  const path = join(root, 'index.json');
  const text = await readFile(path, 'utf8').catch(error => {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return empty;
  try {
    const index = JSON.parse(text) as ImageIndex;
    if (index.version === 1) return index;
  } catch (cause) {
    throw new Error(`Cannot read the image index "${path}": it is not JSON`, { cause });
  }
  throw new Error(`Cannot read the image index "${path}": its version is not 1`);
}

/**
 * Reads the index only if it has changed: it is replaced whole, so its inode, size and times tell. Asked at every start of
 * a container.
 */
export function cachedIndex(root: string): () => Promise<ImageIndex> {
  let known: { readonly version: string; readonly index: ImageIndex } | undefined;
  return async () => {
    const version = await versionOf(root);
    if (known?.version === version) return known.index;
    const index = await readIndex(root);
    // the version is that from before the reading: if the file was replaced meanwhile, it is read again next time
    known = { version, index };
    return index;
  };
}

async function versionOf(root: string): Promise<string> {
  try {
    const { ino, size, mtimeNs, ctimeNs } = await stat(join(root, 'index.json'), { bigint: true });
    return [ino, size, mtimeNs, ctimeNs].join();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 'none';
    throw error;
  }
}

export async function writeIndex(root: string, index: ImageIndex): Promise<void> {
  await writeFileAtomic(join(root, 'index.json'), JSON.stringify(index));
}
