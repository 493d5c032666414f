/**
 * Gives each Node its range of pod addresses: the lowest one that no other Node has. One key for all Nodes, so that runs
 * never meet, and the runner waits for its own writes: no range is handed out twice. What a Node brings along (`--pod-cidr`
 * of its agent) is taken. Nodes without one are in `wakes` only, so that a cluster at rest costs nothing.
 */
import { type Cidr, formatCidr, overlaps, parseCidr, subrange } from '../base/cidr.js';
import type { Node } from '../kube/node.js';
import { type Action, type Controller, type Facts, nothing, type Outcome, targetOf } from './contract.js';

export interface NodeIpamOptions {
  /** One per family. */
  readonly clusterCidrs: readonly string[];
  /** Prefix length of a node's range, by family. */
  readonly maskSizes: Readonly<Record<4 | 6, number>>;
}

const key = 'nodes';

export function nodeIpamController(options: NodeIpamOptions): Controller {
  const pools = options.clusterCidrs.flatMap(text => parseCidr(text) ?? []);
  return {
    name: 'node-ipam',
    wakes: [{ kind: 'Node', keys: (node, deleted) => (deleted || lacksRange(node as unknown as Node) ? [key] : []) }],
    writes: ['spec.podCIDR and spec.podCIDRs of Nodes'],
    reconcile: facts => reconcile(facts, pools, options.maskSizes),
  };
}

export const rangesOf = ({ spec }: Node): string[] => spec?.podCIDRs ?? (spec?.podCIDR ? [spec.podCIDR] : []);

const lacksRange = (node: Node): boolean => rangesOf(node).length === 0 && !node.metadata.deletionTimestamp;

function reconcile({ view }: Facts, pools: readonly Cidr[], maskSizes: NodeIpamOptions['maskSizes']): Outcome {
  const nodes = view.list('Node') as unknown as Node[];
  const waiting = nodes.filter(lacksRange).sort(byAge);
  if (waiting.length === 0) return nothing;
  const taken = nodes.flatMap(node => rangesOf(node).flatMap(text => parseCidr(text) ?? []));
  const finders = pools.map(pool => freeRanges(pool, maskSizes[pool.family], taken));
  return { actions: waiting.flatMap(node => give(node, finders, pools, maskSizes)) };
}

type Finder = Generator<Cidr, undefined>;

function give(
  node: Node,
  finders: readonly Finder[],
  pools: readonly Cidr[],
  maskSizes: NodeIpamOptions['maskSizes'],
): Action[] {
  const found = finders.map(finder => finder.next().value);
  const lacking = found.indexOf(undefined);
  if (lacking >= 0) return [fullEvent(node, pools[lacking]!, maskSizes)];
  const podCIDRs = found.map(range => formatCidr(range!));
  const patch = { spec: { podCIDR: podCIDRs[0], podCIDRs } };
  return [{ do: 'patch', target: targetOf(node), at: node.metadata.resourceVersion, patch }];
}

/** Lowest first. Ends when the pool is full. */
function* freeRanges(pool: Cidr, length: number, taken: readonly Cidr[]): Finder {
  const exact = new Set(taken.filter(range => range.length === length).map(formatCidr));
  const odd = taken.filter(range => range.length !== length);
  for (let n = 0; n < 2 ** (length - pool.length); n++) {
    const range = subrange(pool, length, n);
    if (!exact.has(formatCidr(range)) && !odd.some(other => overlaps(other, range))) yield range;
  }
  return undefined;
}

/** Events about nodes carry the node's name as uid, as the kubelet's do. */
function fullEvent({ metadata: { name } }: Node, pool: Cidr, maskSizes: NodeIpamOptions['maskSizes']): Action {
  const size = maskSizes[pool.family];
  return {
    do: 'event',
    about: { kind: 'Node', name, uid: name },
    type: 'Warning',
    reason: 'CIDRNotAvailable',
    message: `Node ${name} status is now: CIDRNotAvailable: all ${2 ** (size - pool.length)} ranges of /${size} in ${formatCidr(pool)} are taken`,
  };
}

function byAge({ metadata: a }: Node, { metadata: b }: Node): number {
  return (a.creationTimestamp ?? '').localeCompare(b.creationTimestamp ?? '') || a.name.localeCompare(b.name);
}
