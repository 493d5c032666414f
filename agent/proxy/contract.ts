/**
 * What the parts of the Service proxy hand each other: a table that says where each service address leads, as neutral of the
 * kernel as can be, and the backends that make the kernel do it.
 */

export type Family = 'IPv4' | 'IPv6';
export type Protocol = 'tcp' | 'udp' | 'sctp';

export interface ProxyEndpoint {
  readonly address: string;
  readonly port: number;
  /** On this node. */
  readonly local: boolean;
}

/** One address, protocol and port at which a Service is reached. */
export interface ServiceEntry {
  /** Unique in a table: see `entryKey`. */
  readonly key: string;
  readonly kind: 'clusterIP' | 'externalIP' | 'loadBalancer' | 'nodePort';
  /** `namespace/name` */
  readonly service: string;
  /** Name of the port in the Service; empty if it has none. */
  readonly portName: string;
  readonly family: Family;
  readonly protocol: Protocol;
  /** Undefined for node ports: every address of this node except the loopback's. */
  readonly address: string | undefined;
  readonly port: number;
  /** In the order of their addresses. If there are none, `none` says what becomes of the packet. */
  readonly endpoints: readonly ProxyEndpoint[];
  /** Nobody serves: tell the client. Nobody serves on this node, and no other may: keep silent. */
  readonly none: 'reject' | 'drop';
  /**
   * Only with externalTrafficPolicy Local: what pods and the node itself send goes to these instead, wherever they are;
   * rejected if there are none.
   */
  readonly inside?: readonly ProxyEndpoint[];
  /**
   * Whose packets get this node's address as their source. An endpoint that reaches itself always does (hairpin).
   * - `all`
   * - `outside`: whose source is not in the cluster's pod network
   * - `node`: only what the node itself sends
   */
  readonly masquerade: 'all' | 'outside' | 'node';
  /** A client comes back to the endpoint that it had less than this many seconds ago. */
  readonly affinitySeconds?: number;
  /** CIDRs of this family that may use the address; everybody if undefined, nobody if empty. */
  readonly sourceRanges?: readonly string[];
}

/** By key. */
export type ServiceTable = ReadonlyMap<string, ServiceEntry>;

/** From one table to the next. */
export interface TableDifference {
  readonly added: readonly ServiceEntry[];
  readonly changed: readonly { readonly before: ServiceEntry; readonly after: ServiceEntry }[];
  readonly removed: readonly ServiceEntry[];
}

/** A port at which this node tells load balancers whether it serves a Service with externalTrafficPolicy Local. */
export interface HealthPort {
  readonly service: string;
  readonly port: number;
  readonly localEndpoints: number;
}

/** What the table depends on besides Services and slices. */
export interface NodeFacts {
  readonly name: string;
  /** Label topology.kubernetes.io/zone of the node. */
  readonly zone?: string | undefined;
  /** Where default/kubernetes leads, whatever its endpoints are: a relay that this node runs. */
  readonly apiServer?: { readonly address: string; readonly port: number } | undefined;
}

/** What a backend must know of its node. All CIDRs of both families, as far as there are any. */
export interface BackendOptions {
  /** Where pods have their addresses, of all nodes: `10.244.0.0/16`. */
  readonly clusterCidrs: readonly string[];
  /** The bridge of this node's pods. */
  readonly bridge: string;
  /** Of ip_vs; round robin if undefined. */
  readonly ipvsScheduler?: string;
  /** Told what a person should know, and what goes on nevertheless. */
  readonly warn?: (message: string) => void;
}

/**
 * One way to make the kernel do what a table says. Calls are never concurrent. Established connections go on whatever is
 * applied, except those of UDP to an endpoint that is gone. Every method rejects with an Error naming what was refused.
 */
export interface ProxyBackend {
  readonly name: string;
  /** Undefined if this kernel has all that is needed; else what is missing and what to type. Changes nothing. */
  unusable(): Promise<string | undefined>;
  /** Makes the kernel's state that of `table`, whatever is there, best in one transaction. */
  sync(table: ServiceTable): Promise<void>;
  /** From the table applied last to `table`, at a cost that depends on the difference alone. */
  apply(difference: TableDifference, table: ServiceTable): Promise<void>;
  /** Addresses of other machines: a Service may have one (a load balancer's, an external one), and it stays theirs. */
  setMachines?(addresses: ReadonlySet<string>): void;
  /** Cheap: whether what was applied last is still there; if not, `sync` follows. */
  intact(): Promise<boolean>;
  /** Calls `onLost` when somebody else may have changed our rules; only where the kernel tells. */
  watch?(onLost: () => void): { close(): void };
  /** Ends what the process itself holds; what is in the kernel stays. Only where there is such. */
  close?(): Promise<void>;
  /** Takes everything of this backend away, also what an earlier process left. Success if nothing is there. */
  cleanup(): Promise<void>;
}

/** @param address undefined for node ports */
export const entryKey = (family: Family, protocol: Protocol, address: string | undefined, port: number): string =>
  `${family}/${protocol}/${address ?? 'node'}/${port}`;
