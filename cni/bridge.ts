/**
 * The bridge network of one node: pods on a Linux bridge, the bridge's first address as their gateway. The agent calls
 * this in process; every call may be repeated. A pod's link is never waited for when it goes: it ends with its namespace.
 */
import { createHash } from 'node:crypto';
import { access, writeFile } from 'node:fs/promises';
import { type AddressInfo, KernelError, type LinkInfo, netlink, type VethInfo, vethAttach } from '../native/index.js';
import { codeOf } from '../src/base/errors.js';
import { failpoint } from '../src/base/failpoint.js';
import { limitBandwidth } from './bandwidth.js';
import { type Attachment, type BridgeConfig, type BridgeNetwork, CniError, type CniResult } from './contract.js';
import { Ipam } from './ipam.js';
import { formatAddress, gatewayOf, parseAddress, parseRange, podAddresses, type Range } from './ipv4.js';
import { Portmap } from './portmap.js';
import { applyBridgeRules, podLinkGroup, removeBridgeRules } from './rules.js';

/** Links to be deleted by one message are first put in this group. */
const dyingGroup = podLinkGroup + 1;

/** The kernel allows 15 characters. */
export function hostLinkName(containerID: string): string {
  return `veth${createHash('sha256').update(containerID).digest('hex').slice(0, 8)}`;
}

/** Fixed, from the gateway's address: a bridge without one takes the lowest of its ports and breaks ARP caches. */
export function bridgeMac(gateway: number): string {
  const bytes = [0x0a, 0x58, ...[24, 16, 8, 0].map(shift => (gateway >>> shift) & 255)];
  return bytes.map(byte => byte.toString(16).padStart(2, '0')).join(':');
}

const macOf = (address: string): string => bridgeMac(parseAddress(address) ?? 0);

/** @throws CniError 7 for a range that is malformed or too small */
export function createBridgeNetwork(config: BridgeConfig): BridgeNetwork {
  const range = parseRange(config.subnet, 'subnet');
  parseRange(config.clusterCidr, 'clusterCidr');
  if (podAddresses(range).count < 1)
    throw new CniError(
      7,
      `Cannot use subnet "${config.subnet}"`,
      'expected a prefix of at most 29 or 30 bits, so that pods have addresses',
    );
  if (!/^[^\s/]{1,15}$/.test(config.bridge))
    throw new CniError(7, `Cannot use bridge "${config.bridge}"`, 'expected 1 to 15 characters without "/" and spaces');
  return new Bridge(config, range);
}

class Bridge implements BridgeNetwork {
  readonly #config: BridgeConfig;
  readonly #range: Range;
  readonly #gateway: string;
  readonly #ipam: Ipam;
  readonly #portmap: Portmap;

  constructor(config: BridgeConfig, range: Range) {
    this.#config = config;
    this.#range = range;
    this.#gateway = formatAddress(gatewayOf(range));
    this.#ipam = new Ipam({ dataDir: config.dataDir, name: config.name, range });
    this.#portmap = new Portmap(config);
  }

