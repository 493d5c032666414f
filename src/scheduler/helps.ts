/** Whether something that has happened could help a pod that no node would take. Errs on the side of trying. Pure. */
import type { Wake } from './events.js';
import { filters } from './filters/index.js';
import { wantsNode } from './filters/node-affinity.js';
import { refuses } from './filters/taints.js';
import type { NodeInfo } from './node-info.js';
import type { PodInfo } from './pod-info.js';

export interface Happened {
  readonly wake: Wake;
  /** The node that it happened to. */
  readonly node: NodeInfo | undefined;
}

const wakesOf = new Map(filters.map(({ name, wakes }) => [name, new Set(wakes)]));
/** These look at nothing but the node itself, so that one node can be judged alone. */
const local = new Set([
  'NodeUnschedulable',
  'NodeName',
  'TaintToleration',
  'NodeAffinity',
  'NodePorts',
  'NodeResourcesFit',
]);
const aboutNodes: readonly Wake[] = ['node-added', 'node-allocatable', 'node-labels', 'node-taints', 'pod-gone'];

/** @param plugins the filters that have refused the pod */
export function helps(info: PodInfo, plugins: ReadonlySet<string>, { wake, node }: Happened): boolean {
  // nothing has refused it: there was no node at all, or its own trouble is unknown
  const relevant = plugins.size === 0 || [...plugins].some(name => wakesOf.get(name)?.has(wake));
  if (!relevant) return false;
  const alone = node !== undefined && aboutNodes.includes(wake) && [...plugins].every(name => local.has(name));
  return !alone || couldTake(node, info);
}

/** It would have room there if the less important pods were away. */
function couldTake(node: NodeInfo, info: PodInfo): boolean {
  if (refuses(node.taints, info.tolerations) || !wantsNode(info, node)) return false;
  const staying = [...node.pods.values()].filter(({ priority }) => priority >= info.priority);
  if (staying.length + 1 > node.maxPods) return false;
  return [...info.requests].every(([name, wanted]) => {
    const taken = staying.reduce((sum, { requests }) => sum + (requests.get(name) ?? 0), 0);
    return wanted + taken <= (node.allocatable.get(name) ?? 0);
  });
}
