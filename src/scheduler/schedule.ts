/** Which node for which pod: filters, then the best rated. Pure over the scheduler's picture of the cluster. */
import type { Cluster } from './cluster.js';
import type { Check, Refusal } from './filters/contract.js';
import { filters } from './filters/index.js';
import type { NodeInfo } from './node-info.js';
import type { PodInfo } from './pod-info.js';
import type { Profile } from './profiles.js';

/** Every filter has looked at the pod once. */
export interface PreparedPod {
  readonly checks: readonly { readonly name: string; readonly check: Check }[];
  /** Only these nodes can do; and which filters say so. */
  readonly only: ReadonlySet<string> | undefined;
  readonly onlyBy: readonly string[];
}

/** Why a pod has found no node. */
export interface Diagnosis {
  readonly total: number;
  /** No node was looked at: what is wrong with the pod itself. */
  readonly refused?: string | undefined;
  readonly byNode: ReadonlyMap<string, Refusal>;
  /** Why the nodes that are not in `byNode` were not looked at. */
  readonly others?: string | undefined;
  /** Filters that have refused it somewhere. */
  readonly plugins: ReadonlySet<string>;
}

export type Decision =
  | { readonly node: string; readonly looked: number }
  | { readonly why: Diagnosis; readonly prepared: PreparedPod | undefined };

export interface Choosing {
  readonly profile: Profile;
  /** Where in the row of nodes the search begins: after those that the last one looked at. */
  readonly start: number;
  /** In [0, 1). */
  readonly random: () => number;
  /** Pods that are to come to that node and must not lose their place to this one. */
  readonly nominated: (node: string, info: PodInfo) => readonly PodInfo[];
}

export function decide(info: PodInfo, cluster: Cluster, choosing: Choosing): Decision {
  const prepared = preparePod(info, cluster);
  if ('refused' in prepared) {
    const { refused, by } = prepared;
    const why = { total: cluster.nodes.length, refused, byNode: new Map(), plugins: new Set([by]) };
    return { why, prepared: undefined };
  }
  const wanted = info.pod.status?.nominatedNodeName;
  const nominated = wanted ? cluster.node(wanted) : undefined;
  if (nominated && isAllowed(prepared, nominated) && !refusalAt(prepared, info, nominated, choosing)?.refusal)
    return { node: nominated.name, looked: 0 };
  const { fitting, why, looked } = search(prepared, info, cluster, choosing);
  if (fitting.length === 0) return { why, prepared };
  return { node: choose(info, fitting, cluster, choosing).name, looked };
}

export function preparePod(info: PodInfo, cluster: Cluster): PreparedPod | { refused: string; by: string } {
  const checks: { name: string; check: Check }[] = [];
  let only: ReadonlySet<string> | undefined;
  const onlyBy: string[] = [];
  for (const { name, prepare } of filters) {
    const prepared = prepare(info, cluster);
    if (!prepared) continue;
    if ('refused' in prepared) return { refused: prepared.refused, by: name };
    checks.push({ name, check: prepared });
    if (!prepared.only) continue;
    only = prepared.only;
    onlyBy.push(name);
  }
  return { checks, only, onlyBy };
}

const isAllowed = ({ only }: PreparedPod, { name }: NodeInfo): boolean => !only || only.has(name);

export interface Refused {
  readonly refusal: Refusal;
  readonly by: string;
}

/** The first refusal. Pods on their way to the node are counted; and as they may not come, the node must do without them too. */
export function refusalAt(
  prepared: PreparedPod,
  info: PodInfo,
  node: NodeInfo,
  { nominated }: Pick<Choosing, 'nominated'>,
): Refused | undefined {
  const coming = nominated(node.name, info);
  return (coming.length > 0 ? withComing(prepared, node, coming) : undefined) ?? firstRefusal(prepared, node);
}

function withComing(prepared: PreparedPod, node: NodeInfo, coming: readonly PodInfo[]): Refused | undefined {
  const filled = node.copy();
  for (const other of coming) {
    filled.add(other);
    shiftAll(prepared, other, node, 1);
  }
  const refused = firstRefusal(prepared, filled);
  for (const other of coming) shiftAll(prepared, other, node, -1);
  return refused;
}

export function shiftAll({ checks }: PreparedPod, info: PodInfo, node: NodeInfo, by: 1 | -1): void {
  for (const { check } of checks) check.shift?.(info, node, by);
}

function firstRefusal({ checks }: PreparedPod, node: NodeInfo): Refused | undefined {
  for (const { name, check } of checks) {
    const refusal = check.at(node);
    if (refusal) return { refusal, by: name };
  }
  return undefined;
}

function search(prepared: PreparedPod, info: PodInfo, cluster: Cluster, choosing: Choosing) {
  const all = prepared.only ? cluster.nodes.filter(node => isAllowed(prepared, node)) : cluster.nodes;
  const enough = nodesToFind(all.length, choosing.profile.percentageOfNodesToScore);
  const fitting: NodeInfo[] = [];
  const byNode = new Map<string, Refusal>();
  const plugins = new Set<string>(prepared.onlyBy);
  let looked = 0;
  for (; looked < all.length && fitting.length < enough; looked++) {
    const node = all[(choosing.start + looked) % all.length]!;
    const refused = refusalAt(prepared, info, node, choosing);
    if (!refused) fitting.push(node);
    else {
      byNode.set(node.name, refused.refusal);
      plugins.add(refused.by);
    }
  }
  const others = prepared.only ? `node(s) didn't satisfy plugin(s) [${prepared.onlyBy.join(' ')}]` : undefined;
  const why: Diagnosis = { total: cluster.nodes.length, byNode, plugins, others };
  return { fitting, why, looked };
}

const leastNodesToFind = 100;
const leastPercentage = 5;

/** All of a small cluster; of a larger one a share that falls from 50 % to 5 %, but never fewer than 100. */
export function nodesToFind(total: number, percentage: number): number {
  if (total < leastNodesToFind) return total;
  const share = percentage || Math.max(leastPercentage, Math.trunc(50 - total / 125));
  return share >= 100 ? total : Math.max(leastNodesToFind, Math.trunc((total * share) / 100));
}

/** The best rated; of several, each is as likely. */
function choose(info: PodInfo, nodes: readonly NodeInfo[], cluster: Cluster, { profile, random }: Choosing): NodeInfo {
  if (nodes.length === 1) return nodes[0]!;
  const sums = totals(info, nodes, cluster, profile);
  let best = 0;
  let equals = 1;
  for (let i = 1; i < nodes.length; i++) {
    if (sums[i]! > sums[best]!) {
      best = i;
      equals = 1;
    } else if (sums[i] === sums[best] && random() < 1 / ++equals) best = i;
  }
  return nodes[best]!;
}

export function totals(info: PodInfo, nodes: readonly NodeInfo[], cluster: Cluster, { scores }: Profile): number[] {
  const sums = nodes.map(() => 0);
  for (const { score, weight } of scores) {
    const rates = score.rate(info, nodes, cluster);
    if (rates) for (let i = 0; i < sums.length; i++) sums[i]! += weight * rates[i]!;
  }
  return sums;
}
