/**
 * The nodes of `keelson up --isolated NAME --nodes N`: the first has what the flags say, the others the same with a number
 * behind it, so that `--isolated NAME-2` means the second everywhere. Which they are stands in the first one's data directory.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from '../base/atomic-file.js';
import type { Settings } from './settings.js';

export interface Sibling {
  readonly isolated: string;
  readonly nodeName: string;
  readonly dataDir: string;
  readonly runDir: string;
}

/** The second and those after it, of `count` in all. Pure. */
export function siblingsOf(
  first: Pick<Settings, 'isolated' | 'nodeName' | 'dataDir' | 'runDir'>,
  count: number,
): Sibling[] {
  return Array.from({ length: Math.max(0, count - 1) }, (_, i) => ({
    isolated: `${first.isolated}-${i + 2}`,
    nodeName: `${first.nodeName}-${i + 2}`,
    dataDir: `${first.dataDir}-${i + 2}`,
    runDir: `${first.runDir}-${i + 2}`,
  }));
}

const fileOf = (dataDir: string): string => join(dataDir, 'siblings.json');

export const rememberSiblings = (dataDir: string, siblings: readonly Sibling[]): Promise<void> =>
  writeFileAtomic(fileOf(dataDir), JSON.stringify(siblings));

/** Those that were started last with the node of this data directory. */
export function knownSiblings(dataDir: string): Sibling[] {
  return existsSync(fileOf(dataDir)) ? (JSON.parse(readFileSync(fileOf(dataDir), 'utf8')) as Sibling[]) : [];
}

/** Where the holder of the network namespace is in which the nodes' links meet. */
export const switchDirectory = (first: Pick<Settings, 'runDir'>): string => join(first.runDir, 'switch');
