/** Terms of pod affinity and of spreading, read once per pod: which pods they mean, and where. Pure. */
import type { PodAffinityTerm } from '../kube/api/core-v1.js';
import type { LabelSelector } from '../kube/api/meta-v1.js';
import { requirementsOf } from '../kube/label-selector.js';
import { type LabelRequirement, matchesLabels } from '../kube/selector.js';

type Labels = Readonly<Record<string, string>> | undefined;

/** Which pods of which namespaces, and the label of nodes that makes places one place. */
export interface Term {
  /** Equal texts mean the same. */
  readonly text: string;
  readonly topologyKey: string;
  /** Undefined: selects nothing. */
  readonly selector: readonly LabelRequirement[] | undefined;
  readonly namespaces: ReadonlySet<string>;
  readonly namespaceSelector: readonly LabelRequirement[] | undefined;
}

export interface WeightedTerm {
  readonly term: Term;
  readonly weight: number;
}

/** What a term looks at in a pod. */
export interface Labelled {
  readonly namespace: string;
  readonly labels: Labels;
}

export type NamespaceLabels = (name: string) => Labels;

/** Without namespaces and namespaceSelector a term means the namespace of the pod that has it. */
export function termOf(given: PodAffinityTerm, owner: Labelled): Term {
  const selector = requirementsOf(given.labelSelector);
  if (selector) {
    selector.push(...sameLabels(given.matchLabelKeys, owner.labels, 'in'));
    selector.push(...sameLabels(given.mismatchLabelKeys, owner.labels, 'notin'));
  }
  const names = given.namespaces ?? [];
  const namespaces = new Set(names.length === 0 && !given.namespaceSelector ? [owner.namespace] : names);
  const namespaceSelector = requirementsOf(given.namespaceSelector);
  const text = JSON.stringify([given.topologyKey, selector ?? null, [...namespaces].sort(), namespaceSelector ?? null]);
  return { text, topologyKey: given.topologyKey, selector, namespaces, namespaceSelector };
}

/** `matchLabelKeys`: the same values as the pod that has the term. Keys that it does not have are passed over. */
export function sameLabels(
  keys: readonly string[] = [],
  labels: Labels,
  operator: 'in' | 'notin' = 'in',
): LabelRequirement[] {
  return keys.flatMap(key => {
    const value = labels?.[key];
    return value === undefined ? [] : [{ key, operator, values: [value] }];
  });
}

export function termMatches(term: Term, pod: Labelled, namespaceLabels: NamespaceLabels): boolean {
  if (!term.selector || !matchesLabels(term.selector, pod.labels)) return false;
  if (term.namespaces.has(pod.namespace)) return true;
  return term.namespaceSelector !== undefined && matchesLabels(term.namespaceSelector, namespaceLabels(pod.namespace));
}

/** A constraint of topologySpreadConstraints, read. */
export interface Spread {
  readonly maxSkew: number;
  readonly topologyKey: string;
  readonly hard: boolean;
  readonly minDomains: number;
  readonly honorAffinity: boolean;
  readonly honorTaints: boolean;
  /** Names the pods that it counts; equal texts count the same. */
  readonly text: string;
  readonly counts: (pod: Labelled & { readonly ownerUid: string | undefined }) => boolean;
}

export interface GivenSpread {
  maxSkew: number;
  topologyKey: string;
  whenUnsatisfiable: string;
  labelSelector?: LabelSelector;
  minDomains?: number;
  nodeAffinityPolicy?: string;
  nodeTaintsPolicy?: string;
  matchLabelKeys?: string[];
}

export function spreadOf(given: GivenSpread, owner: Labelled): Spread {
  const selector = requirementsOf(given.labelSelector);
  selector?.push(...sameLabels(given.matchLabelKeys, owner.labels));
  const { namespace } = owner;
  return {
    maxSkew: given.maxSkew,
    topologyKey: given.topologyKey,
    hard: given.whenUnsatisfiable === 'DoNotSchedule',
    minDomains: given.minDomains ?? 1,
    honorAffinity: given.nodeAffinityPolicy !== 'Ignore',
    honorTaints: given.nodeTaintsPolicy === 'Honor',
    text: `spread ${JSON.stringify([namespace, selector ?? null])}`,
    counts: pod => selector !== undefined && pod.namespace === namespace && matchesLabels(selector, pod.labels),
  };
}

/** kube-scheduler's own defaults for pods of a ReplicaSet or the like: over hosts and zones, if it costs nothing. */
export function ownerSpreads(ownerUid: string): Spread[] {
  const over = (topologyKey: string, maxSkew: number): Spread => ({
    maxSkew,
    topologyKey,
    hard: false,
    minDomains: 1,
    honorAffinity: true,
    honorTaints: false,
    text: `owner ${ownerUid}`,
    counts: pod => pod.ownerUid === ownerUid,
  });
  return [over('kubernetes.io/hostname', 3), over('topology.kubernetes.io/zone', 5)];
}
