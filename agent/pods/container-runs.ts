/** The runs of a pod's containers: each is started, watched and, when it has ended, turned into facts. */
import { cgroupKill, cgroupRemove } from '../../native/index.js';
import { describe } from '../../src/base/errors.js';
import { failpoint } from '../../src/base/failpoint.js';
import type { ExitRecord } from '../containers/contract.js';
import { VolumeError } from '../volumes/contract.js';
import { prepareVolumes } from '../volumes/volumes.js';
import { ContainerCare } from './care.js';
import { endedRun } from './ended.js';
import { type ContainerFacts, containerOf, type EndedRun, factsOf, initContainers, isEphemeral } from './facts.js';
import { freshHealth } from './health.js';
import { attemptCgroup } from './paths.js';
import type { PodRecords } from './pod-records.js';
import { PodResize } from './pod-resize.js';
import { listAttempts, removeAttempt } from './records.js';
import { crashesAfter, nextStartAt, restarts } from './restart.js';
import type { Sandbox } from './sandbox.js';
import { type StartOutcome, startContainer } from './start-container.js';
import type { LiveContainer, PodState } from './state.js';

export class ContainerRuns {
  readonly care: ContainerCare;
  readonly #resize: PodResize;

  constructor(
    readonly of: PodState,
    readonly records: PodRecords,
  ) {
    this.care = new ContainerCare(of);
    this.#resize = new PodResize(of, records);
  }

  async start(name: string): Promise<void> {
    if (!this.of.volumes && !(await this.#prepareVolumes())) return;
    await this.records.durable();
    // one that was added later: a new agent must know of it
    if (isEphemeral(this.of.pod, { name })) await this.records.write().then(() => this.records.durable());
    const attempt = factsOf(this.of.facts, name).nextAttempt;
    if (attempt > 0) await this.#resize.beforeRestart();
    const outcome = await this.#attempt(name, attempt);
    if (outcome.result !== 'started') return this.#failed(name, attempt, outcome);
    this.#started(name, attempt, outcome);
    await failpoint('container.afterStart');
    await this.#removeOldAttempts(name, attempt - 2);
  }

  #attempt(name: string, attempt: number): Promise<StartOutcome> {
    const { node, pod, paths, sandbox, live, volumes, facts } = this.of;
    return startContainer(node, {
      pod,
      paths,
      name,
      attempt,
      sandbox: sandbox as Sandbox,
      processOf: container => live.get(container)?.handle.process,
      volumes: volumes ?? new Map(),
      podIPs: pod.spec.hostNetwork ? node.hostIPs : (facts.sandbox?.ips ?? []),
      obstacle: factsOf(facts, name).obstacle,
    });
  }

  #started(name: string, attempt: number, outcome: Extract<StartOutcome, { result: 'started' }>): void {
    const { handle } = outcome.live;
    const container = containerOf(this.of.pod, name);
    const run = { attempt, id: handle.id, startedAt: handle.startedAt, resources: container?.resources ?? {} };
    const live = { ...run, ...freshHealth(container) };
    this.of.setContainer(name, { ...this.#inSandbox(name), imageID: outcome.imageID, nextAttempt: attempt + 1, live });
    this.watch(name, outcome.live);
  }

  #failed(name: string, attempt: number, outcome: Exclude<StartOutcome, { result: 'started' }>): void {
    if (outcome.result === 'obstacle')
      return this.of.setContainer(name, { ...factsOf(this.of.facts, name), obstacle: outcome.obstacle });
    const state = { ...this.#inSandbox(name), imageID: outcome.imageID, nextAttempt: attempt + 1 };
    this.of.setContainer(name, afterRun(state, outcome.ended));
  }

  /** Nothing stands in its way any more, and what ran before ran in another sandbox perhaps. */
  #inSandbox(name: string): ContainerFacts {
    const { obstacle: _, ...before } = factsOf(this.of.facts, name);
    return { ...before, sandbox: this.of.sandbox?.attempt ?? 0 };
  }

  /** The run before the last one is of use to nobody any more: kubectl shows one, and reads the log of one. */
  async #removeOldAttempts(name: string, newest: number): Promise<void> {
    if (newest < 0) return;
    for (const attempt of await listAttempts(this.of.paths, name))
      if (attempt <= newest) await removeAttempt(this.of.paths, name, attempt);
  }

  async #prepareVolumes(): Promise<boolean> {
    const { node, pod, paths } = this.of;
    try {
      this.of.volumes = await prepareVolumes(pod, paths.volumes, { ...node.sources, allocatable: node.allocatable });
      const { volumesObstacle: _, ...facts } = this.of.facts;
      this.of.facts = facts;
      return true;
    } catch (error) {
      const message = describe(error);
      if (!(error instanceof VolumeError)) node.log.warn({ pod: paths.uid, error: message }, 'volumes failed');
      const { volumesObstacle: before } = this.of.facts;
      this.of.facts = { ...this.of.facts, volumesObstacle: this.of.obstacle(before, 'FailedMount', message) };
      node.event(pod, 'Warning', 'FailedMount', message);
      return false;
    }
  }

  resize(name: string): Promise<void> {
    return this.#resize.resize(name);
  }

  /** @param resumed it ran before this agent did */
  watch(name: string, live: LiveContainer, resumed = false): void {
    this.of.live.set(name, live);
    this.care.begin(name, live, resumed);
    void live.handle.exited().then(record => this.#onExit(name, live, record));
  }

  async #onExit(name: string, live: LiveContainer, record: ExitRecord): Promise<void> {
    this.care.end(name);
    await failpoint('container.afterExit');
    const ended = await endedRun(this.of.pod, this.of.paths, name, live, record);
    await this.#removeGroup(name, live.attempt);
    this.of.live.delete(name);
    const { live: run, stop: _s, ...rest } = factsOf(this.of.facts, name);
    const { again, hookFailed } = run?.condemned ?? {};
    const after = afterRun(rest, { ...ended, ...(again && { again }), ...(hookFailed && { hookFailed }) });
    this.of.setContainer(name, after);
    this.#sayBackOff(name, after);
    this.of.wake();
  }

  #sayBackOff(name: string, after: ContainerFacts): void {
    const { node, pod, facts } = this.of;
    const waits = after.crashes > 1 && nextStartAt(after) > node.now();
    const container = containerOf(pod, name);
    const again =
      container && after.ended && restarts(pod, container, after.ended, initContainers(pod).includes(container));
    if (!waits || facts.termination || !again) return;
    const { name: podName, namespace, uid } = pod.metadata;
    const message = `Back-off restarting failed container ${name} in pod ${podName}_${namespace}(${uid})`;
    node.event(pod, 'Warning', 'BackOff', message, name);
  }

  /** A cgroup is used once; what still lives in it, after the first process, has no business there. */
  async #removeGroup(name: string, attempt: number): Promise<void> {
    const group = attemptCgroup(this.of.paths, name, attempt);
    try {
      await cgroupKill(group);
      await cgroupRemove(group);
    } catch (error) {
      const { node, paths } = this.of;
      node.log.warn({ pod: paths.uid, group, error: describe(error) }, 'cgroup could not be removed');
    }
  }
}

function afterRun(state: ContainerFacts, ended: EndedRun): ContainerFacts {
  return {
    ...state,
    ended,
    ...(state.ended && { endedBefore: state.ended }),
    crashes: crashesAfter(state.crashes, ended),
  };
}
