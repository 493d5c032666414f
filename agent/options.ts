/** What an agent is told at its start, and what its starter gets. */
import type { ResourceOptions } from './admission/supply.js';
import type { OverlayMode } from './network/overlay.js';
import type { ProxyMode, Scheduler } from './proxy/modes.js';

export interface AgentOptions {
  readonly nodeName: string;
  readonly dataDir: string;
  readonly runDir: string;
  readonly cgroupName: string;
  readonly manifestsDir: string;
  /** kubeconfig of this node: server, CA and client certificate. Need not exist yet. */
  readonly credentials: string;
  /** Undefined: the controller hands them out. */
  readonly podCIDRs: readonly string[] | undefined;
  /** One, or one of each family; the first is of the primary family. */
  readonly clusterCIDRs: readonly string[];
  /** Where Services get their addresses, the default family's first. */
  readonly serviceCIDRs: readonly string[];
  readonly overlay: OverlayMode;
  readonly cniConfDir: string;
  readonly cniBinDirs: readonly string[];
  /** Addresses of this node that others reach it by, at most one of each family. Undefined: the machine's first. */
  readonly nodeIPs: readonly string[] | undefined;
  readonly proxyMode: ProxyMode;
  readonly ipvsScheduler: Scheduler;
  readonly maxPods: number;
  /** Beside the safe ones, as PodNode has them. */
  readonly allowedUnsafeSysctls: readonly string[];
  /** In a network namespace of our own: bring up loopback ourselves. */
  readonly isolated: boolean;
  /** On stop, take every pod, link, cgroup and rule away. */
  readonly removeOnStop: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** What of this node pods may use. */
  readonly resources: ResourceOptions;
}

export interface Agent {
  /** Resolves when the controller has stored this node as ready. */
  readonly ready: Promise<void>;
  /** Ends the pods because the machine goes down (docs/resources.md); the agent itself goes on. */
  shutDown(): Promise<void>;
  stop(): Promise<void>;
}
