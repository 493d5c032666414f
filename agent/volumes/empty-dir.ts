/** emptyDir on the node's disk: lives as long as the pod. */
import { chmod, chown, mkdir } from 'node:fs/promises';
import { VolumeError, type VolumeKind } from './contract.js';
import { fsGroupOf } from './files.js';

/** World-writable as kubelet makes it; with a group, what is made inside belongs to that group too. */
const openMode = 0o777;
const setGroupId = 0o2000;

export const emptyDir: VolumeKind = {
  serves: volume => volume.emptyDir !== undefined,
  prepare: async (volume, { directory, pod }) => {
    const medium = volume.emptyDir?.medium ?? '';
    if (medium !== '')
      throw new VolumeError(
        `volume "${volume.name}": emptyDir.medium "${medium}": only "" (the node's disk) is supported`,
      );
    await mkdir(directory, { recursive: true });
    const group = fsGroupOf(pod);
    if (group !== undefined) await chown(directory, 0, group);
    // chmod because mkdir's mode is cut by umask
    await chmod(directory, group === undefined ? openMode : openMode | setGroupId);
    return { source: directory, readOnly: false };
  },
};
