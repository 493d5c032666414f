/** What each executable does: the same functions that the agent calls in process, configured by what a runtime hands over. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type AddressInfo, netlink } from '../native/index.js';
import { acquireLock, type ProcessLock } from '../src/base/process-lock.js';
import { limitBandwidth } from './bandwidth.js';
import { createBridgeNetwork } from './bridge.js';
import { type BridgeNetwork, CniError, type CniResult, type PortMapping } from './contract.js';
import { Ipam } from './ipam.js';
import { formatAddress, gatewayOf, parseRange, type Range } from './ipv4.js';
import { Portmap } from './portmap.js';

export interface PluginConfig {
  readonly name?: unknown;
  readonly cniVersion?: unknown;
  readonly prevResult?: CniResult;
  readonly runtimeConfig?: {
    readonly portMappings?: readonly PortMapping[];
    readonly bandwidth?: { readonly ingressRate?: number; readonly egressRate?: number };
  };
  readonly ipam?: IpamConfig;
  readonly [field: string]: unknown;
}

interface IpamConfig {
  readonly subnet?: string;
  readonly ranges?: readonly (readonly { readonly subnet?: string }[])[];
  readonly dataDir?: string;
  readonly routes?: readonly { readonly dst: string; readonly gw?: string }[];
}

export interface PluginInput {
  readonly config: PluginConfig;
  readonly containerID: string;
  readonly netns: string;
  readonly ifName: string;
}

export type Answer = Partial<CniResult>;

interface Plugin {
  add(input: PluginInput): Promise<Answer>;
  del(input: PluginInput): Promise<void>;
  check(input: PluginInput): Promise<void>;
  gc(input: PluginInput, valid: ReadonlySet<string>): Promise<void>;
}

/** Where host-local keeps addresses, too. */
const leases = '/var/lib/cni/networks';
const portFolder = '/var/lib/cni/keelson';
const lockMs = 10_000;

const textOf = ({ config }: PluginInput, field: string, otherwise: string): string =>
  String(config[field] ?? otherwise);

function subnetOf({ config }: PluginInput): string {
  const found = config.ipam?.subnet ?? config.ipam?.ranges?.[0]?.[0]?.subnet ?? config['subnet'];
  if (typeof found === 'string') return found;
  throw new CniError(7, 'ipam.subnet: Required value', 'an IPv4 range such as "10.88.0.0/16"');
}

function bridgeOf(input: PluginInput): BridgeNetwork {
  const { config } = input;
  return createBridgeNetwork({
    name: String(config.name),
    bridge: textOf(input, 'bridge', 'cni0'),
    subnet: subnetOf(input),
    clusterCidr: textOf(input, 'clusterCidr', subnetOf(input)),
    mtu: Number(config['mtu'] ?? 1500),
    hairpin: config['hairpinMode'] !== false,
    dataDir: config.ipam?.dataDir ?? leases,
  });
}

const bridge: Plugin = {
  add: async input => {
    const network = bridgeOf(input);
    await network.setup();
    return network.add({ ...input, object: `container ${input.containerID}` });
  },
  del: input => bridgeOf(input).del({ ...input, object: input.containerID }),
  check: input => checkAddresses(input),
  gc: (input, valid) => bridgeOf(input).gc(valid),
};

function ipamOf(input: PluginInput): { ipam: Ipam; range: Range } {
  const range = parseRange(subnetOf(input), 'ipam.subnet');
  const { config } = input;
  return { range, ipam: new Ipam({ dataDir: config.ipam?.dataDir ?? leases, name: String(config.name), range }) };
}

const ipam: Plugin = {
  add: async input => {
    const { ipam: own, range } = ipamOf(input);
    const { address } = await own.allocate(input.containerID, input.ifName);
    await own.settled();
    return {
      ips: [{ address: `${address}/${range.length}`, gateway: formatAddress(gatewayOf(range)) }],
      routes: input.config.ipam?.routes ?? [],
    };
  },
  del: input => ipamOf(input).ipam.release(input.containerID, input.ifName),
  check: async input => {
    const { fresh } = await ipamOf(input).ipam.allocate(input.containerID, input.ifName);
    if (!fresh) return;
    await ipamOf(input).ipam.release(input.containerID, input.ifName);
    throw new CniError(3, `container ${input.containerID} has no address in network "${String(input.config.name)}"`);
  },
  gc: (input, valid) => ipamOf(input).ipam.collect(valid),
};

function previous({ config }: PluginInput): CniResult {
  if (config.prevResult?.ips?.[0]) return config.prevResult;
  throw new CniError(7, 'prevResult with an address is required', 'this plugin comes after one that makes the link');
}

/** Ports of all containers are in one table: one process after the other. */
async function portmapped<T>(input: PluginInput, work: (portmap: Portmap) => Promise<T>): Promise<T> {
  await mkdir(portFolder, { recursive: true, mode: 0o700 });
  const lock = await waitForLock(join(portFolder, 'lock'));
  try {
    const link = input.config.prevResult?.interfaces?.find(one => !one.sandbox && !one.name.startsWith('veth'))?.name;
    const portmap = new Portmap({ dataDir: portFolder, bridge: link ?? textOf(input, 'bridge', 'cni0') });
    await portmap.setup();
    return await work(portmap);
  } finally {
    lock.release();
  }
}

async function waitForLock(path: string): Promise<ProcessLock> {
  for (const until = Date.now() + lockMs; ; ) {
    try {
      return acquireLock(path, 'the table of host ports');
    } catch (error) {
      if (Date.now() > until) throw error;
      await new Promise(resolve => setTimeout(resolve, 20));
    }
  }
}

const portmap: Plugin = {
  add: async input => {
    const result = previous(input);
    const address = result.ips[0]!.address.split('/')[0]!;
    const ports = (input.config.runtimeConfig?.portMappings ?? []).map(mapping => ({
      ...mapping,
      protocol: String(mapping.protocol ?? 'tcp').toLowerCase() as PortMapping['protocol'],
    }));
    await portmapped(input, own => own.add(input.containerID, { address, ports }));
    return result;
  },
  del: input => portmapped(input, own => own.del(input.containerID)),
  check: input => portmapped(input, async own => void (await own.check())),
  gc: (input, valid) => portmapped(input, own => own.gc(valid)),
};

const bandwidth: Plugin = {
  add: async input => {
    const result = previous(input);
    const host = result.interfaces.find(({ name, sandbox }) => !sandbox && name.startsWith('veth'));
    const { ingressRate, egressRate } = input.config.runtimeConfig?.bandwidth ?? {};
    const limits = { ...(ingressRate && { ingressBits: ingressRate }), ...(egressRate && { egressBits: egressRate }) };
    if (host) await limitBandwidth(limits, host.name, input);
    return result;
  },
  del: async () => {},
  check: async input => void previous(input),
  gc: async () => {},
};

/** What the runtime believes of a container must be so in its namespace. */
async function checkAddresses(input: PluginInput): Promise<void> {
  const [found] = (await netlink(input.netns, [{ op: 'address.list' }])) as [AddressInfo[]];
  for (const { address } of previous(input).ips)
    if (!found.some(one => one.address === address))
      throw new CniError(100, `container ${input.containerID} has lost its address ${address} on "${input.ifName}"`);
}

export const plugins: Readonly<Record<string, Plugin | undefined>> = {
  'keelson-bridge': bridge,
  'keelson-ipam': ipam,
  'keelson-portmap': portmap,
  'keelson-bandwidth': bandwidth,
};
