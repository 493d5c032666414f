/**
 * What nodes are told of a NetworkPolicy: the policy's own spec, and the addresses that its peers have now, worked out once
 * for all of them. It is sent over the link and kept nowhere; its UID and name are the policy's.
 */

import type { LabelSelector } from './api/meta-v1.js';
import type { IPBlock, NetworkPolicyPort } from './api/networking-v1.js';
import type { KubeObject } from './meta.js';

export const policyPeersKind = 'PolicyPeers';

export interface PolicyPeers extends KubeObject {
  readonly kind: typeof policyPeersKind;
  readonly podSelector: LabelSelector;
  /** Undefined: the policy says nothing of this direction. Without any rule, nothing is allowed. */
  readonly ingress?: readonly PeerRule[];
  readonly egress?: readonly PeerRule[];
}

/** One rule of a policy. */
export interface PeerRule {
  /** Undefined: everybody. */
  readonly peers?: {
    /** Of pods, sorted. */
    readonly addresses: readonly string[];
    readonly blocks: readonly IPBlock[];
  };
  /** Undefined: all. Those with a name are in `named` where the peers' own ports are meant. */
  readonly ports?: readonly NetworkPolicyPort[];
  /** Ports of peers by name (egress): where each peer has it. */
  readonly named?: readonly NamedPortOf[];
}

export interface NamedPortOf {
  readonly address: string;
  readonly protocol: string;
  readonly port: number;
}
