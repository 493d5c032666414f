/** Removing what nothing uses any more: layers and configs of no image, and temporary directories of dead processes. */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type ImageIndex, readIndex, writeIndex } from './index-file.js';
import { isAlive, withLock } from './lock.js';

/** Layer directories that running containers stand on; they stay although no image names them. */
export type InUse = () => Promise<ReadonlySet<string>>;

/** Pure: an index without the images that have no name left. */
export function withoutUnnamed(index: ImageIndex): ImageIndex {
  const named = new Set(Object.values(index.references));
  return { ...index, images: Object.fromEntries(Object.entries(index.images).filter(([id]) => named.has(id))) };
}

async function removeLayers(root: string, index: ImageIndex, used: ReadonlySet<string>): Promise<void> {
  const kept = new Set(Object.values(index.images).flatMap(image => image.chain));
  for (const name of await readdir(join(root, 'layers'))) {
    const id = name.replace(/\.size$/, '');
    if (!kept.has(id) && !used.has(join(root, 'layers', id)))
      await rm(join(root, 'layers', name), { recursive: true, force: true });
  }
}

async function removeBlobs(root: string, index: ImageIndex): Promise<void> {
  for (const name of await readdir(join(root, 'blobs', 'sha256'))) {
    if (!index.images[`sha256:${name}`]) await rm(join(root, 'blobs', 'sha256', name), { force: true });
  }
}

/** What imports that died have left. */
export async function removeTemporary(root: string): Promise<void> {
  for (const name of await readdir(root)) {
    const mark = /^tmp-(\d+-\d+)-/.exec(name)?.[1];
    if (mark !== undefined && !(await isAlive(mark))) await rm(join(root, name), { recursive: true, force: true });
  }
}

/** Changes the index under the lock, then removes what it does not name any more. */
export async function changeAndCollect(
  root: string,
  inUse: InUse,
  change: (index: ImageIndex) => ImageIndex,
): Promise<void> {
  await withLock(root, async () => {
    const index = withoutUnnamed(change(await readIndex(root)));
    await writeIndex(root, index);
    await removeLayers(root, index, await inUse());
    await removeBlobs(root, index);
    await removeTemporary(root);
  });
}
