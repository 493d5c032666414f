/**
 * One pod on this node: holds its facts, asks `plan` what to do, does it, reports `podStatus`. Its runs are serialised by
 * the manager's keyed queue, so nothing here runs twice at once; facts that arrive meanwhile (exits, spec changes) only
 * change `facts` and ask for another run.
 */
import { cgroupKill, cgroupRemove } from '../../native/index.js';
import { backoffDelay } from '../../src/base/backoff.js';
import { describe } from '../../src/base/errors.js';
import { failpoint } from '../../src/base/failpoint.js';
import type { RunResult } from '../../src/base/queue.js';
import type { Pod, PodStatus } from '../../src/kube/pod.js';
import type { ContainerHandle, ExitRecord } from '../containers/contract.js';
import { VolumeError } from '../volumes/contract.js';
import { type PreparedVolume, prepareVolumes } from '../volumes/volumes.js';
import { ContainerCare } from './care.js';
import { endedRun } from './ended.js';
import {
  type ContainerFacts,
  containerOf,
  type EndedRun,
  factsOf,
  isEphemeral,
  mergeTermination,
  type Obstacle,
  type PodFacts,
  resourcesOf,
  type Termination,
} from './facts.js';
import { freshHealth } from './health.js';
import type { PodNode } from './node-contract.js';
import { attemptCgroup, type PodPaths, sandboxId } from './paths.js';
import { isFinished, type PodAction, plan, podGraceMs } from './plan.js';
import {
  listAttempts,
  removeAttempt,
  removePodDirectory,
  syncPodRecord,
  writePodRecord,
  writeStopRecord,
} from './records.js';
import { resizeContainer, resizeProblem } from './resize.js';
import { crashBackoff, crashesAfter, nextStartAt } from './restart.js';
import { makeSandbox, releaseSandbox, type Sandbox } from './sandbox.js';
import { startContainer } from './start-container.js';
import { podStatus } from './status.js';

/** A live container as the worker holds it. */
export interface LiveContainer {
  readonly handle: ContainerHandle;
  readonly attempt: number;
  readonly stopSignal: number;
}

export interface WorkerState {
  readonly facts: PodFacts;
  readonly sandbox: Sandbox | undefined;
  readonly live: ReadonlyMap<string, LiveContainer>;
  /** The pod's directory exists on disk. */
  readonly recorded: boolean;
}

export class PodWorker {
  #pod: Pod;
  #facts: PodFacts;
  #sandbox: Sandbox | undefined;
  #volumes: ReadonlyMap<string, PreparedVolume> | undefined;
  #recorded: boolean;
  #onDisk: Promise<void> = Promise.resolve();
  #released = false;
  /** What is on disk of the termination. */
  #stopRecorded: Termination | undefined;
  /** The API's newest object has been seen: before that an adopted pod would be told by an old status. */
  #current: boolean;
  #lastStatus: PodStatus | undefined;
  #lastSent = '';
  readonly #live = new Map<string, LiveContainer>();
  readonly #care: ContainerCare;

