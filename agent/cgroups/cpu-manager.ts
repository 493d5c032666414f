/** Who has CPUs for himself, remembered in a file; and which CPUs everybody else runs on. */
import type { Pod } from '../../src/kube/pod.js';
import { Checkpoint } from '../admission/checkpoint.js';
import {
  assignCpus,
  type CpuAnswer,
  type CpuAssignments,
  type CpuTopology,
  cpuKey,
  cpuWishes,
  keepPods,
  sharedCpus,
} from './assign-cpus.js';
import { formatCpuList } from './cpu-list.js';

interface State {
  readonly assignments?: CpuAssignments;
  /** The machine's CPUs and the reserved ones: of another machine nothing is believed. */
  readonly of?: string;
}

export class CpuManager {
  #assignments: CpuAssignments;
  readonly #checkpoint: Checkpoint<State>;
  readonly #of: string;

  constructor(
    readonly topology: CpuTopology,
    file: string,
    onProblem: (message: string) => void,
  ) {
    this.#checkpoint = new Checkpoint(file, onProblem);
    this.#of = `${formatCpuList(topology.cores.flat())} without ${formatCpuList(topology.reserved)}`;
    const { assignments, of } = this.#checkpoint.read();
    this.#assignments = of === this.#of ? (assignments ?? {}) : {};
  }

  decide(pod: Pod): CpuAnswer {
    return assignCpus(this.topology, this.#assignments, cpuWishes(pod));
  }

  /** True if the shared pool has changed. */
  commit(assignments: CpuAssignments): boolean {
    const before = this.shared();
    this.#checkpoint.write({ assignments, of: this.#of });
    this.#assignments = assignments;
    return before !== this.shared();
  }

  /** Only these pods hold CPUs still. True if the shared pool has changed. */
  keep(uids: ReadonlySet<string>): boolean {
    return this.commit(keepPods(this.#assignments, uids));
  }

  shared(): string {
    return formatCpuList(sharedCpus(this.topology, this.#assignments));
  }

  /** cpuset.cpus of a container. */
  cpusOf(pod: Pod, container: string): string {
    const own = this.#assignments[cpuKey(pod, container)];
    return own ? formatCpuList(own) : this.shared();
  }
}
