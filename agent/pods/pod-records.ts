/** When one pod's records reach the disk: before what they speak of is made, and durable before anything depends on them. */
import { failpoint } from '../../src/base/failpoint.js';
import type { Termination } from './facts.js';
import { syncPodRecord, writePodRecord, writeStopRecord } from './records.js';
import type { PodState } from './state.js';

export class PodRecords {
  #recorded: boolean;
  #onDisk: Promise<void> = Promise.resolve();
  /** What is on disk of the termination. */
  #stopRecorded: Termination | undefined;

  constructor(
    readonly of: PodState,
    recorded: boolean,
  ) {
    this.#recorded = recorded;
    this.#stopRecorded = of.facts.termination;
  }

  /** On its way to the disk while the sandbox is made: `durable` waits for it. */
  async write(): Promise<void> {
    const { pod, facts, paths } = this.of;
    await writePodRecord(paths, { pod, startTime: facts.startTime });
    this.#recorded = true;
    this.#onDisk = syncPodRecord(paths);
    this.#onDisk.catch(() => {});
  }

  async writeOnce(): Promise<void> {
    if (!this.#recorded) await this.write();
  }

  /** What a failed fsync was about is not certain to be in memory any more: it is written again. */
  async durable(): Promise<void> {
    await this.#onDisk.catch(() => this.write().then(() => this.#onDisk));
  }

  /** The order to stop, so that a new agent goes on with what is left of the grace. */
  async stop(): Promise<void> {
    const { termination, stopBy } = this.of.facts;
    if (!this.#recorded || !termination || stopBy === undefined || termination === this.#stopRecorded) return;
    await writeStopRecord(this.of.paths, { termination, stopBy });
    this.#stopRecorded = termination;
    await failpoint('pod.afterStopRecord');
  }
}
