/** Nodes, pods and a scheduler's picture of them, as literals for tests. */
import type { Node, Taint } from '../../src/kube/node.js';
import type { Pod, PodSpec } from '../../src/kube/pod.js';
import { Cluster, type ClusterObjects } from '../../src/scheduler/cluster.js';
import { explain } from '../../src/scheduler/explain.js';
import { podInfo } from '../../src/scheduler/pod-info.js';
import { type Profile, profiles } from '../../src/scheduler/profiles.js';
import { type Choosing, decide } from '../../src/scheduler/schedule.js';

export interface NodeGiven {
  readonly labels?: Record<string, string>;
  readonly taints?: Taint[];
  readonly unschedulable?: boolean;
  readonly ready?: boolean;
  /** Default 4 CPUs, 8Gi, 110 pods. */
  readonly has?: Record<string, string>;
  readonly images?: { names: string[]; sizeBytes: number }[];
}

export function nodeOf(name: string, given: NodeGiven = {}): Node {
  const { labels = {}, taints = [], unschedulable = false, ready = true, has = {}, images = [] } = given;
  const allocatable = { cpu: '4', memory: '8Gi', pods: '110', ...has };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, uid: name, labels: { 'kubernetes.io/hostname': name, ...labels } },
    spec: { taints, unschedulable },
    status: { allocatable, images, conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
  };
}

export interface PodGiven extends Partial<Omit<PodSpec, 'containers'>> {
  readonly namespace?: string;
  readonly labels?: Record<string, string>;
  readonly on?: string;
  readonly requests?: Record<string, string>;
  readonly hostPorts?: number[];
  readonly image?: string;
  readonly claims?: string[];
  readonly owner?: string;
  readonly startTime?: string;
  readonly deleted?: boolean;
  readonly nominated?: string;
}

export function podOf(name: string, given: PodGiven = {}): Pod {
  const { namespace = 'default', labels = {}, on, requests, hostPorts = [], image = 'x', claims = [], ...more } = given;
  const { owner, startTime, deleted, nominated, ...spec } = more;
  const reference = {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    name: owner ?? '',
    uid: owner ?? '',
    controller: true,
  };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...{ name, namespace, uid: name, labels },
      ...(owner && { ownerReferences: [reference] }),
      ...(deleted && { deletionTimestamp: '2026-01-01T00:00:00Z' }),
    },
    spec: {
      containers: [
        {
          ...{ name: 'c', image },
          ...(requests && { resources: { requests } }),
          ports: hostPorts.map(port => ({ containerPort: port, hostPort: port })),
        },
      ],
      ...(claims.length > 0 && {
        volumes: claims.map(claimName => ({ name: claimName, persistentVolumeClaim: { claimName } })),
      }),
      ...spec,
      ...(on && { nodeName: on }),
    },
    status: {
      phase: on ? 'Running' : 'Pending',
      ...(startTime && { startTime }),
      ...(nominated && { nominatedNodeName: nominated }),
    },
  };
}

/** By kind; names are unique in tests. */
export type Others = Readonly<Record<string, readonly { metadata: { name: string; namespace?: string } }[]>>;

export function objectsOf(others: Others = {}): ClusterObjects {
  return {
    get: (kind, _namespace, name) => others[kind]?.find(({ metadata }) => metadata.name === name),
    list: kind => others[kind] ?? [],
  };
}

export function clusterOf(nodes: readonly Node[], pods: readonly Pod[] = [], others: Others = {}): Cluster {
  const cluster = new Cluster(objectsOf(others));
  for (const node of nodes) cluster.setNode(node);
  for (const pod of pods) cluster.setPod(pod);
  return cluster;
}

export const choosing: Choosing = {
  profile: profiles[0] as Profile,
  start: 0,
  random: () => 0.999,
  nominated: () => [],
};

/** The node's name, or why there is none. */
export function outcome(pod: Pod, cluster: Cluster, how: Partial<Choosing> = {}): string {
  const decision = decide(podInfo(pod), cluster, { ...choosing, ...how });
  return 'why' in decision ? explain(decision.why) : decision.node;
}
