/**
 * A node that is silent for too long is unknown, and its pods are not ready: nothing may send them traffic. Silence is
 * counted by this process' own clock since it saw the node's Lease change (reliability A11). Its taints follow its
 * conditions; what NoExecute does to pods is in taint-eviction.ts. Key: the node's name.
 */
import { type Condition, referenceTo } from '../kube/meta.js';
import type { Node } from '../kube/node.js';
import type { Pod } from '../kube/pod.js';
import { timestamp } from '../kube/time.js';
import { type Action, type Controller, type Facts, type Key, nothing, type Outcome, targetOf } from './contract.js';
import { type Eviction, mayEvict, taintsFor } from './node-lifecycle-taints.js';

/** Must exceed the link's own detection of a dead peer (Kubernetes 1.32: 50 s, before 40 s). */
export const graceMs = 50_000;

const leases = 'kube-node-lease';

export const nodeLifecycleController: Controller = {
  name: 'node-lifecycle',
  wakes: [
    { kind: 'Node', keys: object => [object.metadata.name] },
    { kind: 'Lease', keys: object => (object.metadata.namespace === leases ? [object.metadata.name] : []) },
    { kind: 'Pod', keys: object => (nodeOf(object as unknown as Pod) ? [nodeOf(object as unknown as Pod)!] : []) },
  ],
  observes: ['Lease', 'Node'],
  writes: ['Node conditions of a silent node', 'Pod condition Ready on a silent node', 'taints node.kubernetes.io/…'],
  reconcile,
};

const nodeOf = (pod: Pod): string | undefined => pod.spec.nodeName;

function reconcile(facts: Facts, key: Key): Outcome {
  const { view, now } = facts;
  const node = view.get('Node', undefined, key) as unknown as Node | undefined;
  if (!node) return nothing;
  const silence = keepSilence(facts, node);
  const known = node.status?.conditions?.some(({ type, status }) => type === 'Ready' && status !== 'True');
  const { eviction, againMs } = known ? mayEvict(view.list('Node') as unknown as Node[], now) : calm;
  // a node that is being marked is tainted when it is: that wakes this key again
  const tainting = silence.actions.length > 0 ? [] : keepTaints(node, eviction, now);
  const waits = [silence.requeueAfterMs, againMs].filter(ms => ms !== undefined);
  return {
    actions: [...silence.actions, ...tainting],
    ...(waits.length > 0 && { requeueAfterMs: Math.min(...waits) }),
  };
}

const calm: ReturnType<typeof mayEvict> = { eviction: 'now', againMs: undefined };

function keepTaints(node: Node, eviction: Eviction, now: number): Action[] {
  const before = node.spec?.taints ?? [];
  const taints = taintsFor(node, eviction, now);
  if (taints === before || (taints.length === 0 && before.length === 0)) return [];
  const patch = { spec: { taints: taints.length > 0 ? taints : null } };
  return [{ do: 'patch', target: targetOf(node), at: node.metadata.resourceVersion, patch }];
}

function keepSilence({ view, now, seenAt }: Facts, node: Node): Outcome {
  const { name } = node.metadata;
  const heard = view.get('Lease', leases, name) ? seenAt('Lease', leases, name) : seenAt('Node', undefined, name);
  const leftMs = heard + graceMs - now;
  if (leftMs > 0) return { actions: [], requeueAfterMs: leftMs };
  const pods = (view.list('Pod') as unknown as Pod[]).filter(pod => nodeOf(pod) === name);
  return { actions: [...markNode(node, now), ...pods.flatMap(pod => markPod(pod, now))] };
}

const conditionTypes = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'];

function markNode(node: Node, now: number): Action[] {
  const conditions = node.status?.conditions ?? [];
  const ready = conditions.find(({ type }) => type === 'Ready');
  if (ready?.status === 'Unknown') return [];
  const known = ready ? conditions : [...conditions, { type: 'Ready', status: 'Unknown' } as Condition];
  const next = known.map(condition => (conditionTypes.includes(condition.type) ? unknown(condition, now) : condition));
  return [
    {
      do: 'patch',
      target: targetOf(node),
      at: node.metadata.resourceVersion,
      patch: { status: { conditions: next } },
      subresource: 'status',
    },
    // events about nodes carry the node's name as uid, as the kubelet's do: `kubectl describe node` asks for both
    {
      do: 'event',
      about: { kind: 'Node', name: node.metadata.name, uid: node.metadata.name },
      type: 'Normal',
      reason: 'NodeNotReady',
      message: `Node ${node.metadata.name} status is now: NodeNotReady`,
    },
  ];
}

function unknown(condition: Condition, now: number): Condition {
  return {
    ...condition,
    status: 'Unknown',
    reason: 'NodeStatusUnknown',
    message: 'Kubelet stopped posting node status.',
    lastTransitionTime: timestamp(now),
  };
}

function markPod(pod: Pod, now: number): Action[] {
  const conditions = pod.status?.conditions ?? [];
  if (!conditions.some(({ type, status }) => type === 'Ready' && status === 'True')) return [];
  const next = conditions.map(condition =>
    condition.type === 'Ready' ? { ...condition, status: 'False', lastTransitionTime: timestamp(now) } : condition,
  );
  return [
    {
      do: 'patch',
      target: targetOf(pod),
      at: pod.metadata.resourceVersion,
      patch: { status: { conditions: next } },
      subresource: 'status',
    },
    {
      do: 'event',
      about: referenceTo(pod),
      type: 'Warning',
      reason: 'NodeNotReady',
      message: 'Node is not ready',
    },
  ];
}
