/** The flags about what of a node pods may use, and how (docs/resources.md). */
import { isAbsolute } from 'node:path';
import type { ResourceOptions } from '../../agent/admission/supply.js';
import { parseCpuList } from '../../agent/cgroups/cpu-list.js';
import { UserError } from '../base/errors.js';
import { quantityNanos } from '../kube/quantity.js';
import { type PressureFlags, pressureFlags, pressureSettings } from './pressure-settings.js';

export const resourceFlags: readonly (readonly [name: string, flags: string, description: string])[] = [
  ['system-reserved', '--system-reserved <list>', 'kept for the system, e.g. cpu=500m,memory=1Gi (default nothing)'],
  ['kube-reserved', '--kube-reserved <list>', 'kept for Keelson itself, in the same form'],
  ['cpu-manager-policy', '--cpu-manager-policy <policy>', 'none (default) or static: whole CPUs for Guaranteed pods'],
  ['reserved-cpus', '--reserved-cpus <list>', 'CPUs that no container has for itself, e.g. 0-1'],
  ['pod-pids-limit', '--pod-pids-limit <n>', 'most processes of a pod (default no limit but 4096 per container)'],
  ['memory-qos', '--memory-qos <on|off>', 'keep the memory that pods ask for: memory.min, memory.high (default off)'],
  ['devices-dir', '--devices-dir <dir>', 'files that describe devices (default /etc/keelson/devices.d)'],
  ...pressureFlags,
];

export const resourceFlagNames: readonly string[] = resourceFlags.map(([name]) => name);

export interface ResourceFlags extends PressureFlags {
  systemReserved?: string;
  kubeReserved?: string;
  cpuManagerPolicy?: string;
  reservedCpus?: string | number;
  podPidsLimit?: string | number;
  memoryQos?: string;
  devicesDir?: string;
}

/** @throws UserError naming flag, value and what is allowed */
export function resourceSettings(f: ResourceFlags, defaultDevicesDir: string): ResourceOptions {
  return {
    cpuManagerPolicy: oneOf('--cpu-manager-policy', f.cpuManagerPolicy ?? 'none', ['none', 'static']),
    reservedCpus: cpuList(String(f.reservedCpus ?? '')),
    podPidsLimit: pidsLimit(f.podPidsLimit ?? 0),
    memoryQos: oneOf('--memory-qos', f.memoryQos ?? 'off', ['on', 'off']) === 'on',
    systemReserved: reservation('--system-reserved', f.systemReserved ?? ''),
    kubeReserved: reservation('--kube-reserved', f.kubeReserved ?? ''),
    devicesDir: directory(f.devicesDir ?? defaultDevicesDir),
    ...pressureSettings(f),
  };
}

function oneOf<T extends string>(flag: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find(word => word === value);
  if (!found) throw new UserError(`${flag} "${value}": must be ${allowed.join(' or ')}`);
  return found;
}

function cpuList(value: string): number[] {
  try {
    return parseCpuList(value);
  } catch (error) {
    throw new UserError(`--reserved-cpus "${value}": ${(error as Error).message}`);
  }
}

function pidsLimit(value: string | number): number {
  const n = Number(value);
  // kubelet's own word for none is -1
  if (n === -1) return 0;
  if (!Number.isInteger(n) || n < 0 || n > 4_194_304)
    throw new UserError(`--pod-pids-limit "${value}": must be a whole number from 1 to 4194304, or -1 for none`);
  return n;
}

const reservable = ['cpu', 'memory', 'ephemeral-storage'];

function reservation(flag: string, value: string): Record<string, string> {
  const pairs = value.split(',').filter(Boolean);
  return Object.fromEntries(
    pairs.map(pair => {
      const [name = '', amount = ''] = pair.split('=');
      if (!reservable.includes(name) || !isAmount(amount))
        throw new UserError(`${flag} "${pair}": must be NAME=QUANTITY, with ${reservable.join(', ')} as names`);
      return [name, amount];
    }),
  );
}

function isAmount(text: string): boolean {
  try {
    return quantityNanos(text) >= 0n;
  } catch {
    return false;
  }
}

function directory(value: string): string {
  if (!isAbsolute(value)) throw new UserError(`--devices-dir "${value}": must be an absolute path`);
  return value;
}
