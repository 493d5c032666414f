/** emptyDir on the node's disk: lives as long as the pod. */
import { chmod, mkdir } from 'node:fs/promises';
import { VolumeError, type VolumeKind } from './contract.js';

export const emptyDir: VolumeKind = {
  serves: volume => volume.emptyDir !== undefined,
  prepare: async (volume, { directory }) => {
    const medium = volume.emptyDir?.medium ?? '';
    if (medium !== '')
      throw new VolumeError(
        `volume "${volume.name}": emptyDir.medium "${medium}": only "" (the node's disk) is supported`,
      );
    await mkdir(directory, { recursive: true });
    // world-writable as kubelet makes it; chmod because mkdir's mode is cut by umask
    await chmod(directory, 0o777);
    return { source: directory, readOnly: false };
  },
};
