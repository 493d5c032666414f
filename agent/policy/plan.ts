/**
 * NetworkPolicies and the pods of this node → who may talk to whom (Kubernetes: "Network Policies"). Pure. A pod that any
 * policy selects for a direction gets only what one of them allows in it; the others are left alone.
 */
import { createHash } from 'node:crypto';
import type { IPBlock, NetworkPolicyPort } from '../../src/kube/api/networking-v1.js';
import { selects } from '../../src/kube/label-selector.js';
import type { Pod } from '../../src/kube/pod.js';
import type { PeerRule, PolicyPeers } from '../../src/kube/policy-peers.js';

export type Direction = 'in' | 'out';
export type Family = 'ip' | 'ip6';

/** A pod of this node with a network of its own. */
export interface LocalPod {
  readonly pod: Pod;
  /** Of either family. */
  readonly addresses: readonly string[];
}

export interface PortRange {
  /** `tcp` */
  readonly protocol: string;
  readonly from: number;
  readonly to: number;
}

/** A port of one address. */
export interface PortOf {
  readonly address: string;
  readonly protocol: string;
  readonly port: number;
}

/** Traffic that is allowed: both conditions hold. */
export interface Allowed {
  /** Undefined: everybody. */
  readonly peers?: {
    readonly addresses: readonly string[];
    readonly blocks: readonly IPBlock[];
  };
  /** Undefined: everything. */
  readonly ports?: {
    readonly ranges: readonly PortRange[];
    /** Whether any is said by its name. */
    readonly byName: boolean;
    readonly named: readonly PortOf[];
  };
}

/** What the kernel is to do in one family, whatever it is told with. */
export interface PolicyPlan {
  readonly family: Family;
  /** Address of a pod → the group of policies that select it. */
  readonly groups: Readonly<Record<Direction, ReadonlyMap<string, string>>>;
  /** Group → its policies, by name in the kernel, sorted. */
  readonly members: Readonly<Record<Direction, ReadonlyMap<string, readonly string[]>>>;
  /** What each of these policies allows. */
  readonly rules: Readonly<Record<Direction, ReadonlyMap<string, readonly Allowed[]>>>;
}

const directions = ['in', 'out'] as const;

export function planPolicies(
  policies: readonly PolicyPeers[],
  allPods: readonly LocalPod[],
  family: Family = 'ip',
): PolicyPlan {
  const pods = allPods.flatMap(({ pod, addresses }) => {
    const own = addresses.filter(isOf(family));
    return own.length > 0 ? [{ pod, addresses: own }] : [];
  });
  const plan = { groups: empty<string>(), members: empty<readonly string[]>(), rules: empty<readonly Allowed[]>() };
  for (const direction of directions) {
    const of = policies.filter(policy => rulesOf(policy, direction) !== undefined);
    for (const { pod, addresses } of pods) {
      const mine = of.filter(policy => isSelected(policy, pod));
      if (mine.length === 0) continue;
      const names = mine.map(nameOf).sort();
      const group = shortHash(names.join());
      for (const address of addresses) plan.groups[direction].set(address, group);
      plan.members[direction].set(group, names);
    }
    for (const policy of of) {
      const selected = pods.filter(({ pod }) => isSelected(policy, pod));
      // a policy that selects none of our pods costs this node nothing
      if (selected.length === 0) continue;
      const rules = (rulesOf(policy, direction) ?? []).map(rule => allowedBy(rule, { direction, family }, selected));
      plan.rules[direction].set(nameOf(policy), rules);
    }
  }
  return { family, ...plan };
}

const empty = <V>() => ({ in: new Map<string, V>(), out: new Map<string, V>() });

const rulesOf = (policy: PolicyPeers, direction: Direction): readonly PeerRule[] | undefined =>
  direction === 'in' ? policy.ingress : policy.egress;

export const isSelected = ({ metadata, podSelector }: PolicyPeers, pod: Pod): boolean =>
  metadata.namespace === pod.metadata.namespace && selects(podSelector, pod.metadata.labels ?? {});

/** A policy's name in the kernel: its UID, which no character of a rule language is in. */
const nameOf = ({ metadata }: PolicyPeers): string => shortHash(metadata.uid ?? '');

const shortHash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 12);

function allowedBy(
  { peers, ports, named }: PeerRule,
  { direction, family }: { direction: Direction; family: Family },
  selected: readonly LocalPod[],
): Allowed {
  const isOwn = isOf(family);
  const own = peers && {
    addresses: peers.addresses.filter(isOwn),
    blocks: peers.blocks
      .filter(({ cidr }) => isOwn(cidr))
      .map(({ cidr, except = [] }) => ({ cidr, except: except.filter(isOwn) })),
  };
  return {
    ...(own && { peers: own }),
    ...(ports && {
      ports: {
        ranges: ports.flatMap(rangeOf),
        byName: ports.some(({ port }) => typeof port === 'string'),
        // into a pod its own ports are meant, out of it those of its peers
        named:
          direction === 'in'
            ? namedPorts(ports, selected)
            : (named ?? []).filter(({ address }) => isOwn(address)).map(lowerProtocol),
      },
    }),
  };
}

/** Of addresses and blocks. */
const isOf =
  (family: Family) =>
  (address: string): boolean =>
    address.includes(':') === (family === 'ip6');
const lowerProtocol = (port: PortOf): PortOf => ({ ...port, protocol: port.protocol.toLowerCase() });

function rangeOf({ protocol = 'TCP', port, endPort }: NetworkPolicyPort): PortRange[] {
  if (typeof port === 'string') return [];
  const from = port ?? 0;
  const to = port === undefined ? 65_535 : (endPort ?? port);
  return [{ protocol: protocol.toLowerCase(), from, to }];
}

function namedPorts(wanted: readonly NetworkPolicyPort[], selected: readonly LocalPod[]): PortOf[] {
  return selected.flatMap(({ pod, addresses }) =>
    pod.spec.containers.flatMap(({ ports = [] }) =>
      ports
        .filter(p => wanted.some(w => w.port === p.name && (w.protocol ?? 'TCP') === (p.protocol ?? 'TCP')))
        .flatMap(p =>
          addresses.map(address => ({
            address,
            protocol: (p.protocol ?? 'TCP').toLowerCase(),
            port: p.containerPort,
          })),
        ),
    ),
  );
}
