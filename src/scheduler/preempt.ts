/**
 * Room for a pod that found none, at the cost of less important ones (Kubernetes: "Pod Priority and Preemption"): on each
 * node the fewest and least important pods that have to go, then the node where that hurts least. Pure.
 */
import type { PodDisruptionBudget } from '../kube/api/policy-v1.js';
import { parseTime } from '../kube/time.js';
import { splitByBudget } from './budgets.js';
import type { Cluster } from './cluster.js';
import { explain } from './explain.js';
import { forNow, type Refusal } from './filters/contract.js';
import type { NodeInfo } from './node-info.js';
import type { PodInfo } from './pod-info.js';
import { type Choosing, type Diagnosis, type PreparedPod, refusalAt, shiftAll } from './schedule.js';

export interface Victims {
  readonly node: string;
  /** Most important first. */
  readonly pods: readonly PodInfo[];
  /** How many of them break a PodDisruptionBudget. */
  readonly violations: number;
}

export interface Situation extends Pick<Choosing, 'nominated' | 'random'> {
  readonly cluster: Cluster;
  readonly why: Diagnosis;
  readonly prepared: PreparedPod | undefined;
}

const ineligiblePrefix = 'preemption: not eligible due to ';

/** It was not even tried: what was nominated before still holds. */
export const isIneligible = (message: string): boolean => message.startsWith(ineligiblePrefix);

const notHelpful = 'Preemption is not helpful for scheduling';
const noVictims = forNow('No preemption victims found for incoming pod');
/** Nodes to try are enough when they are a tenth of all, or 100. */
const triedShare = 0.1;
const triedAtLeast = 100;

/** @returns where room can be made, or why not, ready to be told */
export function preempt(info: PodInfo, situation: Situation): Victims | string {
  const { cluster, why, prepared } = situation;
  const obstacle = ineligible(info, situation);
  if (obstacle) return `${ineligiblePrefix}${obstacle}`;
  const refusals = new Map<string, Refusal>();
  const candidates = prepared ? tryNodes(info, prepared, situation, refusals) : [];
  const best = leastHarm(candidates);
  if (best) return best;
  const nodes = cluster.nodes.length;
  const failed: Diagnosis = { total: nodes, byNode: refusals, others: notHelpful, plugins: why.plugins };
  return nodes === 0 ? '' : `preemption: ${explain(failed)}`;
}

/** One that waits for its victims to go does not ask for more. */
function ineligible({ pod, priority }: PodInfo, { cluster, why }: Situation): string | undefined {
  if (pod.spec.preemptionPolicy === 'Never') return 'preemptionPolicy=Never.';
  const nominated = pod.status?.nominatedNodeName;
  if (!nominated || why.byNode.get(nominated)?.final) return undefined;
  const pods = [...(cluster.node(nominated)?.pods.values() ?? [])];
  const waits = pods.some(other => other.priority < priority && other.terminating && isPreempted(other));
  return waits ? 'a terminating pod on the nominated node.' : undefined;
}

export const disruptionTarget = 'DisruptionTarget';
export const preemptionReason = 'PreemptionByScheduler';

const isPreempted = ({ pod }: PodInfo): boolean =>
  pod.status?.conditions?.some(
    ({ type, status, reason }) => type === disruptionTarget && status === 'True' && reason === preemptionReason,
  ) ?? false;

function tryNodes(
  info: PodInfo,
  prepared: PreparedPod,
  situation: Situation,
  refusals: Map<string, Refusal>,
): Victims[] {
  const { cluster, why, random } = situation;
  const hopeful = cluster.nodes.filter(({ name }) => why.byNode.get(name)?.final === false);
  const enough = Math.max(triedAtLeast, Math.trunc(cluster.nodes.length * triedShare));
  const budgets = [...(cluster.objects.list('PodDisruptionBudget') as Iterable<PodDisruptionBudget>)];
  const offset = Math.floor(random() * hopeful.length);
  const found: Victims[] = [];
  for (let i = 0; i < hopeful.length; i++) {
    const node = hopeful[(offset + i) % hopeful.length]!;
    const tried = victimsOn(node, info, prepared, { ...situation, budgets });
    if ('reasons' in tried) refusals.set(node.name, tried);
    else found.push(tried);
    if (found.length >= enough && found.some(({ violations }) => violations === 0)) break;
  }
  return found;
}

/** All less important pods go; then those that can stay come back, the most important and the protected ones first. */
function victimsOn(
  node: NodeInfo,
  info: PodInfo,
  prepared: PreparedPod,
  situation: Pick<Situation, 'nominated'> & { readonly budgets: readonly PodDisruptionBudget[] },
): Victims | Refusal {
  if (node.lowestPriority >= info.priority) return noVictims;
  const lower = [...node.pods.values()].filter(({ priority }) => priority < info.priority);
  const trial = new Trial(node, prepared);
  try {
    for (const other of lower) trial.remove(other);
    const refused = refusalAt(prepared, info, trial.node, situation);
    if (refused) return refused.refusal;
    const { breaking, others } = splitByBudget(lower.toSorted(byImportance), situation.budgets);
    const mustGo = (other: PodInfo): boolean => {
      trial.restore(other);
      if (!refusalAt(prepared, info, trial.node, situation)) return false;
      trial.remove(other);
      return true;
    };
    const violations = breaking.filter(mustGo);
    const pods = [...violations, ...others.filter(mustGo)].toSorted(byImportance);
    return { node: node.name, pods, violations: violations.length };
  } finally {
    trial.end();
  }
}

/** A copy of a node to take pods from. `end` puts back what the checks had counted. */
class Trial {
  readonly node: NodeInfo;
  readonly #removed = new Map<string, PodInfo>();

  constructor(
    original: NodeInfo,
    readonly prepared: PreparedPod,
  ) {
    this.node = original.copy();
  }

  remove(info: PodInfo): void {
    this.node.remove(info);
    this.#removed.set(info.uid, info);
    shiftAll(this.prepared, info, this.node, -1);
  }

  restore(info: PodInfo): void {
    this.node.add(info);
    this.#removed.delete(info.uid);
    shiftAll(this.prepared, info, this.node, 1);
  }

  end(): void {
    for (const info of this.#removed.values()) shiftAll(this.prepared, info, this.node, 1);
    this.#removed.clear();
  }
}

/** Higher priority first, then the one that has run longer. */
export function byImportance(a: PodInfo, b: PodInfo): number {
  return b.priority - a.priority || startOf(a) - startOf(b);
}

const startOf = ({ pod: { status, metadata } }: PodInfo): number =>
  parseTime(status?.startTime ?? metadata.creationTimestamp ?? '') ?? Number.MAX_SAFE_INTEGER;

/** So that every victim counts, also one of negative priority. */
const priorityOffset = 2 ** 31;

/** Smaller is better; the next one decides between equals. */
const harms: readonly ((victims: Victims) => number)[] = [
  ({ violations }) => violations,
  ({ pods }) => pods[0]?.priority ?? Number.NEGATIVE_INFINITY,
  ({ pods }) => pods.reduce((sum, { priority }) => sum + priority + priorityOffset, 0),
  ({ pods }) => pods.length,
  // of the most important victims, the one that runs longest: the later it began, the less is lost
  ({ pods }) => -Math.min(...pods.filter(({ priority }) => priority === pods[0]?.priority).map(startOf)),
];

export function leastHarm(candidates: readonly Victims[]): Victims | undefined {
  let left = candidates;
  for (const harm of harms) {
    if (left.length < 2) break;
    const values = left.map(harm);
    const least = Math.min(...values);
    left = left.filter((_, i) => values[i] === least);
  }
  return left[0];
}