  async setup(): Promise<void> {
    await this.#makeBridge();
    await this.#writeSysctls();
    await this.#raiseBridge();
    await applyBridgeRules(this.#config);
    await this.#portmap.setup();
  }

  async add(attachment: Attachment): Promise<CniResult> {
    const lease = await this.#ipam.allocate(attachment.containerID, attachment.ifName);
    try {
      const veth = lease.fresh
        ? await this.#attachAnew(attachment, lease.address)
        : ((await this.#attached(attachment, lease.address)) ?? (await this.#attachAnew(attachment, lease.address)));
      await failpoint('cni.afterAdd');
      await this.#furnish(attachment, lease.address);
      return this.#result(attachment, lease.address, veth);
    } catch (error) {
      if (lease.fresh) await this.del(attachment);
      throw this.#explained(attachment, error);
    }
  }

  async #furnish({ containerID, netns, ifName, portMappings = [], bandwidth = {} }: Attachment, address: string) {
    await limitBandwidth(bandwidth, hostLinkName(containerID), { netns, ifName });
    await this.#portmap.add(containerID, { address, ports: portMappings });
  }

  /** Its ports lead nowhere before its address can be another's. */
  async del({ containerID, ifName }: Omit<Attachment, 'netns'>): Promise<void> {
    await this.#portmap.del(containerID);
    await this.#ipam.release(containerID, ifName);
  }

  async check(): Promise<void> {
    await this.#portmap.check();
  }

  async gc(valid: ReadonlySet<string>): Promise<void> {
    await this.#portmap.gc(valid);
    await this.#ipam.collect(valid);
    const names = new Set([...valid].map(hostLinkName));
    const links = await this.#links();
    const bridge = links.find(link => link.name === this.#config.bridge);
    const stale = links.filter(
      link => bridge && link.master === bridge.index && /^veth[0-9a-f]{8}$/.test(link.name) && !names.has(link.name),
    );
    await this.#deleteLinks(stale.map(link => link.name));
  }

  async teardown(): Promise<void> {
    await this.#ipam.settled();
    await netlink(null, [{ op: 'link.delete', name: this.#config.bridge, ifMissing: 'ignore' }]);
    await removeBridgeRules(this.#config.bridge);
    await this.#portmap.teardown();
  }

  async #makeBridge(): Promise<void> {
    const { bridge: name, mtu } = this.#config;
    const existing = (await this.#links()).find(link => link.name === name);
    if (existing && existing.kind !== 'bridge') {
      throw new CniError(
        7,
        `Cannot use bridge "${name}"`,
        `a link of kind "${existing.kind ?? 'physical'}" has that name`,
      );
    }
    if (existing) await this.#refuseForeign(existing);
    const mac = bridgeMac(gatewayOf(this.#range));
    await netlink(null, [existing ? { op: 'link.set', name, mtu, mac } : { op: 'bridge.add', name, mtu, mac }]);
  }

  /** One of ours has the MAC of its gateway, also from an earlier range: another network's is not taken from it. */
  async #refuseForeign({ name, index, mac }: LinkInfo): Promise<void> {
    const [addresses] = (await netlink(null, [{ op: 'address.list' }])) as [AddressInfo[]];
    const wanted = `${this.#gateway}/${this.#range.length}`;
    const foreign = addresses.find(
      ({ index: of, family, address }) =>
        of === index && family === 4 && address !== wanted && mac !== macOf(address.split('/')[0]!),
    );
    if (foreign)
      throw new CniError(
        7,
        `Cannot use bridge "${name}"`,
        `it exists with the address ${foreign.address}, which another network gave it; pods here would have ${wanted}`,
      );
  }

  /** Before the bridge is up. Pods have no IPv6, so the bridge has none: nothing is flooded to every port for it. */
  async #writeSysctls(): Promise<void> {
    const { bridge } = this.#config;
    await sysctl('net/ipv4/ip_forward', '1');
    await sysctl(`net/ipv4/conf/${bridge}/rp_filter`, '1');
    await sysctl(`net/ipv4/conf/${bridge}/accept_redirects`, '0');
    await sysctl(`net/ipv6/conf/${bridge}/accept_ra`, '0', 'optional');
    await sysctl(`net/ipv6/conf/${bridge}/accept_redirects`, '0', 'optional');
    await sysctl(`net/ipv6/conf/${bridge}/disable_ipv6`, '1', 'optional');
  }

  /**
   * The gateway is its only IPv4 address: one left from an earlier range would keep an old route. Whose earlier range that
   * was shows its MAC, which ours have from their gateway.
   */
  async #raiseBridge(): Promise<void> {
    const { bridge: dev } = this.#config;
    const wanted = `${this.#gateway}/${this.#range.length}`;
    const [addresses, links] = (await netlink(null, [{ op: 'address.list' }, { op: 'link.list' }])) as [
      { index: number; address: string; family: number }[],
      LinkInfo[],
    ];
    const index = links.find(link => link.name === dev)?.index;
    const stale = addresses.filter(entry => entry.index === index && entry.family === 4 && entry.address !== wanted);
    await netlink(null, [
      ...stale.map(({ address }) => ({ op: 'address.delete', dev, address, ifMissing: 'ignore' }) as const),
      { op: 'address.add', dev, address: wanted, ifExists: 'ignore' },
      { op: 'link.set', name: dev, up: true },
    ]);
  }

  /** A host link of that name is left from an attempt that died: its namespace is not this one. */
  async #attachAnew(attachment: Attachment, address: string): Promise<VethInfo> {
    const spec = {
      object: attachment.object,
      netns: attachment.netns,
      hostName: hostLinkName(attachment.containerID),
      name: attachment.ifName,
      bridge: this.#config.bridge,
      mtu: this.#config.mtu,
      hairpin: this.#config.hairpin,
      group: podLinkGroup,
      addresses: [`${address}/${this.#range.length}`],
      gateways: [this.#gateway],
      ipv6: false,
    };
    try {
      return await vethAttach(spec);
    } catch (error) {
      if (codeOf(error) !== 'EEXIST' || !isOwnLink(error)) throw error;
    }
    await this.#deleteLinks([spec.hostName]);
    return vethAttach(spec);
  }

  /** What a repeated ADD finds: the link complete on both sides, or undefined. */
  async #attached({ containerID, netns, ifName }: Attachment, address: string): Promise<VethInfo | undefined> {
    const [links, addresses] = (await netlink(netns, [{ op: 'link.list' }, { op: 'address.list' }])) as [
      LinkInfo[],
      { index: number; address: string }[],
    ];
    const inside = links.find(link => link.name === ifName && link.up);
    const host = (await this.#links()).find(link => link.name === hostLinkName(containerID) && link.up);
    const complete = addresses.some(
      entry => entry.index === inside?.index && entry.address === `${address}/${this.#range.length}`,
    );
    return inside && host && complete ? { hostIndex: host.index, hostMac: host.mac, mac: inside.mac } : undefined;
  }

  async #deleteLinks(names: readonly string[]): Promise<void> {
    if (names.length === 0) return;
    const marks = await Promise.allSettled(
      names.map(name => netlink(null, [{ op: 'link.set', name, group: dyingGroup }])),
    );
    const failed = marks.find(mark => mark.status === 'rejected' && codeOf(mark.reason) !== 'ENODEV');
    await netlink(null, [{ op: 'link.deleteGroup', group: dyingGroup }]);
    if (failed?.status === 'rejected') throw failed.reason;
  }

  async #links(): Promise<LinkInfo[]> {
    return (await netlink(null, [{ op: 'link.list' }]))[0] as LinkInfo[];
  }

  #result(attachment: Attachment, address: string, veth: VethInfo): CniResult {
    const { bridge, mtu } = this.#config;
    return {
      cniVersion: '1.1.0',
      interfaces: [
        { name: bridge, mac: bridgeMac(gatewayOf(this.#range)) },
        { name: hostLinkName(attachment.containerID), mac: veth.hostMac, mtu },
        { name: attachment.ifName, mac: veth.mac, mtu, sandbox: attachment.netns },
      ],
      ips: [{ address: `${address}/${this.#range.length}`, gateway: this.#gateway, interface: 2 }],
      routes: [{ dst: '0.0.0.0/0', gw: this.#gateway }],
    };
  }

  #explained(attachment: Attachment, error: unknown): unknown {
    if (!(error instanceof KernelError)) return error;
    return new CniError(101, `Cannot attach ${attachment.object} to bridge "${this.#config.bridge}"`, error.message, {
      cause: error,
    });
  }
}

/** EEXIST of the link itself, not of an address or route. */
function isOwnLink(error: unknown): boolean {
  return error instanceof KernelError && error.syscall.startsWith('RTM_NEWLINK(veth');
}

async function sysctl(name: string, value: string, need: 'required' | 'optional' = 'required'): Promise<void> {
  const path = `/proc/sys/${name}`;
  if (need === 'optional' && !(await exists(path))) return;
  await writeFile(path, value).catch(cause => {
    throw new CniError(100, `Cannot write "${value}" to "${path}"`, undefined, { cause });
  });
}

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );
