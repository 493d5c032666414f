/** Devices that a container was given → what it sees of them: mounts, variables, and the rules of its device program. */
import { statSync } from 'node:fs';
import type { DeviceRule } from '../../native/index.js';
import type { MountSpec } from '../containers/contract.js';
import type { Device } from './plugin-file.js';

export interface Injection {
  readonly mounts: readonly MountSpec[];
  readonly env: Readonly<Record<string, string>>;
  readonly rules: readonly DeviceRule[];
}

/** @throws Error naming the node if one is gone */
export function injectDevices(devices: readonly Device[]): Injection {
  const nodes = devices.flatMap(device => device.nodes);
  const mounts = devices.flatMap(device => device.mounts);
  return {
    // the node's own device is bound: same number, owner and mode, and no mknod
    mounts: [...nodes.map(node => bind(node, false)), ...mounts.map(mount => bind(mount, mount.readOnly))],
    env: Object.assign({}, ...devices.map(device => device.env)) as Record<string, string>,
    rules: nodes.map(ruleOf),
  };
}

const bind = (paths: { hostPath: string; containerPath: string }, readOnly: boolean): MountSpec => ({
  source: paths.hostPath,
  target: paths.containerPath,
  readOnly,
  propagation: 'private',
});

function ruleOf({ hostPath, permissions }: Device['nodes'][number]): DeviceRule {
  const found = statSync(hostPath);
  return {
    type: found.isBlockDevice() ? 'b' : 'c',
    ...deviceNumber(found.rdev),
    access: permissions,
  };
}

/** glibc's layout of dev_t (makedev(3)). */
function deviceNumber(rdev: number): { major: number; minor: number } {
  const device = BigInt(rdev);
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn);
  const minor = (device & 0xffn) | ((device >> 12n) & ~0xffn & 0xffffffffn);
  return { major: Number(major), minor: Number(minor) };
}
