/** What a pod worker is given by its node: every edge it may touch, so that nothing else can be reached from it. */
import type { Logger } from '../../src/base/log.js';
import type { Service } from '../../src/kube/api/core-v1.js';
import type { Pod, PodStatus } from '../../src/kube/pod.js';
import type { Rejection } from '../admission/admit.js';
import type { NodeResources } from '../admission/node-resources.js';
import type { ContainerRuntime } from '../containers/contract.js';
import type { ImageStore } from '../images/contract.js';
import type { VolumeSources } from '../volumes/volumes.js';
import type { DnsSettings } from './etc-files.js';
import type { NodePaths, PodPaths } from './paths.js';
import type { SandboxNode } from './sandbox.js';

export interface PodNode extends SandboxNode {
  readonly name: string;
  readonly directories: NodePaths;
  readonly memoryBytes: number;
  readonly resources: NodeResources;
  /** Why it takes on no such pod now, whatever it has: pressure, shutdown. */
  readonly refuses: (pod: Pod) => Rejection | undefined;
  /** The pods of this node that have not ended. */
  readonly activePods: () => readonly Pod[];
  /** What pods may use of this node, in Kubernetes quantities. */
  readonly allocatable: Readonly<Record<string, string>>;
  readonly dns: DnsSettings;
  readonly runtime: ContainerRuntime;
  readonly images: ImageStore;
  readonly sources: VolumeSources;
  /** Kernel parameters that pods may set here beside the safe ones; `kernel.msg*` stands for many. */
  readonly allowedUnsafeSysctls: readonly string[];
  /** The Services that this node knows of, for the environment of containers. */
  readonly services: () => readonly Service[];
  /** Has the tokens of the pod's volumes asked for already, while its sandbox is made. */
  readonly prefetchTokens?: (pod: Pod) => void;
  readonly log: Logger;
  readonly now: () => number;
  /** The newest status, to be stored by the API. */
  readonly report: (pod: Pod, status: PodStatus) => void;
  /** Nothing of the pod is left here. */
  readonly gone: (pod: Pod, last?: PodStatus) => void;
  /** @param container names the container that it is about */
  readonly event: (pod: Pod, type: 'Normal' | 'Warning', reason: string, message: string, container?: string) => void;
  /** Removes all attempts of a container from disk. */
  readonly removeAttempts: (paths: PodPaths, container: string) => Promise<void>;
}
