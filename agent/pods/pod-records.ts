/** When one pod's records reach the disk: before what they speak of is made, and durable before anything depends on them. */
import { type FileOp, writeFiles } from '../../native/index.js';
import { failpoint } from '../../src/base/failpoint.js';
import type { Termination } from './facts.js';
import { podRecordFiles, type SandboxRecord, sandboxRecordFile, syncPodRecord, writeStopRecord } from './records.js';
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

  async write(): Promise<void> {
    await writeFiles(this.#files());
    this.#written();
  }

  /** Before a sandbox is made: its record, and the pod's if that was never written, in one trip. */
  async writeFor(sandbox: SandboxRecord): Promise<void> {
    const file = sandboxRecordFile(this.of.paths, sandbox);
    if (this.#recorded) return writeFiles([file]);
    await writeFiles([...this.#files(), file]);
    this.#written();
  }

  #files(): readonly FileOp[] {
    const { pod, facts, paths } = this.of;
    return podRecordFiles(paths, { pod, startTime: facts.startTime });
  }

  /** Durable while the pod's next steps are under way: `durable` waits for it. */
  #written(): void {
    this.#recorded = true;
    this.#onDisk = syncPodRecord(this.of.paths);
    this.#onDisk.catch(() => {});
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
