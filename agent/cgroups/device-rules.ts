/** Devices that every container may use; making nodes is allowed, as runtimes have it, opening others is not. */
import { cgroupDevices, type DeviceRule, KernelError } from '../../native/index.js';
import type { Logger } from '../../src/base/log.js';

const memory = [3, 5, 7, 8, 9].map(minor => ({ type: 'c', major: 1, minor, access: 'rwm' }) as const);
const terminals = [0, 1, 2].map(minor => ({ type: 'c', major: 5, minor, access: 'rwm' }) as const);

/** null, zero, full, random, urandom; tty, console, ptmx; pseudo-terminals. */
export const defaultDeviceRules: readonly DeviceRule[] = [
  { type: 'a', access: 'm' },
  ...memory,
  ...terminals,
  { type: 'c', major: 136, access: 'rwm' },
];

/** Where this kernel or an outer container forbids such programs, the container starts without: that is told. */
export async function restrictDevices(group: string, given: readonly DeviceRule[], log: Logger): Promise<void> {
  try {
    await cgroupDevices(group, [...defaultDeviceRules, ...given]);
  } catch (error) {
    if (!(error instanceof KernelError) || !['EPERM', 'ENOSYS', 'EINVAL'].includes(error.code)) throw error;
    log.warn({ group, error: error.message }, 'devices of a container cannot be restricted on this kernel');
  }
}
