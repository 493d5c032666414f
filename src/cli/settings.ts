/** Flags → where everything lives. Flags have the same names everywhere and can come from /etc/keelson/config.yaml. */
import { existsSync, readFileSync } from 'node:fs';
import { isIPv4 } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { parse } from 'yaml';
import type { ResourceOptions } from '../../agent/admission/supply.js';
import { type OverlayMode, overlayModes } from '../../agent/network/overlay.js';
import { type ProxyMode, proxyModes, type Scheduler, schedulers } from '../../agent/proxy/modes.js';
import { UserError } from '../base/errors.js';
import { type ResourceFlags, resourceFlagNames, resourceFlags, resourceSettings } from './resource-settings.js';
import { type PortRange, serviceFlags, serviceSettings } from './service-settings.js';

export const configFile = '/etc/keelson/config.yaml';

/** What the common flags say, complete. */
export interface Settings {
  readonly isolated: string | undefined;
  readonly nodeName: string;
  readonly dataDir: string;
  readonly runDir: string;
  readonly port: number;
  readonly kubeconfig: string;
  /** Undefined: off. */
  readonly auditLog: string | undefined;
  readonly manifestsDir: string;
  /** Undefined: the controller hands one out. */
  readonly podCIDR: string | undefined;
  readonly clusterCIDR: string;
  /** Prefix length of the range that a node is given. */
  readonly nodeMaskSize: number;
  readonly overlay: OverlayMode;
  /** Where foreign plugins are configured, and where they are. */
  readonly cniConfDir: string;
  readonly cniBinDirs: readonly string[];
  /** Where Services get their addresses: one range, or one of each family. */
  readonly serviceCIDRs: readonly string[];
  readonly nodePorts: PortRange;
  /** Undefined: the machine's first address. */
  readonly nodeIP: string | undefined;
  /** Where the API is served. */
  readonly bindAddress: string;
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

interface Flags extends ResourceFlags {
  isolated?: string;
  nodeName?: string;
  dataDir?: string;
  runDir?: string;
  port?: string | number;
  kubeconfig?: string;
  auditLog?: string;
  manifests?: string;
  podCidr?: string;
  clusterCidr?: string;
  nodeCidrMaskSize?: string | number;
  serviceCidr?: string;
  serviceNodePortRange?: string;
  overlay?: string;
  cniConfDir?: string;
  cniBinDir?: string;
  nodeIp?: string;
  bindAddress?: string;
  maxPods?: string | number;
  proxyMode?: string;
  ipvsScheduler?: string;
  allowedUnsafeSysctls?: string;
  rm?: boolean;
}

const numeric = ['port', 'max-pods', 'node-cidr-mask-size'];
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
    'pod-cidr',
    'cluster-cidr',
    'node-cidr-mask-size',
    'service-cidr',
    'service-node-port-range',
    'overlay',
    'cni-conf-dir',
    'cni-bin-dir',
    'node-ip',
    'bind-address',
  ],
  ...['max-pods', 'allowed-unsafe-sysctls', 'proxy-mode', 'ipvs-scheduler', 'rm'],
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
    ['pod-cidr', '--pod-cidr <cidr>', 'addresses of the pods of this node (default: as the controller says)'],
    [
      'cluster-cidr',
      '--cluster-cidr <cidr>',
      'addresses of all pods: traffic within is not masqueraded (default 10.244.0.0/16)',
    ],
    [
      'node-cidr-mask-size',
      '--node-cidr-mask-size <n>',
      'prefix length of the range of --cluster-cidr that each node is given (default 24)',
    ],
    ...serviceFlags,
    [
      'overlay',
      '--overlay <mode>',
      `how pods of other nodes are reached: ${overlayModes.join(', ')} (default vxlan; host-gw: nodes are neighbours)`,
    ],
    [
      'cni-conf-dir',
      '--cni-conf-dir <dir>',
      'CNI configuration that is used instead of our own network (default /etc/cni/net.d; isolated: in the data directory)',
    ],
    ['cni-bin-dir', '--cni-bin-dir <dirs>', 'where its plugins are (default /opt/cni/bin,/usr/lib/cni)'],
    [
      'node-ip',
      '--node-ip <address>',
      'address by which other nodes reach this one (default: the first of the machine)',
    ],
    [
      'bind-address',
      '--bind-address <address>',
      'where the API is served; 0.0.0.0 for other machines (default 127.0.0.1)',
    ],
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
  return {
    isolated,
    nodeName: nodeName(f.nodeName ?? isolated ?? hostname().toLowerCase()),
    dataDir,
    runDir: f.runDir ?? (isolated ? `/run/keelson/${isolated}` : '/run/keelson'),
    port: integer('--port', f.port ?? 6443, 1, 65_535),
    kubeconfig: f.kubeconfig ?? (isolated ? join(dataDir, 'admin.kubeconfig') : '/etc/keelson/admin.kubeconfig'),
    auditLog: f.auditLog === 'off' ? undefined : (f.auditLog ?? join(dataDir, 'audit', 'audit.log')),
    manifestsDir: f.manifests ?? (isolated ? join(dataDir, 'manifests') : '/etc/keelson/manifests'),
    ...networkSettings(f),
    ...serviceSettings(f),
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

function networkSettings(
  f: Flags,
): Pick<Settings, 'podCIDR' | 'clusterCIDR' | 'nodeMaskSize' | 'overlay' | 'nodeIP' | 'bindAddress'> {
  const clusterCIDR = cidr('--cluster-cidr', f.clusterCidr ?? '10.244.0.0/16');
  const length = Number(clusterCIDR.split('/')[1]);
  return {
    podCIDR: f.podCidr === undefined ? undefined : cidr('--pod-cidr', f.podCidr),
    clusterCIDR,
    nodeMaskSize: integer('--node-cidr-mask-size', f.nodeCidrMaskSize ?? Math.max(24, length), length, 29),
    overlay: oneOf('--overlay', f.overlay ?? 'vxlan', overlayModes),
    nodeIP: f.nodeIp === undefined ? undefined : ip('--node-ip', f.nodeIp),
    bindAddress: ip('--bind-address', f.bindAddress ?? '127.0.0.1'),
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

function cidr(flag: string, value: string): string {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(value);
  const [, a = 256, b = 256, c = 256, d = 256, prefix = 0] = (match ?? []).map(Number);
  const ok = [a, b, c, d].every(part => part <= 255) && prefix >= 8 && prefix <= 29;
  if (!ok) throw new UserError(`${flag} "${value}": must be an IPv4 range such as 10.244.0.0/24`);
  return value;
}

function ip(flag: string, value: string): string {
  if (!isIPv4(value)) throw new UserError(`${flag} "${value}": must be an IPv4 address such as 192.0.2.10`);
  return value;
}

function nodeName(value: string): string {
  if (!/^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$/.test(value))
    throw new UserError(`--node-name "${value}": must be a lower-case DNS name of at most 63 characters`);
  return value;
}

export const controllerSocket = (s: Settings): string => join(s.runDir, 'controller.sock');
export const nodeCredentials = (s: Settings): string => join(s.dataDir, 'node.kubeconfig');
