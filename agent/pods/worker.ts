/**
 * One pod on this node: holds its facts, asks `plan` what to do, does it, reports `podStatus`. Its runs are serialised by
 * the manager's keyed queue, so nothing here runs twice at once; facts that arrive meanwhile (exits, spec changes) only
 * change `facts` and ask for another run.
 */
import { describe } from '../../src/base/errors.js';
import { failpoint } from '../../src/base/failpoint.js';
import type { RunResult } from '../../src/base/queue.js';
import type { Pod, PodPhase, PodStatus } from '../../src/kube/pod.js';
import { shimSocket } from '../containers/runtime.js';
import { ContainerRuns } from './container-runs.js';
import { mergeTermination, type PodFacts, type Termination } from './facts.js';
import type { PodNode } from './node-contract.js';
import { isOverruled } from './overruled.js';
import { type PodPaths, sandboxId } from './paths.js';
import { isFinished, type PodAction, plan, podGraceMs } from './plan.js';
import { PodRecords } from './pod-records.js';
import { removePodDirectory, removeVolumes } from './records.js';
import { makeSandbox, plannedSandbox, releaseSandbox, type Sandbox } from './sandbox.js';
import { type LiveContainer, PodState, type WorkerState } from './state.js';
import { podPhase, podStatus } from './status.js';

export class PodWorker {
  readonly #state: PodState;
  readonly #records: PodRecords;
  readonly #runs: ContainerRuns;
  #released = false;
  readonly #adopted: boolean;
  /** The API's newest object has been seen: before that an adopted pod would be told by an old status. */
  #current: boolean;
  #lastStatus: PodStatus | undefined;
  #lastSent = '';

  constructor(
    readonly node: PodNode,
    pod: Pod,
    readonly paths: PodPaths,
    from: WorkerState,
    /** Asks for another run. */
    readonly wake: () => void,
  ) {
    this.#state = new PodState(node, paths, pod, from.facts, wake);
    this.#records = new PodRecords(this.#state, from.recorded);
    this.#runs = new ContainerRuns(this.#state, this.#records);
    this.#adopted = from.recorded;
    this.#current = !from.recorded;
    this.#lastStatus = pod.status;
    for (const [name, live] of from.live) this.#runs.watch(name, live, true);
    if (from.sandbox) this.#watchSandbox(from.sandbox);
  }

