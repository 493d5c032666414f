/** hostPath: a root door by definition; the type is enforced as Kubernetes says (reliability rule B8). */
import { mkdir, open, stat } from 'node:fs/promises';
import { describe } from '../../src/base/errors.js';
import { VolumeError, type VolumeKind } from './contract.js';

type Stats = Awaited<ReturnType<typeof stat>>;

interface Check {
  readonly is: (s: Stats) => boolean;
  /** kubelet's words for it. */
  readonly called: string;
}

const directory: Check = { is: s => s.isDirectory(), called: 'directory' };
const file: Check = { is: s => s.isFile(), called: 'file' };
const checks: Readonly<Record<string, Check>> = {
  '': { is: () => true, called: 'directory' },
  Directory: directory,
  DirectoryOrCreate: directory,
  File: file,
  FileOrCreate: file,
  Socket: { is: s => s.isSocket(), called: 'socket file' },
  CharDevice: { is: s => s.isCharacterDevice(), called: 'character device' },
  BlockDevice: { is: s => s.isBlockDevice(), called: 'block device' },
};

export const hostPath: VolumeKind = {
  serves: volume => volume.hostPath !== undefined,
  prepare: async volume => {
    const { path, type = '' } = volume.hostPath ?? { path: '' };
    const check = checks[type];
    if (!check)
      throw new VolumeError(
        `volume "${volume.name}": hostPath.type "${type}": allowed are ${Object.keys(checks).filter(Boolean).join(', ')}`,
      );
    if (path.split('/').includes('..'))
      throw new VolumeError(`volume "${volume.name}": hostPath.path "${path}" must not contain ".."`);
    const found = await stat(path).catch(() => make(volume.name, path, type));
    if (!found || !check.is(found))
      throw new VolumeError(
        `MountVolume.SetUp failed for volume "${volume.name}" : hostPath type check failed: ${path} is not a ${check.called}`,
      );
    return { source: path, readOnly: false };
  },
};

/** What is missing, where the type says that it may be; without a type a directory, as container runtimes do. */
async function make(volume: string, path: string, type: string): Promise<Stats | undefined> {
  try {
    if (type === 'DirectoryOrCreate' || type === '') await mkdir(path, { recursive: true, mode: 0o755 });
    else if (type === 'FileOrCreate') await (await open(path, 'a', 0o644)).close();
    else return undefined;
    return await stat(path);
  } catch (error) {
    throw new VolumeError(`MountVolume.SetUp failed for volume "${volume}" : ${describe(error)}`, { cause: error });
  }
}
