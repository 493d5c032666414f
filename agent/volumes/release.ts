/** Takes away what a pod's volumes have mounted on the node, so that its directory can be removed. Repeatable. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFiles } from '../../native/index.js';
import { codeOf } from '../../src/base/errors.js';
import { forgetFiles } from './files.js';

/** @param directory of all volumes of one pod */
export async function unmountVolumes(directory: string): Promise<void> {
  const names = await readdir(directory).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  });
  for (const name of names) forgetFiles(join(directory, name));
  await writeFiles(names.map(name => ({ op: 'unmount', path: join(directory, name) })));
}
