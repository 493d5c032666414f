/** The network of one node, wired: its pods' bridge, its own address, the way to the pods of other nodes. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createBridgeNetwork } from '../../cni/bridge.js';
import { loadConfList } from '../../cni/conf-list.js';
import type { BridgeNetwork } from '../../cni/contract.js';
import { ForeignNetwork } from '../../cni/foreign.js';
import { gatewayOf } from '../../cni/ranges.js';
import { forwardIpv6 } from '../../cni/sysctls.js';
import { podMtu } from '../../cni/uplink.js';
import { type LinkInfo, netlink } from '../../native/index.js';
import { familyOf, formatCidr, parseCidr, subrange } from '../../src/base/cidr.js';
import type { Logger } from '../../src/base/log.js';
import type { KubeObject } from '../../src/kube/meta.js';
import type { Node } from '../../src/kube/node.js';
import { nodeTaints } from '../../src/kube/tolerations.js';
import { anyAddress, nodeAddress } from '../machine.js';
import { ConfWatch } from './conf-watch.js';
import { NodeNetwork } from './node-network.js';
import type { OverlayMode } from './overlay.js';
import { OverlayKeeper } from './overlay-keeper.js';
import type { OverlaySettings } from './overlay-links.js';

export interface NetworkOptions {
  readonly nodeName: string;
  readonly dataDir: string;
  readonly credentials: string;
  /** Undefined: the controller says. */
  readonly podCIDRs: readonly string[] | undefined;
  readonly clusterCIDRs: readonly string[];
  readonly overlay: OverlayMode;
  /** A network configuration here is used instead of our own. */
  readonly cniConfDir: string;
  readonly cniBinDirs: readonly string[];
  /** Undefined: the first address of the machine, of each family that pods have. */
  readonly nodeIPs: readonly string[] | undefined;
  readonly log: Logger;
  /** All Nodes, once they are known. */
  readonly nodes: () => readonly Node[] | undefined;
  /** Something that the Node object tells of has changed. */
  readonly onChange: () => void;
  /** Pods of another node cannot be reached. */
  readonly onProblem: (words: string) => void;
  /** Of foreign plugins there is another configuration than the one that is used. */
  readonly onConfiguration: (words: string) => void;
}

export interface NodeNetworking {
  readonly network: NodeNetwork;
  /**
   * Of the node, one of each family at most: its own, or its bridge's where it has none (of foreign plugins whichever they
   * have made). None as long as there is none.
   */
  readonly addresses: readonly string[];
  readonly podCIDRs: readonly string[];
  /** Why pods cannot be run now. */
  readonly problem: string | undefined;
  /** The Nodes have changed. */
  follow(): void;
  close(takeAway: boolean): Promise<void>;
}

/** Prefix length of a range that no controller has handed out. */
const nodeMasks = { 4: 24, 6: 64 } as const;
const bridge = 'cni0';

