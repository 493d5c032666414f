/** What the scheduler needs of one pod, read once and not at every node. Pure. */
import type { PodAffinityTerm, WeightedPodAffinityTerm } from '../kube/api/core-v1.js';
import { type HostPort, hostPorts } from '../kube/host-ports.js';
import { keyOf } from '../kube/meta.js';
import type { Pod, Toleration } from '../kube/pod.js';
import { type Resources, requestsOf, type Scored, scoredRequests } from './resources.js';
import { ownerSpreads, type Spread, spreadOf, type Term, termOf, type WeightedTerm } from './terms.js';

export interface PodInfo {
  /** The newest state of the object. */
  readonly pod: Pod;
  readonly uid: string;
  /** `namespace/name`. */
  readonly key: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly priority: number;
  readonly terminating: boolean;
  readonly ownerUid: string | undefined;
  readonly requests: Resources;
  readonly scored: Scored;
  readonly ports: readonly HostPort[];
  readonly tolerations: readonly Toleration[];
  readonly affinity: readonly Term[];
  readonly antiAffinity: readonly Term[];
  readonly preferredAffinity: readonly WeightedTerm[];
  readonly preferredAntiAffinity: readonly WeightedTerm[];
  readonly spreads: readonly Spread[];
  /** False: the constraints are the scheduler's own, and nodes without a zone still count. */
  readonly ownSpreads: boolean;
  readonly claims: readonly string[];
  readonly images: readonly string[];
}

export function podInfo(pod: Pod): PodInfo {
  const { spec, metadata } = pod;
  const namespace = metadata.namespace ?? 'default';
  const labels = metadata.labels ?? {};
  const owner = { namespace, labels };
  const ownerUid = metadata.ownerReferences?.find(reference => reference.controller)?.uid;
  const { podAffinity, podAntiAffinity } = spec.affinity ?? {};
  const terms = (list: readonly PodAffinityTerm[] = []) => list.map(term => termOf(term, owner));
  const weighted = (list: readonly WeightedPodAffinityTerm[] = []) =>
    list.map(({ weight, podAffinityTerm }) => ({ weight, term: termOf(podAffinityTerm, owner) }));
  const given = spec.topologySpreadConstraints ?? [];
  return {
    pod,
    uid: metadata.uid ?? '',
    key: keyOf(pod),
    ...owner,
    priority: spec.priority ?? 0,
    terminating: metadata.deletionTimestamp !== undefined,
    ownerUid,
    requests: requestsOf(spec),
    scored: scoredRequests(spec),
    ports: hostPorts(spec),
    tolerations: spec.tolerations ?? [],
    affinity: terms(podAffinity?.requiredDuringSchedulingIgnoredDuringExecution),
    antiAffinity: terms(podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution),
    preferredAffinity: weighted(podAffinity?.preferredDuringSchedulingIgnoredDuringExecution),
    preferredAntiAffinity: weighted(podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution),
    spreads: given.length > 0 ? given.map(item => spreadOf(item, owner)) : ownerUid ? ownerSpreads(ownerUid) : [],
    ownSpreads: given.length > 0,
    claims: claimsOf(pod),
    images: [...(spec.initContainers ?? []), ...spec.containers].flatMap(({ image }) => image ?? []),
  };
}

/** A volume of kind `ephemeral` has a claim of its own, named after pod and volume. */
function claimsOf({ metadata, spec }: Pod): string[] {
  return (spec.volumes ?? []).flatMap(volume => {
    if (volume.persistentVolumeClaim) return volume.persistentVolumeClaim.claimName;
    return volume.ephemeral ? `${metadata.name}-${volume.name}` : [];
  });
}

/** The same pod with a newer state of what its scheduling does not depend on. */
export const withPod = (info: PodInfo, pod: Pod): PodInfo => ({ ...info, pod });
