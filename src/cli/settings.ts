/** Flags → where everything lives. Flags have the same names everywhere and can come from /etc/keelson/config.yaml. */
import { existsSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { parse } from 'yaml';
import type { ResourceOptions } from '../../agent/admission/supply.js';
import { type ProxyMode, proxyModes, type Scheduler, schedulers } from '../../agent/proxy/modes.js';
import { UserError } from '../base/errors.js';
import {
  type NetworkFlags,
  type NetworkSettings,
  networkFlags,
  networkSettings,
  numericNetworkFlags,
} from './network-settings.js';
import { type ResourceFlags, resourceFlagNames, resourceFlags, resourceSettings } from './resource-settings.js';
import { type PortRange, serviceFlags, serviceSettings } from './service-settings.js';

export const configFile = '/etc/keelson/config.yaml';

/** What the common flags say, complete. */
export interface Settings extends NetworkSettings {
  readonly isolated: string | undefined;
  readonly nodeName: string;
  readonly dataDir: string;
  readonly runDir: string;
  readonly port: number;
  readonly kubeconfig: string;
  /** Undefined: off. */
  readonly auditLog: string | undefined;
  readonly manifestsDir: string;
  /** Where foreign plugins are configured, and where they are. */
  readonly cniConfDir: string;
  readonly cniBinDirs: readonly string[];
  /** Where Services get their addresses: one range, or one of each family. */
  readonly serviceCIDRs: readonly string[];
  readonly nodePorts: PortRange;
  readonly maxPods: number;
  readonly proxyMode: ProxyMode;
  readonly ipvsScheduler: Scheduler;
  /** Kernel parameters that pods may set beside the safe ones. */
  readonly allowedUnsafeSysctls: readonly string[];
  /** Our own top cgroup. */
  readonly cgroupName: string;
  readonly removeOnStop: boolean;
  readonly resources: ResourceOptions;
}

interface Flags extends ResourceFlags, NetworkFlags {
  isolated?: string;
  nodeName?: string;
  dataDir?: string;
  runDir?: string;
  port?: string | number;
  kubeconfig?: string;
  auditLog?: string;
  manifests?: string;
  serviceCidr?: string;
  serviceNodePortRange?: string;
  cniConfDir?: string;
  cniBinDir?: string;
  maxPods?: string | number;
  proxyMode?: string;
  ipvsScheduler?: string;
  allowedUnsafeSysctls?: string;
  rm?: boolean;
}

const numeric = ['port', 'max-pods', ...numericNetworkFlags];
const settingNames = [
  ...[
    'isolated',
    'data-dir',
    'run-dir',
    'node-name',
    'port',
    'kubeconfig',
    'audit-log',
    'manifests',
    'service-cidr',
    'service-node-port-range',
    'cni-conf-dir',
    'cni-bin-dir',
  ],
  ...['max-pods', 'allowed-unsafe-sysctls', 'proxy-mode', 'ipvs-scheduler', 'rm'],
  ...networkFlags.map(([name]) => name),
  ...resourceFlagNames,
];

/** Adds the flags that say where a node lives; `only` picks those that a command uses. */
export function addSettings(command: Command, only?: readonly string[]): Command {
  const all: (readonly [name: string, flags: string, description: string])[] = [
    [
      'isolated',
      '--isolated <name>',
      'put the whole node into namespaces of its own, so that the host is left untouched',
    ],
    ['data-dir', '--data-dir <dir>', 'state (default /var/lib/keelson; isolated: /var/lib/keelson/isolated/NAME)'],
    ['run-dir', '--run-dir <dir>', 'sockets (default /run/keelson; isolated: /run/keelson/NAME)'],
    ['node-name', '--node-name <name>', 'name of this node (default: host name, or the isolated name)'],
    ['port', '--port <port>', 'port of the API on 127.0.0.1 (default 6443)'],
    [
      'kubeconfig',
      '--kubeconfig <file>',
      'where the admin kubeconfig is written (default /etc/keelson/admin.kubeconfig; isolated: in the data directory)',
    ],
    [
      'audit-log',
      '--audit-log <file>',
      'one JSON line for every request to the API, rotated at 64 MiB, or "off" (default audit/audit.log in the data directory)',
    ],
    ['manifests', '--manifests <dir>', 'static pods (default /etc/keelson/manifests; isolated: in the data directory)'],
    ...networkFlags,
    ...serviceFlags,
    [
      'cni-conf-dir',
      '--cni-conf-dir <dir>',
      'CNI configuration that is used instead of our own network (default /etc/cni/net.d; isolated: in the data directory)',
    ],
    ['cni-bin-dir', '--cni-bin-dir <dirs>', 'where its plugins are (default /opt/cni/bin,/usr/lib/cni)'],
    ['max-pods', '--max-pods <n>', 'how many pods this node takes (default 250)'],
    ['proxy-mode', '--proxy-mode <mode>', `how this node serves Services: ${proxyModes.join(', ')} (default auto)`],
    [
      'ipvs-scheduler',
      '--ipvs-scheduler <name>',
      `how ip_vs chooses among endpoints, with --proxy-mode=ipvs: ${schedulers.join(', ')} (default rr)`,
    ],
    [
      'allowed-unsafe-sysctls',
      '--allowed-unsafe-sysctls <list>',
      'kernel parameters that pods may set beside the safe ones, comma-separated, e.g. net.core.somaxconn,kernel.msg*',
    ],
    ...resourceFlags,
    ['rm', '--rm', 'on stop, take away every pod, link, cgroup, mount and rule'],
  ];
  for (const [name, flags, description] of all)
    if (!only || only.includes(name)) command.addOption(new Option(flags, description));
  return command;
}

/** Flags over config file over defaults. Throws UserError naming flag, value and what is allowed. */
export function settingsFrom(flags: Flags, file: string = configFile): Settings {
  const f: Flags = { ...readConfig(file), ...flags };
  const { isolated } = f;
  if (isolated !== undefined && !/^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$/.test(isolated)) {
    throw new UserError(`--isolated "${isolated}": lower-case letters, digits and "-" are allowed, at most 32`);
  }
  const dataDir = f.dataDir ?? (isolated ? `/var/lib/keelson/isolated/${isolated}` : '/var/lib/keelson');
  const services = serviceSettings(f);
  return {
    isolated,
    nodeName: nodeName(f.nodeName ?? isolated ?? hostname().toLowerCase()),
    dataDir,
    runDir: f.runDir ?? (isolated ? `/run/keelson/${isolated}` : '/run/keelson'),
    port: integer('--port', f.port ?? 6443, 1, 65_535),
    kubeconfig: f.kubeconfig ?? (isolated ? join(dataDir, 'admin.kubeconfig') : '/etc/keelson/admin.kubeconfig'),
    auditLog: f.auditLog === 'off' ? undefined : (f.auditLog ?? join(dataDir, 'audit', 'audit.log')),
    manifestsDir: f.manifests ?? (isolated ? join(dataDir, 'manifests') : '/etc/keelson/manifests'),
    ...networkSettings(f, services.serviceCIDRs),
    ...services,
    cniConfDir: f.cniConfDir ?? (isolated ? join(dataDir, 'cni', 'net.d') : '/etc/cni/net.d'),
    cniBinDirs: (f.cniBinDir ?? '/opt/cni/bin,/usr/lib/cni').split(',').filter(Boolean),
    allowedUnsafeSysctls: (f.allowedUnsafeSysctls ?? '').split(',').filter(Boolean),
    maxPods: integer('--max-pods', f.maxPods ?? 250, 1, 1000),
    proxyMode: oneOf('--proxy-mode', f.proxyMode ?? 'auto', proxyModes),
    ipvsScheduler: oneOf('--ipvs-scheduler', f.ipvsScheduler ?? 'rr', schedulers),
    cgroupName: isolated ? `keelson-${isolated}` : 'keelson',
    removeOnStop: f.rm ?? false,
    resources: resourceSettings(f, isolated ? join(dataDir, 'devices.d') : '/etc/keelson/devices.d'),
  };
}

/** `data-dir: /x` in the file is `--data-dir /x`. */
function readConfig(file: string): Flags {
  if (!existsSync(file)) return {};
  const value = parseConfig(file);
  if (value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value))
    throw new UserError(`${file}: must be a map of flag names to values, e.g. "port: 6443"`);
  const camel = (key: string) => key.replace(/-([a-z])/g, (_, c: string) => c.toUpperCase());
  return Object.fromEntries(
    Object.entries(value).map(([key, v]) => [camel(key), checkedSetting(file, key, v)]),
  ) as Flags;
}