  constructor(
    readonly node: PodNode,
    pod: Pod,
    readonly paths: PodPaths,
    state: WorkerState,
    /** Asks for another run. */
    readonly wake: () => void,
  ) {
    this.#pod = pod;
    this.#facts = state.facts;
    this.#sandbox = state.sandbox;
    this.#recorded = state.recorded;
    this.#current = !state.recorded;
    this.#stopRecorded = state.facts.termination;
    this.#lastStatus = pod.status;
    this.#care = new ContainerCare({
      node,
      paths,
      wake,
      pod: () => this.#pod,
      facts: () => this.#facts,
      live: name => this.#live.get(name),
      set: (name, facts) => this.#setContainer(name, facts),
    });
    for (const [name, live] of state.live) this.#watchContainer(name, live, true);
    if (state.sandbox) this.#watchSandbox(state.sandbox);
  }

  get pod(): Pod {
    return this.#pod;
  }
  get facts(): PodFacts {
    return this.#facts;
  }
  /** True when nothing of the pod is left on this node and the API has been told. */
  get released(): boolean {
    return this.#released;
  }
  /** The process that holds the pod's namespaces, if it stands. */
  get pausePid(): number | undefined {
    return this.#facts.sandbox?.alive ? this.#sandbox?.pause.pid : undefined;
  }
  liveContainer(name: string): LiveContainer | undefined {
    return this.#live.get(name);
  }

  /** A newer object of the same UID. */
  update(pod: Pod): void {
    this.#pod = pod;
    if (!this.#current) this.#lastStatus = pod.status;
    this.#current = true;
    this.wake();
  }

  /** Orders the pod to stop. */
  terminate(order: Termination): void {
    const { termination, stopBy = Number.POSITIVE_INFINITY } = this.#facts;
    this.#facts = {
      ...this.#facts,
      termination: mergeTermination(termination, order),
      stopBy: Math.min(stopBy, this.node.now() + order.graceMs),
    };
    this.wake();
  }

  /** One turn: plan and act until there is nothing to do now; then report. */
  async run(): Promise<RunResult> {
    await this.#recordStop();
    // bounded, so that a plan that never comes to rest shows as a warning instead of a busy loop
    for (let turn = 0; turn < 50 && !this.#released; turn++) {
      const { actions, wakeAt } = plan(this.#pod, this.#facts, this.node.now());
      if (actions.length === 0) return this.#rest(wakeAt);
      for (const action of actions) await this.#act(action);
    }
    if (!this.#released) this.node.log.warn({ pod: this.paths.uid }, 'pod does not come to rest');
    return this.#released ? undefined : { againAfterMs: 1000 };
  }

  async #recordStop(): Promise<void> {
    const { termination, stopBy } = this.#facts;
    if (!this.#recorded || !termination || stopBy === undefined || termination === this.#stopRecorded) return;
    await writeStopRecord(this.paths, { termination, stopBy });
    this.#stopRecorded = termination;
    await failpoint('pod.afterStopRecord');
  }

  async #rest(wakeAt: number | undefined): Promise<RunResult> {
    await failpoint('pod.beforeStatus');
    this.#report();
    return wakeAt === undefined ? undefined : { againAfterMs: Math.max(1, wakeAt - this.node.now()) };
  }

  #report(): void {
    if (!this.#current) return;
    const status = podStatus(this.#pod, this.#facts, {
      hostIP: this.node.hostIP,
      now: this.node.now(),
      previous: this.#lastStatus,
    });
    this.#lastStatus = status;
    const text = JSON.stringify(status);
    if (text === this.#lastSent) return;
    this.#lastSent = text;
    this.node.report(this.#pod, status);
  }

  async #act(action: PodAction): Promise<void> {
    switch (action.do) {
      case 'createSandbox':
        return this.#createSandbox();
      case 'startContainer':
        return this.#startContainer(action.container);
      case 'stopContainer':
        return this.#care.stop(action);
      case 'resizeContainer':
        return this.#resizeContainer(action.container);
      case 'killContainer':
        return this.#care.kill(action.container);
      case 'tearDown':
        return this.#tearDown();
      case 'release':
        return this.#release();
      case 'fail':
        this.terminate({
          deleted: false,
          failed: true,
          reason: action.reason,
          message: action.message,
          graceMs: podGraceMs(this.#pod),
        });
    }
  }

  async #createSandbox(): Promise<void> {
    const attempt = this.#facts.nextSandbox;
    try {
      this.node.prefetchTokens?.(this.#pod);
      if (!this.#recorded) await this.#record();
      await failpoint('pod.afterRecord');
      const sandbox = await makeSandbox(this.node, this.#pod, this.paths, attempt);
      const { sandboxObstacle: _, ...facts } = this.#facts;
      this.#facts = {
        ...facts,
        nextSandbox: attempt + 1,
        tornDown: false,
        sandbox: { attempt, alive: true, ...(sandbox.ip && { ip: sandbox.ip }) },
      };
      this.#watchSandbox(sandbox);
    } catch (error) {
      const message = `Failed to create pod sandbox: ${describe(error)}`;
      this.node.log.warn({ pod: this.paths.uid, error: describe(error) }, 'sandbox failed');
      this.#facts = {
        ...this.#facts,
        nextSandbox: attempt + 1,
        sandboxObstacle: this.#obstacle(this.#facts.sandboxObstacle, 'FailedCreatePodSandBox', message),
      };
      this.node.event(this.#pod, 'Warning', 'FailedCreatePodSandBox', message);
    }
  }

  /** On its way to the disk while the sandbox is made: `#startContainer` waits for it. */
  async #record(): Promise<void> {
    await writePodRecord(this.paths, { pod: this.#pod, startTime: this.#facts.startTime });
    this.#recorded = true;
    this.#onDisk = syncPodRecord(this.paths);
    this.#onDisk.catch(() => {});
  }

  #obstacle(before: Obstacle | undefined, reason: string, message: string): Obstacle {
    const failures = (before?.failures ?? 0) + 1;
    return { reason, message, failures, retryAt: this.node.now() + backoffDelay(crashBackoff, failures) };
  }

  async #startContainer(name: string): Promise<void> {
    if (!this.#volumes && !(await this.#prepareVolumes())) return;
    // what a failed fsync was about is not certain to be in memory any more: it is written again
    await this.#onDisk.catch(() => this.#record().then(() => this.#onDisk));
    // one that was added later: a new agent must know of it
    if (isEphemeral(this.#pod, { name })) await this.#record().then(() => this.#onDisk);
    const state = factsOf(this.#facts, name);
    const attempt = state.nextAttempt;
    const { resources = {} } = containerOf(this.#pod, name) ?? {};
    const outcome = await startContainer(this.node, {
      pod: this.#pod,
      paths: this.paths,
      name,
      attempt,
      sandbox: this.#sandbox as Sandbox,
      processOf: container => this.#live.get(container)?.handle.process,
      volumes: this.#volumes ?? new Map(),
      podIP: this.#pod.spec.hostNetwork ? this.node.hostIP : this.#facts.sandbox?.ip,
      obstacle: state.obstacle,
    });
    const { obstacle: _, ...before } = factsOf(this.#facts, name);
    const rest = { ...before, sandbox: this.#sandbox?.attempt ?? 0 };
    switch (outcome.result) {
      case 'started': {
        const { handle } = outcome.live;
        this.#setContainer(name, {
          ...rest,
          imageID: outcome.imageID,
          nextAttempt: attempt + 1,
          live: {
            attempt,
            id: handle.id,
            startedAt: handle.startedAt,
            resources,
            ...freshHealth(containerOf(this.#pod, name)),
          },
        });
        this.#watchContainer(name, outcome.live);
        await failpoint('container.afterStart');
        return this.#removeOldAttempts(name, attempt - 2);
      }
      case 'ended':
        this.#setContainer(
          name,
          this.#afterRun({ ...rest, imageID: outcome.imageID, nextAttempt: attempt + 1 }, outcome.ended),
        );
        return;
      case 'obstacle':
        this.#setContainer(name, { ...before, obstacle: outcome.obstacle });
    }
  }

  /** The run before the last one is of use to nobody any more: kubectl shows one, and reads the log of one. */
  async #removeOldAttempts(name: string, newest: number): Promise<void> {
    for (const attempt of await listAttempts(this.paths, name))
      if (attempt <= newest) await removeAttempt(this.paths, name, attempt);
  }

  async #prepareVolumes(): Promise<boolean> {
    try {
      this.#volumes = await prepareVolumes(this.#pod, this.paths.volumes, {
        ...this.node.sources,
        allocatable: this.node.allocatable,
      });
      const { volumesObstacle: _, ...facts } = this.#facts;
      this.#facts = facts;
      return true;
    } catch (error) {
      if (!(error instanceof VolumeError))
        this.node.log.warn({ pod: this.paths.uid, error: describe(error) }, 'volumes failed');
      const message = describe(error);
      this.#facts = {
        ...this.#facts,
        volumesObstacle: this.#obstacle(this.#facts.volumesObstacle, 'FailedMount', message),
      };
      this.node.event(this.#pod, 'Warning', 'FailedMount', message);
      return false;
    }
  }

  /** What the container needs from other objects may be there now: obstacles are tried again at once. */
  retryObstacles(): void {
    const containers = Object.fromEntries(
      Object.entries(this.#facts.containers).map(([name, c]) => [
        name,
        c.obstacle ? { ...c, obstacle: { ...c.obstacle, retryAt: 0 } } : c,
      ]),
    );
    const { volumesObstacle, ...facts } = this.#facts;
    this.#facts = {
      ...facts,
      containers,
      ...(volumesObstacle && { volumesObstacle: { ...volumesObstacle, retryAt: 0 } }),
    };
    this.wake();
  }

  /** Given or refused as a whole; what was refused stays so until the pod asks for something else. */
  async #resizeContainer(name: string): Promise<void> {
    const state = factsOf(this.#facts, name);
    const container = containerOf(this.#pod, name);
    if (!container || !state.live) return;
    try {
      const problem = resizeProblem(this.#pod, this.node.controllers);
      if (problem) throw new Error(problem);
      await resizeContainer(this.node, this.#pod, this.paths, container, state.live.attempt);
      this.#setContainer(name, { ...state, live: { ...state.live, resources: container.resources ?? {} } });
      // a new agent must not take it for what it was at first
      await this.#record();
    } catch (error) {
      const message = describe(error);
      this.#facts = { ...this.#facts, resizeRefused: { wanted: resourcesOf(this.#pod), message } };
      this.node.event(this.#pod, 'Warning', 'ResizeInfeasible', message, name);
    }
  }

  async #tearDown(): Promise<void> {
    const attempt = this.#facts.sandbox?.attempt ?? this.#facts.nextSandbox - 1;
    if (attempt >= 0) {
      await releaseSandbox(
        this.node,
        this.paths,
        { attempt, id: sandboxId(this.paths.uid, attempt) },
        this.#sandbox?.pause,
      );
    }
    this.#sandbox = undefined;
    const ending = this.#facts.termination !== undefined || isFinished(this.#pod, this.#facts);
    const { sandbox, ...facts } = this.#facts;
    // a finished pod keeps showing the address it had
    this.#facts = ending
      ? { ...facts, tornDown: true, ...(sandbox && { sandbox: { ...sandbox, alive: false } }) }
      : { ...facts, tornDown: true };
  }

  async #release(): Promise<void> {
    this.#report();
    await failpoint('pod.beforeRelease');
    for (const name of Object.keys(this.#facts.containers)) await this.node.removeAttempts(this.paths, name);
    await removePodDirectory(this.paths);
    await failpoint('pod.afterRelease');
    this.#released = true;
    this.node.gone(this.#pod, this.#lastStatus);
  }

  #watchSandbox(sandbox: Sandbox): void {
    this.#sandbox = sandbox;
    void sandbox.pause.wait().then(() => {
      if (this.#sandbox !== sandbox || !this.#facts.sandbox) return;
      this.#facts = { ...this.#facts, sandbox: { ...this.#facts.sandbox, alive: false } };
      this.wake();
    });
  }

  #watchContainer(name: string, live: LiveContainer, resumed = false): void {
    this.#live.set(name, live);
    this.#care.begin(name, live, resumed);
    void live.handle.exited().then(record => this.#onExit(name, live, record));
  }

  async #onExit(name: string, live: LiveContainer, record: ExitRecord): Promise<void> {
    this.#care.end(name);
    await failpoint('container.afterExit');
    const ended = await endedRun(this.#pod, this.paths, name, live, record);
    await this.#removeGroup(name, live.attempt);
    this.#live.delete(name);
    const { live: _l, stop: _s, ...rest } = factsOf(this.#facts, name);
    const after = this.#afterRun(rest, ended);
    this.#setContainer(name, after);
    const waits = nextStartAt(after) > this.node.now();
    if (
      waits &&
      !this.#facts.termination &&
      (this.#pod.spec.restartPolicy ?? 'Always') !== 'Never' &&
      after.crashes > 1
    ) {
      this.node.event(
        this.#pod,
        'Warning',
        'BackOff',
        `Back-off restarting failed container ${name} in pod ${this.#pod.metadata.name}_${this.#pod.metadata.namespace}(${this.paths.uid})`,
        name,
      );
    }
    this.wake();
  }

  /** A cgroup is used once; what still lives in it, after the first process, has no business there. */
  async #removeGroup(name: string, attempt: number): Promise<void> {
    const group = attemptCgroup(this.paths, name, attempt);
    try {
      await cgroupKill(group);
      await cgroupRemove(group);
    } catch (error) {
      this.node.log.warn({ pod: this.paths.uid, group, error: describe(error) }, 'cgroup could not be removed');
    }
  }

  #afterRun(state: ContainerFacts, ended: EndedRun): ContainerFacts {
    return {
      ...state,
      ended,
      ...(state.ended && { endedBefore: state.ended }),
      crashes: crashesAfter(state.crashes, ended),
    };
  }

  #setContainer(name: string, state: ContainerFacts): void {
    this.#facts = { ...this.#facts, containers: { ...this.#facts.containers, [name]: state } };
  }
}
