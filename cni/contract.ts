/** CNI 1.1 types for the in-process calls; the executables in cni/bin speak the same through environment and stdin. */

export interface CniResult {
  readonly cniVersion: string;
  readonly interfaces: readonly {
    readonly name: string;
    readonly mac?: string;
    readonly mtu?: number;
    readonly sandbox?: string;
  }[];
  readonly ips: readonly { readonly address: string; readonly gateway?: string; readonly interface?: number }[];
  readonly routes: readonly { readonly dst: string; readonly gw?: string }[];
}

/** One port of the node that leads to a container. */
export interface PortMapping {
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  /** Undefined: every address of the node. */
  readonly hostIP?: string;
}

/** In bits per second; undefined: no limit. */
export interface Bandwidth {
  /** What a pod receives. */
  readonly ingressBits?: number;
  /** What it sends. */
  readonly egressBits?: number;
}

/** One attachment: a container's interface in a network namespace. */
export interface Attachment {
  readonly containerID: string;
  /** /proc/PID/ns/net or a bind mount of it. DEL works without it. */
  readonly netns: string;
  readonly ifName: string;
  /** For errors: `pod default/web-0`. */
  readonly object: string;
  readonly portMappings?: readonly PortMapping[];
  readonly bandwidth?: Bandwidth;
}

/** Errors with the CNI spec's codes (section "Error"): 7 invalid config, 11 try again later, ≥ 100 our own. */
export class CniError extends Error {
  constructor(
    readonly code: number,
    message: string,
    readonly details?: string,
    options?: ErrorOptions,
  ) {
    super(details ? `${message}: ${details}` : message, options);
    this.name = 'CniError';
  }
}

export interface BridgeConfig {
  /** Network name: the folder of its leases. */
  readonly name: string;
  readonly bridge: string;
  /**
   * Pod ranges of this node, one or one of each family, the primary one first: `10.244.0.0/24`. The first address of each
   * is the gateway and lives on the bridge.
   */
  readonly subnets: readonly string[];
  /** Cluster ranges: not masqueraded. */
  readonly clusterCidrs: readonly string[];
  readonly mtu: number;
  readonly hairpin: boolean;
  /** Folder with host-local's layout: `<dataDir>/<name>/<ip>`. */
  readonly dataDir: string;
}

/** The bridge network of one node. All calls may be repeated. */
export interface BridgeNetwork {
  /** Bridge, its address, forwarding sysctls, masquerade rule (nft table `keelson`): once, at the agent's start. */
  setup(): Promise<void>;
  add(attachment: Attachment): Promise<CniResult>;
  /** Gives the address back. The link goes away with its namespace (never waited for). */
  del(attachment: Omit<Attachment, 'netns'>): Promise<void>;
  /** Releases leases and host links of containers not in `valid`. */
  gc(valid: ReadonlySet<string>): Promise<void>;
  /** Makes again what somebody has taken away. */
  check(): Promise<void>;
  /** Removes bridge and rules (for `reset` and `--rm`). */
  teardown(): Promise<void>;
}
