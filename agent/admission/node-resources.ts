/**
 * What this node has to give, given to pods: admission, devices, CPUs of one's own, and the cgroup files of all that.
 * A pod gets everything or is refused; what a pod held is free as soon as it has ended.
 */
import type { CgroupFiles } from '../../native/index.js';
import type { Node } from '../../src/kube/node.js';
import type { Container, Pod } from '../../src/kube/pod.js';
import type { CpuManager } from '../cgroups/cpu-manager.js';
import { hugetlbFiles } from '../cgroups/hugepages.js';
import { memoryMinBytes, memoryQosFiles } from '../cgroups/memory-qos.js';
import { unlessGone, writeGroup } from '../cgroups/write.js';
import type { Injection } from '../devices/inject.js';
import type { DeviceManager } from '../devices/manager.js';
import { admit, type Rejection, type ResizeRefusal, resizeRefusal } from './admit.js';
import type { Quantities } from './capacity.js';

export interface NodeResourcesOptions {
  readonly controllers: ReadonlySet<string>;
  /** Undefined: the policy is none. */
  readonly cpus: CpuManager | undefined;
  readonly devices: DeviceManager;
  readonly allocatable: () => Quantities;
  /** Sizes of huge pages as resource names. */
  readonly hugepages: readonly string[];
  /** Most processes of a pod; 0: no limit but the containers'. */
  readonly podPidsLimit: number;
  /** requests → memory.min, and memory.high before the limit. */
  readonly memoryQos: boolean;
  readonly node: () => Node | undefined;
  /** What pods hold in all is another now: `spreadCpus` and `groupFiles` are due. */
  readonly onChange: () => void;
}

/** One running container and its group. */
export interface RunningContainer {
  readonly pod: Pod;
  readonly container: string;
  readonly cgroup: string;
}

export class NodeResources {
  constructor(readonly options: NodeResourcesOptions) {}

  /** Takes what the pod needs. @param others the pods of this node that have not ended */
  admit(pod: Pod, others: readonly Pod[]): Rejection | undefined {
    const { cpus, devices } = this.options;
    this.keep(others);
    const given = devices.decide(pod);
    if ('refused' in given) return unexpected(given.refused);
    const own = cpus?.decide(pod);
    if (own && 'requested' in own)
      return unexpected(
        `not enough cpus available to satisfy request: requested=${own.requested}, available=${own.available}`,
      );
    const rejection = admit(pod, this.#state(others));
    if (rejection) return rejection;
    devices.commit(given.allocations);
    if ((own && cpus?.commit(own.assignments)) || this.#keepsMemory()) this.options.onChange();
    return undefined;
  }

  resizeRefusal(pod: Pod, others: readonly Pod[]): ResizeRefusal | undefined {
    if (this.options.cpus && pod.status?.qosClass === 'Guaranteed') {
      const message = 'Resize is infeasible for Guaranteed Pods alongside CPU Manager static policy';
      return { reason: 'Infeasible', message };
    }
    return resizeRefusal(pod, this.#state(others));
  }

  /** Only these hold anything any more. */
  keep(pods: readonly Pod[]): void {
    const uids = new Set(pods.map(pod => pod.metadata.uid ?? ''));
    this.options.devices.keep(uids);
    if (this.options.cpus?.keep(uids) || this.#keepsMemory()) this.options.onChange();
  }

  /** After a start of the agent: what runs here holds what is remembered, and gets CPUs anew if that was lost. */
  adopted(pods: readonly Pod[]): void {
    const { cpus, onChange } = this.options;
    this.keep(pods);
    for (const pod of pods) {
      const own = cpus?.decide(pod);
      if (own && 'assignments' in own) cpus?.commit(own.assignments);
    }
    onChange();
  }

  #state(others: readonly Pod[]) {
    return { allocatable: this.options.allocatable(), node: this.options.node(), others };
  }

  /** @throws DeviceGoneError */
  injection(pod: Pod, container: string): Injection {
    return this.options.devices.injection(pod.metadata.uid ?? '', container);
  }

  /** Beside those of `containerFiles`. */
  containerFiles(pod: Pod, container: Container): CgroupFiles {
    const { controllers, cpus, hugepages, memoryQos, allocatable } = this.options;
    return [
      ...(cpus && controllers.has('cpuset') ? [['cpuset.cpus', cpus.cpusOf(pod, container.name)] as const] : []),
      ...(controllers.has('hugetlb') ? hugetlbFiles(container.resources?.limits ?? {}, hugepages) : []),
      ...(memoryQos && controllers.has('memory') ? memoryQosFiles(pod, container, allocatable()) : []),
    ];
  }

  /** Beside those of `podFiles`. */
  podFiles(pod: Pod): CgroupFiles {
    const { controllers, podPidsLimit } = this.options;
    return [
      ...(podPidsLimit > 0 && controllers.has('pids') ? [['pids.max', String(podPidsLimit)] as const] : []),
      ...(this.#keepsMemory() ? [['memory.min', String(memoryMinBytes([pod]))] as const] : []),
    ];
  }

  #keepsMemory = (): boolean => this.options.memoryQos && this.options.controllers.has('memory');

  /** What is above the pods promises what they promise in all, or it is no promise: files by group. */
  groupFiles(pods: readonly Pod[]): [qos: string, files: CgroupFiles][] {
    if (!this.#keepsMemory()) return [];
    const min = (some: readonly Pod[]): CgroupFiles => [['memory.min', String(memoryMinBytes(some))]];
    const of = (qos: string): Pod[] => pods.filter(({ status }) => status?.qosClass === qos);
    return [
      ['', min(pods)],
      ...(['Guaranteed', 'Burstable'] as const).map((qos): [string, CgroupFiles] => [qos.toLowerCase(), min(of(qos))]),
    ];
  }

  /** Writes cpuset.cpus of every container anew: the shared pool has grown or shrunk. */
  async spreadCpus(running: Iterable<RunningContainer>): Promise<void> {
    const { cpus, controllers } = this.options;
    if (!cpus || !controllers.has('cpuset')) return;
    for (const { pod, container, cgroup } of running) {
      // one that has ended meanwhile has no group any more
      await writeGroup(cgroup, [['cpuset.cpus', cpus.cpusOf(pod, container)]]).catch(unlessGone);
    }
  }
}

const unexpected = (problem: string): Rejection => ({
  reason: 'UnexpectedAdmissionError',
  message: `Allocate failed due to ${problem}, which is unexpected`,
});