function parseConfig(file: string): unknown {
  try {
    return parse(readFileSync(file, 'utf8'));
  } catch (error) {
    const [line = ''] = (error as Error).message.split('\n');
    throw new UserError(`${file}: ${line.replace(/:$/, '')}`, 'correct the file, or move it away');
  }
}

/** Numbers and true/false where flags take them; everything else is text. Throws UserError naming file, key and value. */
function checkedSetting(file: string, key: string, value: unknown): string | number | boolean {
  if (!settingNames.includes(key))
    throw new UserError(`${file}: unknown setting "${key}"; allowed: ${settingNames.join(', ')}`);
  if (key === 'rm' ? typeof value === 'boolean' : typeof value === 'string' || typeof value === 'number')
    return numeric.includes(key) || key === 'rm' ? (value as string | number | boolean) : String(value);
  throw new UserError(
    `${file}: ${key} ${JSON.stringify(value)}: must be ${key === 'rm' ? 'true or false' : 'one value'}`,
  );
}

function integer(flag: string, value: string | number, min: number, max: number): number {
  const n = Number(value);
  if (!Number.isInteger(n) || n < min || n > max)
    throw new UserError(`${flag} "${value}": must be a whole number from ${min} to ${max}`);
  return n;
}

function oneOf<T extends string>(flag: string, value: string, allowed: readonly T[]): T {
  if ((allowed as readonly string[]).includes(value)) return value as T;
  throw new UserError(`${flag} "${value}": must be one of ${allowed.join(', ')}`);
}

function nodeName(value: string): string {
  if (!/^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$/.test(value))
    throw new UserError(`--node-name "${value}": must be a lower-case DNS name of at most 63 characters`);
  return value;
}

export const controllerSocket = (s: Settings): string => join(s.runDir, 'controller.sock');
export const nodeCredentials = (s: Pick<Settings, 'dataDir'>): string => join(s.dataDir, 'node.kubeconfig');
