/**
 * Which IDs of the node a pod's user namespace has: 65,536 for each pod that wants one, told by a file in its directory,
 * so that they are the same after a restart of the agent and free as soon as the directory is gone.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFiles } from '../../native/index.js';
import { codeOf } from '../../src/base/errors.js';

/** As many as a user namespace shows: 0 to 65535 (kubelet's userNsLength). */
export const rangeLength = 65_536;
/** IDs are 32 bits, the last of them means "none". The first range is the node's own. */
const ranges = 65_536 - 1;

const fileName = 'userns.json';

/** The lowest base above the node's own that nobody has. Pure; throws RangeError if there is none. */
export function freeBase(taken: ReadonlySet<number>): number {
  for (let range = 1; range < ranges; range++) if (!taken.has(range * rangeLength)) return range * rangeLength;
  throw new RangeError(`all ${ranges - 1} ranges of user IDs are taken by pods`);
}

/** One after the other: two pods must not find the same one free. */
let turn: Promise<unknown> = Promise.resolve();

/** @param directory of the pod, below that of all pods. The base that it has, or is given now. */
export function idBaseOf(pods: string, directory: string): Promise<number> {
  const mine = turn.then(async () => (await readBase(directory)) ?? (await take(pods, directory)));
  turn = mine.catch(() => {});
  return mine;
}

async function take(pods: string, directory: string): Promise<number> {
  const others = await Promise.all((await readdir(pods)).map(uid => readBase(join(pods, uid))));
  const base = freeBase(new Set(others.flatMap(other => other ?? [])));
  await writeFiles([
    {
      op: 'replace',
      path: join(directory, fileName),
      data: JSON.stringify({ base, length: rangeLength }),
      mode: 0o600,
    },
  ]);
  return base;
}

async function readBase(directory: string): Promise<number | undefined> {
  try {
    const { base } = JSON.parse(await readFile(join(directory, fileName), 'utf8')) as { base: number };
    return base;
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** Where image layers and volumes can be shown with other IDs to an overlay that is attached nowhere. */
const firstKernel = [6, 15] as const;

/** Why this kernel cannot, if so. @param release as uname(2) has it: `6.18.1-amd64`. Pure. */
export function idMapProblem(release: string): string | undefined {
  const [major = 0, minor = 0] = release.split('.').map(part => Number.parseInt(part, 10));
  const [wantMajor, wantMinor] = firstKernel;
  if (major > wantMajor || (major === wantMajor && minor >= wantMinor)) return undefined;
  return `spec.hostUsers: false needs Linux ${wantMajor}.${wantMinor} or later for idmapped image layers; this node runs ${release}`;
}
