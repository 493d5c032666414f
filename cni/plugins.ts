/** What each executable does: the same functions that the agent calls in process, configured by what a runtime hands over. */
import { join } from 'node:path';
import type { Cidr } from '../src/base/cidr.js';
import { describe } from '../src/base/errors.js';
import { limitBandwidth } from './bandwidth.js';
import { createBridgeNetwork } from './bridge.js';
import { hasGateways, refuseForeign } from './bridge-link.js';
import { checkAttachment } from './check.js';
import { type BridgeNetwork, CniError, type PortMapping } from './contract.js';
import { LeaseBook } from './leases.js';
import {
  alone,
  type Plugin,
  type PluginInput,
  previous,
  requireFolder,
  requireNetns,
  sharedFolder,
  textOf,
  unavailable,
} from './plugin-input.js';
import { Portmap } from './portmap.js';
import { gatewayOf, parseRanges } from './ranges.js';
import { missingRules } from './rules.js';
import { refuseUnsupported } from './unsupported.js';
import { vxlan } from './vxlan-plugin.js';

/** Where host-local keeps addresses, too. */
const leaseFolder = '/var/lib/cni/networks';

/** In host-local's words: `subnet`, or `ranges` with a set for each family. */
function subnetsOf({ config }: PluginInput): string[] {
  const { ipam: { subnet = config['subnet'], ranges } = {} } = config;
  if (typeof subnet === 'string') return [subnet];
  return (ranges ?? []).map((set, i) => {
    const [range, ...more] = set;
    if (range?.subnet && more.length === 0) return range.subnet;
    throw new CniError(
      7,
      `ipam.ranges[${i}]: one range with a subnet is required`,
      'one set of ranges for each family',
    );
  });
}

function rangesOf(input: PluginInput): string[] {
  const found = subnetsOf(input);
  if (found.length > 0) return found;
  throw new CniError(7, 'ipam.subnet: Required value', 'a range such as "10.88.0.0/16" or "fd00:10:88::/64"');
}

const linkOf = (input: PluginInput) => ({
  bridge: textOf(input, 'bridge', 'cni0'),
  mtu: Number(input.config['mtu'] ?? 1500),
});

function bridgeOf(input: PluginInput): BridgeNetwork {
  const { config } = input;
  return createBridgeNetwork({
    name: String(config.name),
    ...linkOf(input),
    subnets: rangesOf(input),
    clusterCidrs: textOf(input, 'clusterCidr', rangesOf(input).join(',')).split(','),
    hairpin: config['hairpinMode'] !== false,
    dataDir: config.ipam?.dataDir ?? leaseFolder,
  });
}

const bridge: Plugin = {
  add: async input => {
    refuseUnsupported('keelson-bridge', input.config);
    const network = bridgeOf(input);
    requireNetns(input);
    await network.setup();
    return network.add({ ...input, object: `container ${input.containerID}` });
  },
  del: input => bridgeOf(input).del({ ...input, object: input.containerID }),
  check: input => checkBridged(input),
  gc: (input, valid) => bridgeOf(input).gc(valid),
  status: async input => {
    refuseUnsupported('keelson-bridge', input.config);
    bridgeOf(input);
    const { leases, ranges } = leasesOf(input);
    const { bridge: name, mtu } = linkOf(input);
    await requireLeases(input);
    await refuseForeign({ name, mtu, ranges }).catch(async error => {
      throw unavailable(await leases.inUse(), 'the bridge cannot be had', describe(error));
    });
  },
};

function leasesOf(input: PluginInput): { leases: LeaseBook; ranges: readonly Cidr[] } {
  const ranges = parseRanges(rangesOf(input), 'ipam.subnet');
  const { config } = input;
  const dataDir = config.ipam?.dataDir ?? leaseFolder;
  return { ranges, leases: new LeaseBook({ dataDir, name: String(config.name), ranges }) };
}

async function requireLease(input: PluginInput): Promise<void> {
  const { containerID, ifName, config } = input;
  if (await leasesOf(input).leases.holds(containerID, ifName)) return;
  throw new CniError(3, `container ${containerID} has no address for "${ifName}" in network "${String(config.name)}"`);
}

/** @throws CniError 50 for a folder that cannot be written to, and for a full range: who has an address keeps it */
async function requireLeases(input: PluginInput): Promise<void> {
  refuseUnsupported('keelson-ipam', input.config);
  const { leases } = leasesOf(input);
  await requireFolder(join(input.config.ipam?.dataDir ?? leaseFolder, String(input.config.name)));
  await leases.requireFree().catch(error => {
    throw unavailable(false, 'no container can be added', describe(error));
  });
}

async function checkBridged(input: PluginInput): Promise<void> {
  refuseUnsupported('keelson-bridge', input.config);
  const result = previous(input);
  const { bridge } = linkOf(input);
  const { ranges } = leasesOf(input);
  requireNetns(input);
  await requireLease(input);
  await checkAttachment({ ...input, bridge, result });
  if (!(await hasGateways(ranges))) throw new CniError(100, `bridge "${bridge}" has lost the address of a gateway`);
  const missing = await missingRules({ bridge, subnets: rangesOf(input), clusterCidrs: [] });
  if (missing) throw new CniError(100, `the rules of bridge "${bridge}" in the chain ${missing} are missing`);
}

const ipam: Plugin = {
  add: async input => {
    refuseUnsupported('keelson-ipam', input.config);
    const { leases, ranges } = leasesOf(input);
    const { addresses } = await leases.allocate(input.containerID, input.ifName);
    await leases.settled();
    const ips = ranges.map((range, i) => ({ address: `${addresses[i]}/${range.length}`, gateway: gatewayOf(range) }));
    return { ips, routes: input.config.ipam?.routes ?? [] };
  },
  del: input => leasesOf(input).leases.release(input.containerID, input.ifName),
  check: requireLease,
  gc: (input, valid) => leasesOf(input).leases.collect(valid),
  status: requireLeases,
};

/** Ports of all containers are in one table: one process after the other. */
function portmapped<T>(input: PluginInput, work: (portmap: Portmap) => Promise<T>): Promise<T> {
  const link = input.config.prevResult?.interfaces?.find(one => !one.sandbox && !one.name.startsWith('veth'))?.name;
  return alone('the table of host ports', async () => {
    const portmap = new Portmap({ dataDir: sharedFolder, bridge: link ?? textOf(input, 'bridge', 'cni0') });
    await portmap.setup();
    return work(portmap);
  });
}

const portmap: Plugin = {
  add: async input => {
    const result = previous(input);
    const addresses = result.ips.map(({ address }) => address.split('/')[0]!);
    const ports = (input.config.runtimeConfig?.portMappings ?? []).map(mapping => ({
      ...mapping,
      protocol: String(mapping.protocol ?? 'tcp').toLowerCase() as PortMapping['protocol'],
    }));
    await portmapped(input, own => own.add(input.containerID, { addresses, ports }));
    return result;
  },
  del: input => portmapped(input, own => own.del(input.containerID)),
  check: input => portmapped(input, async own => void (await own.check())),
  gc: (input, valid) => portmapped(input, own => own.gc(valid)),
  status: () => requireFolder(sharedFolder),
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
  status: async () => {},
};

export const plugins: Readonly<Record<string, Plugin | undefined>> = {
  'keelson-bridge': bridge,
  'keelson-ipam': ipam,
  'keelson-portmap': portmap,
  'keelson-bandwidth': bandwidth,
  'keelson-vxlan': vxlan,
};
