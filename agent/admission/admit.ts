/**
 * Whether this node takes a pod that was bound to it: kubelet's predicates over again, because who bound it may not have
 * asked (spec.nodeName) or may have known less. Pure; reasons and sentences are kubelet's.
 */
import { clash, hostPorts } from '../../src/kube/host-ports.js';
import type { Node } from '../../src/kube/node.js';
import { isNodeWanted } from '../../src/kube/node-selector.js';
import type { Pod } from '../../src/kube/pod.js';
import { type Amounts, podRequests } from '../../src/kube/pod-resources.js';
import { quantityNanos } from '../../src/kube/quantity.js';

export interface Rejection {
  /** `OutOfcpu`, `NodeAffinity`, `UnexpectedAdmissionError`, … */
  readonly reason: string;
  readonly message: string;
}

export interface AdmissionState {
  /** Quantities by resource name, `pods` among them. */
  readonly allocatable: Readonly<Record<string, string>>;
  /** The node's object, if it is known here. */
  readonly node: Node | undefined;
  /** The other pods of this node that have not ended. */
  readonly others: readonly Pod[];
}

/** Above this priority a pod belongs to the system: kubelet makes room for it instead of refusing it. */
const criticalPriority = 2_000_000_000;
const nanosPerUnit = 1_000_000_000n;

export function admit(pod: Pod, state: AdmissionState): Rejection | undefined {
  return affinityProblem(pod, state) ?? portProblem(pod, state) ?? (isCritical(pod) ? undefined : shortage(pod, state));
}

/** Of a priority that only the system's own pods have. */
export const isCritical = ({ spec }: Pod): boolean =>
  ((spec as { priority?: number }).priority ?? 0) >= criticalPriority ||
  ['system-node-critical', 'system-cluster-critical'].includes(
    (spec as { priorityClassName?: string }).priorityClassName ?? '',
  );

function affinityProblem({ spec }: Pod, { node }: AdmissionState): Rejection | undefined {
  if (!node || isNodeWanted(spec, node)) return undefined;
  return {
    reason: 'NodeAffinity',
    message: "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
  };
}

function portProblem({ spec }: Pod, { others }: AdmissionState): Rejection | undefined {
  const wanted = hostPorts(spec);
  const taken = wanted.length === 0 ? [] : others.flatMap(other => hostPorts(other.spec));
  if (!wanted.some(port => taken.some(other => clash(port, other)))) return undefined;
  const message = "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports";
  return { reason: 'NodePorts', message };
}

/** The first resource that lacks. What the node does not count at all is no reason to refuse (kubelet drops it, too). */
function shortage(pod: Pod, { allocatable, others }: AdmissionState): Rejection | undefined {
  const used = others.map(other => podRequests(other.spec));
  const wanted = new Map([['pods', nanosPerUnit], ...podRequests(pod.spec)]);
  for (const [name, amount] of wanted) {
    const text = allocatable[name];
    if (amount <= 0n || (text === undefined && !isCounted(name))) continue;
    const capacity = quantityNanos(text ?? '0');
    const taken = name === 'pods' ? BigInt(others.length) * nanosPerUnit : sum(used, name);
    if (amount > capacity - taken) return outOf(name, { amount, taken, capacity });
  }
  return undefined;
}

const isCounted = (name: string): boolean => name.startsWith('hugepages-');

const sum = (all: readonly Amounts[], name: string): bigint =>
  all.reduce((total, amounts) => total + (amounts.get(name) ?? 0n), 0n);

interface Shortage {
  readonly amount: bigint;
  readonly taken: bigint;
  readonly capacity: bigint;
}

function outOf(name: string, { amount, taken, capacity }: Shortage): Rejection {
  const [requested, used, all] = [amount, taken, capacity].map(value => counted(name, value));
  return {
    reason: `OutOf${name}`,
    message: `Node didn't have enough resource: ${name}, requested: ${requested}, used: ${used}, capacity: ${all}`,
  };
}

/** CPU in thousandths, the rest in whole units; rounded up. */
export function counted(name: string, nanos: bigint): bigint {
  const unit = name === 'cpu' ? 1_000_000n : nanosPerUnit;
  return (nanos + unit - 1n) / unit;
}

export interface ResizeRefusal extends Rejection {
  /** Deferred: what others hold may become free. Infeasible: never on this node. */
  readonly reason: 'Deferred' | 'Infeasible';
}

/** Whether a pod that runs here may have the CPU and memory that it asks for now (KEP-1287). */
export function resizeRefusal(pod: Pod, state: AdmissionState): ResizeRefusal | undefined {
  for (const [name, amount] of podRequests(pod.spec)) {
    const capacity = quantityNanos(state.allocatable[name] ?? '0');
    if ((name !== 'cpu' && name !== 'memory') || amount <= capacity) continue;
    const [requested, all] = [counted(name, amount), counted(name, capacity)];
    const message = `Node didn't have enough capacity: ${name}, requested: ${requested}, capacity: ${all}`;
    return { reason: 'Infeasible', message };
  }
  const lack = shortage(pod, state);
  return lack && { reason: 'Deferred', message: lack.message };
}