export async function startNetwork(options: NetworkOptions): Promise<NodeNetworking> {
  const { clusterCIDRs, nodeName, log } = options;
  const foreign = foreignNetwork(options);
  // whoever brings plugins brings the way between nodes, too
  const mode = foreign ? 'none' : options.overlay;
  const own = options.nodeIPs ?? ownAddresses(clusterCIDRs);
  const outer = own.find(address => familyOf(address) === 4) ?? own[0];
  const mtu = await podMtu(outer, mode === 'vxlan');
  // before anybody else makes the node a router
  if (clusterCIDRs.some(cidr => familyOf(cidr) === 6)) await forwardIpv6();
  const network = new NodeNetwork({
    file: join(options.dataDir, 'network.json'),
    podCIDRs: options.podCIDRs ?? aloneRanges(options),
    foreign,
    make: subnets =>
      createBridgeNetwork({
        name: 'keelson',
        bridge,
        subnets,
        clusterCidrs: clusterCIDRs,
        mtu,
        hairpin: true,
        dataDir: join(options.dataDir, 'cni'),
      }),
    onReady: () => {
      options.onChange();
      keeper.changed(0);
    },
    onFirstPod: options.onChange,
  });
  const settings = (): OverlaySettings | undefined =>
    outer && network.podCIDRs.length > 0
      ? { mode, address: outer, podCIDRs: network.podCIDRs, clusterCIDRs, mtu }
      : undefined;
  const keeper = new OverlayKeeper({
    nodeName,
    settings,
    nodes: options.nodes,
    log,
    onProblem: options.onProblem,
  });
  await raiseBridge();
  await network.setup();
  // of foreign plugins only what links have: the range of this node may be unknown to them
  const bridged = (): readonly string[] =>
    foreign
      ? clusterCIDRs.flatMap(cidr => anyAddress(familyOf(cidr)) ?? [])
      : network.podCIDRs.flatMap(text => parseCidr(text) ?? []).map(gatewayOf);
  const confWatch = new ConfWatch(options.cniConfDir, words => {
    log.warn({ folder: options.cniConfDir }, words);
    options.onConfiguration(words);
  });
  return {
    network,
    get addresses() {
      return own.length > 0 ? own : bridged();
    },
    get podCIDRs() {
      return network.podCIDRs;
    },
    get problem() {
      return network.problem ?? mismatch(network.podCIDRs, ownNode(options));
    },
    follow: () => {
      void network.offer(ownNode(options)?.spec?.podCIDRs ?? []);
      keeper.changed();
    },
    close: async takeAway => {
      confWatch.close();
      await keeper.close(takeAway);
      if (takeAway) await network.teardown();
    },
  };
}

/** Routes lead to it, whether it has an address yet or not. */
async function raiseBridge(): Promise<void> {
  const [links] = (await netlink(null, [{ op: 'link.list' }])) as [LinkInfo[]];
  if (!links.some(({ name }) => name === bridge)) await netlink(null, [{ op: 'bridge.add', name: bridge }]);
  await netlink(null, [{ op: 'link.set', name: bridge, up: true }]);
}

/** A plugin that takes longer will not come back. */
const pluginMs = 60_000;

function foreignNetwork({ cniConfDir, cniBinDirs, dataDir, log }: NetworkOptions): BridgeNetwork | Error | undefined {
  try {
    const list = loadConfList(cniConfDir);
    if (!list) return undefined;
    log.info({ file: list.file, network: list.name }, 'pods are on a network of foreign plugins');
    return new ForeignNetwork({
      list,
      binDirs: cniBinDirs,
      dataDir: join(dataDir, 'cni-foreign'),
      timeoutMs: pluginMs,
    });
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

const ownNode = ({ nodes, nodeName }: NetworkOptions): Node | undefined =>
  nodes()?.find(({ metadata }) => metadata.name === nodeName);

/** A node that has no controller, and will run static pods only: nobody else could say. */
function aloneRanges({ credentials, dataDir, clusterCIDRs }: NetworkOptions): string[] | undefined {
  if (existsSync(credentials) || existsSync(join(dataDir, 'network.json'))) return undefined;
  const all = clusterCIDRs.flatMap(text => parseCidr(text) ?? []);
  return all.map(range => formatCidr(subrange(range, Math.max(nodeMasks[range.family], range.length), 0)));
}

/** Of the families that pods have; where the machine has no such address, of the other one: tunnels go over either. */
function ownAddresses(clusterCIDRs: readonly string[]): string[] {
  const found = clusterCIDRs.flatMap(cidr => nodeAddress(familyOf(cidr)) ?? []);
  return found.length > 0 ? found : [nodeAddress(4) ?? nodeAddress(6) ?? []].flat();
}

function mismatch(here: readonly string[], node: Node | undefined): string | undefined {
  const there = node?.spec?.podCIDRs ?? [];
  if (there.length === 0 || here.length === 0 || there.join() === here.join()) return undefined;
  return `this node's pods are in ${here.join(' and ')}, but spec.podCIDRs of its Node is ${there.join(' and ')}: delete the Node to have it made anew, or drain the node and remove network.json from its data directory`;
}

/** Whether a pod could be scheduled here, as the controller tells of this node. */
export function isOpen(object: KubeObject | undefined): boolean {
  const spec = (object as Node | undefined)?.spec;
  return !!spec?.podCIDR && !spec.taints?.some(({ key }) => key === nodeTaints.notReady);
}
