/** A pod whose CPU or memory was changed while it runs: given, put off, or refused; and what is told of it. */
import { describe } from '../../src/base/errors.js';
import { deepEqual } from '../../src/kube/json.js';
import type { Container } from '../../src/kube/pod.js';
import { podFiles } from '../cgroups/resources.js';
import { writeGroup } from '../cgroups/write.js';
import { allContainers, containerOf, factsOf, type LiveRun, type ResizeRefused, resourcesOf } from './facts.js';
import type { PodRecords } from './pod-records.js';
import { needsRestart, ResizeError, resizeContainer, resizeProblem } from './resize.js';
import type { PodState } from './state.js';

/** How long until what could not be given is tried again. */
const retryMs = 10_000;

export class PodResize {
  #recorded: number | undefined;

  constructor(
    readonly of: PodState,
    readonly records: PodRecords,
  ) {
    this.#recorded = of.pod.metadata.generation;
  }

  async resize(name: string): Promise<void> {
    const { live } = factsOf(this.of.facts, name);
    const container = containerOf(this.of.pod, name);
    if (!container || !live) return;
    const refusal = this.#refusal();
    if (refusal) return this.#refuse(refusal);
    const { resizeRefused: _, ...facts } = this.of.facts;
    this.of.facts = facts;
    if (needsRestart(container, live.resources ?? {})) return this.#restart(name, live);
    await this.#inPlace(container, live);
  }

  #refusal(): Omit<ResizeRefused, 'wanted'> | undefined {
    const { node, pod, paths } = this.of;
    const problem = resizeProblem(pod, node.controllers);
    if (problem) return { reason: 'Infeasible', message: problem };
    const others = node.activePods().filter(other => other.metadata.uid !== paths.uid);
    const refusal = node.resources.resizeRefusal(pod, others);
    if (refusal?.reason !== 'Deferred') return refusal;
    return { ...refusal, retryAt: node.now() + retryMs };
  }

  /** Told once for the same question. */
  #refuse(refusal: Omit<ResizeRefused, 'wanted'>): void {
    const { node, pod } = this.of;
    const wanted = resourcesOf(pod);
    const before = this.of.facts.resizeRefused;
    this.of.facts = { ...this.of.facts, resizeRefused: { wanted, ...refusal } };
    if (before?.wanted === wanted && before.message === refusal.message) return;
    node.event(pod, 'Warning', `Resize${refusal.reason ?? 'Infeasible'}`, refusal.message);
  }

  /** A further run has what the pod says now: its pod's group must be as large, and a new agent must know. */
  async beforeRestart(): Promise<void> {
    const { node, pod, paths } = this.of;
    if (pod.metadata.generation === this.#recorded) return;
    await writeGroup(paths.cgroup, [...podFiles(pod, node.controllers), ...node.resources.podFiles(pod)]);
    await this.records.write();
    this.#recorded = pod.metadata.generation;
  }

  /** It is stopped as any other, and its next run has what the pod says by then. */
  #restart(name: string, live: LiveRun): void {
    const state = factsOf(this.of.facts, name);
    const condemned = { message: `Container ${name} resize requires restart`, again: true };
    this.of.setContainer(name, { ...state, live: { ...live, condemned } });
  }

  async #inPlace(container: Container, live: LiveRun): Promise<void> {
    const { node, pod, paths } = this.of;
    const { name, resources = {} } = container;
    try {
      const order = { pod, paths, container, attempt: live.attempt, given: live.resources ?? {} };
      await resizeContainer(node, order);
    } catch (error) {
      const retryAt = node.now() + retryMs;
      if (!(error instanceof ResizeError))
        node.log.warn({ pod: paths.uid, container: name, error: describe(error) }, 'resize failed');
      return this.#refuse({ reason: 'Error', message: describe(error), retryAt });
    }
    const state = factsOf(this.of.facts, name);
    // it may have ended meanwhile
    if (state.live) this.of.setContainer(name, { ...state, live: { ...state.live, resources } });
    // a new agent must not take it for what it was at first
    await this.records.write();
    if (this.#isComplete()) node.event(pod, 'Normal', 'ResizeCompleted', this.#summary());
  }

  #isComplete(): boolean {
    return allContainers(this.of.pod).every(({ name, resources = {} }) => {
      const { live } = factsOf(this.of.facts, name);
      return !live || deepEqual(live.resources ?? {}, resources);
    });
  }

  #summary(): string {
    const { containers } = this.of.pod.spec;
    const list = containers.map(({ name, resources }) => ({ name, resources }));
    return `Pod resize completed: ${JSON.stringify({ containers: list })}`;
  }
}
