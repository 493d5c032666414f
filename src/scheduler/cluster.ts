/**
 * The scheduler's picture of the cluster, kept by changes: its cost is that of what changed, not of what there is. Pods that
 * were given a node and are not yet stored with it are in it too (`assume`).
 */
import { deepEqual } from '../kube/json.js';
import type { Node } from '../kube/node.js';
import type { Pod } from '../kube/pod.js';
import { CarriedTerms, MatchCounts, type PerNode } from './counts.js';
import { NodeInfo } from './node-info.js';
import { type PodInfo, podInfo, withPod } from './pod-info.js';

/** Objects beside pods and nodes that decisions look at. */
export interface ClusterObjects {
  get(kind: string, namespace: string | undefined, name: string): unknown;
  list(kind: string, namespace?: string): Iterable<unknown>;
}

const zoneLabel = 'topology.kubernetes.io/zone';
const nowhere: Node = { apiVersion: 'v1', kind: 'Node', metadata: { name: '' } };

export class Cluster {
  readonly #nodes = new Map<string, NodeInfo>();
  /** Where each pod is, by UID. */
  readonly #placed = new Map<string, { info: PodInfo; node: string }>();
  /** Nodes that exist; zones take turns. */
  #order: readonly NodeInfo[] | undefined;
  readonly #counts = new MatchCounts();
  readonly requiredAffinity = new CarriedTerms();
  readonly requiredAntiAffinity = new CarriedTerms();
  readonly preferredAffinity = new CarriedTerms();
  readonly preferredAntiAffinity = new CarriedTerms();
  /** Nodes that have an image, by its name. */
  readonly imageNodes = new Map<string, Set<string>>();

  constructor(readonly objects: ClusterObjects) {}

  get nodes(): readonly NodeInfo[] {
    this.#order ??= inTurns([...this.#nodes.values()].filter(({ node }) => node.metadata.name !== ''));
    return this.#order;
  }

  node(name: string): NodeInfo | undefined {
    const found = this.#nodes.get(name);
    return found && found.node !== nowhere ? found : undefined;
  }

  nodeOf(uid: string): string | undefined {
    return this.#placed.get(uid)?.node;
  }

  infoOf(uid: string): PodInfo | undefined {
    return this.#placed.get(uid)?.info;
  }

  readonly namespaceLabels = (name: string): Readonly<Record<string, string>> | undefined =>
    (this.objects.get('Namespace', undefined, name) as { metadata: { labels?: Record<string, string> } } | undefined)
      ?.metadata.labels;

  /** How many pods of each node match; @param text names the question. */
  count(text: string, matches: (info: PodInfo) => boolean): PerNode {
    return this.#counts.ask(text, matches, () => this.#all());
  }

  /** Namespaces' labels have changed: what was counted by them is not true any more. */
  forgetCounts(): void {
    this.#counts.forget();
  }

  setNode(node: Node): void {
    const { name } = node.metadata;
    const before = this.#nodes.get(name);
    const next = before ? before.copy(node) : new NodeInfo(node);
    this.#images(before?.node, -1);
    this.#images(node, 1);
    this.#nodes.set(name, next);
    this.#order = undefined;
  }

  /** Its pods are still counted where they were, until they go. */
  removeNode(name: string): void {
    const before = this.#nodes.get(name);
    if (!before) return;
    this.#images(before.node, -1);
    if (before.pods.size === 0) this.#nodes.delete(name);
    else this.#nodes.set(name, before.copy(nowhere));
    this.#order = undefined;
  }

  /** A pod that has a node and has not finished. Returns what is known of it now. */
  setPod(pod: Pod): PodInfo {
    const node = pod.spec.nodeName ?? '';
    const held = this.#placed.get(pod.metadata.uid ?? '');
    if (held && held.node === node && samePod(held.info.pod, pod)) {
      held.info = withPod(held.info, pod);
      this.#nodes.get(node)?.replace(held.info);
      return held.info;
    }
    const info = podInfo(pod);
    if (held) this.removePod(info.uid);
    this.assume(info, node);
    return info;
  }

  /** Counts the pod on that node from now on. */
  assume(info: PodInfo, node: string): void {
    this.#placed.set(info.uid, { info, node });
    let holder = this.#nodes.get(node);
    if (!holder) {
      holder = new NodeInfo(nowhere);
      this.#nodes.set(node, holder);
    }
    holder.add(info);
    this.#carry(info, node, 1);
  }

  removePod(uid: string): PodInfo | undefined {
    const held = this.#placed.get(uid);
    if (!held) return undefined;
    this.#placed.delete(uid);
    const holder = this.#nodes.get(held.node);
    holder?.remove(held.info);
    if (holder?.node === nowhere && holder.pods.size === 0) this.#nodes.delete(held.node);
    this.#carry(held.info, held.node, -1);
    return held.info;
  }

  *#all(): Iterable<[PodInfo, string]> {
    for (const { info, node } of this.#placed.values()) yield [info, node];
  }

  #carry(info: PodInfo, node: string, by: 1 | -1): void {
    this.#counts.change(info, node, by);
    for (const term of info.affinity) this.requiredAffinity.change(term, 1, node, by);
    for (const term of info.antiAffinity) this.requiredAntiAffinity.change(term, 1, node, by);
    for (const { term, weight } of info.preferredAffinity) this.preferredAffinity.change(term, weight, node, by);
    for (const { term, weight } of info.preferredAntiAffinity)
      this.preferredAntiAffinity.change(term, weight, node, by);
  }

  #images(node: Node | undefined, by: 1 | -1): void {
    for (const { names } of node?.status?.images ?? [])
      for (const name of names) {
        const holders = this.imageNodes.get(name) ?? new Set<string>();
        if (by === 1) holders.add(node!.metadata.name);
        else holders.delete(node!.metadata.name);
        if (holders.size === 0) this.imageNodes.delete(name);
        else this.imageNodes.set(name, holders);
      }
  }
}

/** Nothing that the scheduler counts by is different: a status, as a rule. */
export function samePod(a: Pod, b: Pod): boolean {
  return (
    a.metadata.deletionTimestamp === b.metadata.deletionTimestamp &&
    (hasGeneration(a, b) || deepEqual({ ...a.spec, nodeName: '' }, { ...b.spec, nodeName: '' })) &&
    deepEqual(a.metadata.labels, b.metadata.labels) &&
    deepEqual(a.metadata.ownerReferences, b.metadata.ownerReferences)
  );
}

/** A spec that changes gets another generation. */
const hasGeneration = (a: Pod, b: Pod): boolean =>
  a.metadata.generation !== undefined && a.metadata.generation === b.metadata.generation;

/** One of each zone, then the second of each…: so that a search that stops early has looked into all of them. */
function inTurns(nodes: readonly NodeInfo[]): NodeInfo[] {
  const zones = new Map<string, NodeInfo[]>();
  for (const node of nodes) {
    const zone = node.labels[zoneLabel] ?? '';
    const list = zones.get(zone);
    if (list) list.push(node);
    else zones.set(zone, [node]);
  }
  const lists = [...zones.values()];
  const longest = Math.max(0, ...lists.map(({ length }) => length));
  return Array.from({ length: longest }, (_, i) => lists.flatMap(list => list[i] ?? [])).flat();
}
