/** Files of a group that stands already: one that has gone meanwhile is not made again (`cgroupApply` would). */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CgroupFiles } from '../../native/index.js';
import { codeOf } from '../../src/base/errors.js';

/** In the order given. @throws Error with the path */
export async function writeGroup(group: string, files: CgroupFiles): Promise<void> {
  for (const [file, value] of files) await writeFile(join(group, file), value, { flag: 'r+' });
}

/** For a `catch`: a group that has gone meanwhile needs nothing. */
export function unlessGone(error: unknown): void {
  if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'ENODEV') throw error;
}
