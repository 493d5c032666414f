/**
 * The bridge network of one node: pods on a Linux bridge, the bridge's addresses as their gateways. The agent calls this in
 * process; every call may be repeated.
 */
import { KernelError, netlink, type VethInfo } from '../native/index.js';
import type { Cidr } from '../src/base/cidr.js';
import { failpoint } from '../src/base/failpoint.js';
import { limitBandwidth } from './bandwidth.js';
import { type BridgeLink, hasGateways, raiseBridge, refuseForeign } from './bridge-link.js';
import { type Attachment, type BridgeConfig, type BridgeNetwork, CniError, type CniResult } from './contract.js';
import { LeaseBook } from './leases.js';
import { attachedPod, attachPod, deleteStaleLinks, hostLinkName, type PodLink } from './pod-link.js';
import { Portmap } from './portmap.js';
import { bridgeMac, gatewayOf, parseRanges, podAddresses } from './ranges.js';
import { BridgeRules } from './rules.js';
import { forwardIpv6 } from './sysctls.js';

/** @throws CniError 7 for a range that is malformed or too small */
export function createBridgeNetwork(config: BridgeConfig): BridgeNetwork {
  const ranges = parseRanges(config.subnets, 'subnet');
  parseRanges(config.clusterCidrs, 'clusterCidr');
  const small = ranges.findIndex(range => podAddresses(range).count < 1n);
  if (small >= 0)
    throw new CniError(
      7,
      `Cannot use subnet "${config.subnets[small]}"`,
      'expected a prefix of at most 30 bits (of IPv6: 126), so that pods have addresses',
    );
  if (!/^[^\s/]{1,15}$/.test(config.bridge))
    throw new CniError(7, `Cannot use bridge "${config.bridge}"`, 'expected 1 to 15 characters without "/" and spaces');
  return new Bridge(config, ranges);
}

const defaultRoute = { 4: '0.0.0.0/0', 6: '::/0' } as const;

class Bridge implements BridgeNetwork {
  readonly #config: BridgeConfig;
  readonly #ranges: readonly Cidr[];
  readonly #gateways: readonly string[];
  readonly #leases: LeaseBook;
  readonly #rules: BridgeRules;
  readonly #portmap: Portmap;

  constructor(config: BridgeConfig, ranges: readonly Cidr[]) {
    this.#config = config;
    this.#ranges = ranges;
    this.#gateways = ranges.map(gatewayOf);
    this.#leases = new LeaseBook({ dataDir: config.dataDir, name: config.name, ranges });
    this.#rules = new BridgeRules(config);
    this.#portmap = new Portmap(config);
  }

  get #bridge(): BridgeLink {
    return { name: this.#config.bridge, mtu: this.#config.mtu, ranges: this.#ranges };
  }

  async setup(): Promise<void> {
    await refuseForeign(this.#bridge);
    if (this.#ranges.some(({ family }) => family === 6)) await forwardIpv6();
    await raiseBridge(this.#bridge);
    await this.#rules.apply();
    await this.#portmap.setup();
  }

  async add(attachment: Attachment): Promise<CniResult> {
    const { addresses, fresh } = await this.#leases.allocate(attachment.containerID, attachment.ifName);
    try {
      const link = this.#linkWith(addresses);
      const there = fresh ? undefined : await attachedPod(attachment, link.addresses);
      const veth = there ?? (await attachPod(attachment, link));
      await failpoint('cni.afterAdd');
      await this.#furnish(attachment, addresses);
      return this.#result(attachment, link.addresses, veth);
    } catch (error) {
      if (fresh) await this.del(attachment);
      throw this.#explained(attachment, error);
    }
  }

  #linkWith(addresses: readonly string[]): PodLink {
    const { bridge, mtu, hairpin } = this.#config;
    const withPrefix = addresses.map((address, i) => `${address}/${this.#ranges[i]?.length}`);
    return { bridge, mtu, hairpin, addresses: withPrefix, gateways: this.#gateways };
  }

  async #furnish(
    { containerID, netns, ifName, portMappings = [], bandwidth = {} }: Attachment,
    addresses: readonly string[],
  ): Promise<void> {
    await limitBandwidth(bandwidth, hostLinkName(containerID), { netns, ifName });
    await this.#portmap.add(containerID, { addresses, ports: portMappings });
  }

  /** Its ports lead nowhere before its addresses can be another's. */
  async del({ containerID, ifName }: Omit<Attachment, 'netns'>): Promise<void> {
    await this.#portmap.del(containerID);
    await this.#leases.release(containerID, ifName);
  }

  async check(): Promise<void> {
    if (!(await hasGateways(this.#ranges))) await raiseBridge(this.#bridge);
    await this.#rules.check();
    await this.#portmap.check();
  }

  async gc(valid: ReadonlySet<string>): Promise<void> {
    await this.#portmap.gc(valid);
    await this.#leases.collect(valid);
    await deleteStaleLinks(this.#config.bridge, valid);
  }

  async teardown(): Promise<void> {
    await this.#leases.settled();
    await netlink(null, [{ op: 'link.delete', name: this.#config.bridge, ifMissing: 'ignore' }]);
    await this.#rules.remove();
    await this.#portmap.teardown();
  }

  #result(attachment: Attachment, addresses: readonly string[], veth: VethInfo): CniResult {
    const { bridge, mtu } = this.#config;
    return {
      cniVersion: '1.1.0',
      interfaces: [
        { name: bridge, mac: bridgeMac(this.#ranges[0]!) },
        { name: hostLinkName(attachment.containerID), mac: veth.hostMac, mtu },
        { name: attachment.ifName, mac: veth.mac, mtu, sandbox: attachment.netns },
      ],
      ips: addresses.map((address, i) => ({ address, gateway: this.#gateways[i]!, interface: 2 })),
      routes: this.#ranges.map(({ family }, i) => ({ dst: defaultRoute[family], gw: this.#gateways[i]! })),
    };
  }

  #explained(attachment: Attachment, error: unknown): unknown {
    if (!(error instanceof KernelError)) return error;
    return new CniError(101, `Cannot attach ${attachment.object} to bridge "${this.#config.bridge}"`, error.message, {
      cause: error,
    });
  }
}
