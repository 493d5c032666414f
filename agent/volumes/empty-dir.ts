/** emptyDir on the node's disk or in memory: lives as long as the pod. */
import { chmod, chown, mkdir } from 'node:fs/promises';
import { writeFiles } from '../../native/index.js';
import { VolumeError, type VolumeKind } from './contract.js';
import { fsGroupOf } from './files.js';
import { memoryMount } from './memory-medium.js';

/** World-writable as kubelet makes it; with a group, what is made inside belongs to that group too. */
const openMode = 0o777;
const setGroupId = 0o2000;

export const emptyDir: VolumeKind = {
  serves: volume => volume.emptyDir !== undefined,
  prepare: async (volume, { directory, pod, allocatable }) => {
    const mount = memoryMount(volume, pod, allocatable);
    await mkdir(directory, { recursive: true });
    if (mount) await writeFiles([{ op: 'mount', path: directory, ...mount }]).catch(failed(volume.name));
    const group = fsGroupOf(pod);
    if (group !== undefined) await chown(directory, 0, group);
    // chmod because mkdir's mode is cut by umask
    await chmod(directory, group === undefined ? openMode : openMode | setGroupId);
    return { source: directory, readOnly: false };
  },
};

const failed = (volume: string) => (error: Error) => {
  throw new VolumeError(`MountVolume.SetUp failed for volume "${volume}" : ${error.message}`, { cause: error });
};
