/** hostPath: a root door by definition; the type is enforced as Kubernetes says (reliability rule B8). */
import { mkdir, open, stat } from 'node:fs/promises';
import { codeOf } from '../../src/base/errors.js';
import { VolumeError, type VolumeKind } from './contract.js';

type Stats = Awaited<ReturnType<typeof stat>>;

const checks: Readonly<Record<string, (s: Stats) => boolean>> = {
  '': () => true,
  Directory: s => s.isDirectory(),
  DirectoryOrCreate: s => s.isDirectory(),
  File: s => s.isFile(),
  FileOrCreate: s => s.isFile(),
  Socket: s => s.isSocket(),
  CharDevice: s => s.isCharacterDevice(),
  BlockDevice: s => s.isBlockDevice(),
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
    if (type === 'DirectoryOrCreate') await mkdir(path, { recursive: true, mode: 0o755 });
    if (type === 'FileOrCreate') await (await open(path, 'a', 0o644)).close();
    const found = await stat(path).catch((error: unknown) => {
      throw new VolumeError(`hostPath type check failed: ${path}: ${codeOf(error) ?? String(error)}`, { cause: error });
    });
    if (!check(found)) throw new VolumeError(`hostPath type check failed: ${path} is not a ${type}`);
    return { source: path, readOnly: false };
  },
};