  get pod(): Pod {
    return this.#state.pod;
  }
  get facts(): PodFacts {
    return this.#state.facts;
  }
  /** What its status says, or would say. */
  get phase(): PodPhase {
    return (this.#lastSent ? this.#lastStatus?.phase : undefined) ?? podPhase(this.pod, this.facts);
  }
  /** True when nothing of the pod is left on this node and the API has been told. */
  get released(): boolean {
    return this.#released;
  }
  /** The process that holds the pod's namespaces, if it stands. */
  get pausePid(): number | undefined {
    return this.facts.sandbox?.alive ? this.#state.sandbox?.pause.pid : undefined;
  }
  liveContainer(name: string): LiveContainer | undefined {
    return this.#state.live.get(name);
  }

  /** A newer object of the same UID. */
  update(pod: Pod): void {
    this.#state.pod = pod;
    if (!this.#current) this.#lastStatus = pod.status;
    this.#current = true;
    if (isOverruled(this.#lastStatus, pod.status)) this.#tellAgain(pod);
    this.wake();
  }

  #tellAgain({ status }: Pod): void {
    this.#lastStatus = { ...this.#lastStatus, conditions: status?.conditions ?? [] };
    this.#lastSent = '';
  }

  /** Orders the pod to stop. */
  terminate(order: Termination): void {
    const { termination, stopBy = Number.POSITIVE_INFINITY } = this.facts;
    this.#state.facts = {
      ...this.facts,
      termination: mergeTermination(termination, order),
      stopBy: Math.min(stopBy, this.node.now() + order.graceMs),
    };
    this.wake();
  }

  /** What the pod needs from other objects may be there now: obstacles are tried again at once. */
  retryObstacles(): void {
    this.#state.retryObstacles();
    this.wake();
  }

  /** One turn: plan and act until there is nothing to do now; then report. */
  async run(): Promise<RunResult> {
    await this.#records.stop();
    // bounded, so that a plan that never comes to rest shows as a warning instead of a busy loop
    for (let turn = 0; turn < 50 && !this.#released; turn++) {
      const { actions, wakeAt } = plan(this.pod, this.facts, this.node.now());
      if (actions.length === 0) return this.#rest(wakeAt);
      for (const action of actions) await this.#act(action);
    }
    if (!this.#released) this.node.log.warn({ pod: this.paths.uid }, 'pod does not come to rest');
    return this.#released ? undefined : { againAfterMs: 1000 };
  }

  async #rest(wakeAt: number | undefined): Promise<RunResult> {
    await failpoint('pod.beforeStatus');
    this.#report();
    return wakeAt === undefined ? undefined : { againAfterMs: Math.max(1, wakeAt - this.node.now()) };
  }

  #report(): void {
    if (!this.#current) return;
    const { hostIPs } = this.node;
    const status = podStatus(this.pod, this.facts, { hostIPs, now: this.node.now(), previous: this.#lastStatus });
    this.#lastStatus = status;
    const text = JSON.stringify(status);
    if (text === this.#lastSent) return;
    this.#lastSent = text;
    this.node.report(this.pod, status);
  }

  async #act(action: PodAction): Promise<void> {
    switch (action.do) {
      case 'createSandbox':
        return this.#createSandbox();
      case 'startContainer':
        return this.#runs.start(action.container);
      case 'stopContainer':
        return this.#runs.care.stop(action);
      case 'resizeContainer':
        return this.#runs.resize(action.container);
      case 'killContainer':
        return this.#runs.care.kill(action.container);
      case 'tearDown':
        return this.#tearDown();
      case 'release':
        return this.#release();
      case 'fail':
        return this.#fail(action);
    }
  }

  #fail({ reason, message }: { readonly reason: string; readonly message: string }): void {
    this.node.event(this.pod, 'Normal', reason, message);
    this.terminate({ deleted: false, failed: true, reason, message, graceMs: podGraceMs(this.pod) });
  }

  async #createSandbox(): Promise<void> {
    const attempt = this.facts.nextSandbox;
    try {
      this.node.prefetchTokens?.(this.pod);
      const record = plannedSandbox(this.node, this.paths, attempt);
      await this.#records.writeFor(record);
      const sandbox = await makeSandbox(this.node, this.pod, this.paths, record);
      const { sandboxObstacle: _, ...facts } = this.facts;
      this.#state.facts = {
        ...facts,
        nextSandbox: attempt + 1,
        tornDown: false,
        sandbox: { attempt, alive: true, ...(sandbox.ips.length > 0 && { ips: sandbox.ips }) },
      };
      this.#watchSandbox(sandbox);
    } catch (error) {
      this.#sandboxFailed(attempt, describe(error));
    }
  }

  #sandboxFailed(attempt: number, error: string): void {
    const reason = 'FailedCreatePodSandBox';
    const message = `Failed to create pod sandbox: ${error}`;
    this.node.log.warn({ pod: this.paths.uid, error }, 'sandbox failed');
    const sandboxObstacle = this.#state.obstacle(this.facts.sandboxObstacle, reason, message);
    this.#state.facts = { ...this.facts, nextSandbox: attempt + 1, sandboxObstacle };
    this.node.event(this.pod, 'Warning', reason, message);
  }

  async #tearDown(): Promise<void> {
    const { paths } = this;
    const attempt = this.facts.sandbox?.attempt ?? this.facts.nextSandbox - 1;
    const record = { attempt, id: sandboxId(paths.uid, attempt) };
    if (attempt >= 0) await releaseSandbox(this.node, paths, record, this.#state.sandbox?.pause);
    this.#state.sandbox = undefined;
    const ending = this.facts.termination !== undefined || isFinished(this.pod, this.facts);
    // one that is deleted gives them up with the rest of its directory
    if (ending && !this.facts.termination?.deleted) await removeVolumes(paths);
    const { sandbox, ...facts } = this.facts;
    // a finished pod keeps showing the address it had
    this.#state.facts = ending
      ? { ...facts, tornDown: true, ...(sandbox && { sandbox: { ...sandbox, alive: false } }) }
      : { ...facts, tornDown: true };
  }

  async #release(): Promise<void> {
    this.#report();
    await failpoint('pod.beforeRelease');
    // what a former agent began may be unknown to us; what we began is in our facts
    if (this.#adopted)
      for (const name of Object.keys(this.facts.containers)) await this.node.removeAttempts(this.paths, name);
    await removePodDirectory(this.paths, this.#sockets());
    await failpoint('pod.afterRelease');
    this.#released = true;
    this.node.gone(this.pod, this.#lastStatus);
  }

  /** A shim that was killed has left its own. */
  #sockets(): string[] {
    const runs = Object.values(this.facts.containers).flatMap(({ ended, endedBefore }) => [ended, endedBefore]);
    return runs.flatMap(run => (run?.id ? shimSocket(this.node.directories.runDir, run.id) : []));
  }

  #watchSandbox(sandbox: Sandbox): void {
    this.#state.sandbox = sandbox;
    void sandbox.pause.wait().then(() => {
      if (this.#state.sandbox !== sandbox || !this.facts.sandbox) return;
      this.#state.facts = { ...this.facts, sandbox: { ...this.facts.sandbox, alive: false } };
      this.wake();
    });
  }
}
