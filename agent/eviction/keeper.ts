/**
 * Keeps the node from running dry: looks at what is left, says when it is short, and makes room, one pod at a time. Memory
 * is looked at every second, disks and processes as often as kubelet does; the verdict is `decide`'s.
 */
import { join } from 'node:path';
import { describe } from '../../src/base/errors.js';
import type { Logger } from '../../src/base/log.js';
import type { Pod } from '../../src/kube/pod.js';
import { podGraceMs } from '../pods/plan.js';
import type { PodWorker } from '../pods/worker.js';
import { decide, noPressure, type Pressure, type Verdict } from './decide.js';
import { measureDisks, measureMemory, measurePids } from './measure.js';
import { evictionOrder, isSpared } from './rank.js';
import { type EvictionOptions, isMet, type Measurements, resourceOf, type Threshold } from './thresholds.js';
import { candidates } from './usage.js';
import { evictionMessage, pressureWords } from './words.js';

export const memoryEveryMs = 1000;
const disksEveryMs = 10_000;
/** Kubelet's grace of what must go at once. */
const hardGraceMs = 1000;
/** So long an evicted pod has to be gone before another follows. */
const cleanUpMs = 30_000;
const terminal: ReadonlySet<string> = new Set(['Succeeded', 'Failed']);

export interface KeeperOptions {
  readonly eviction: EvictionOptions;
  readonly dataDir: string;
  readonly nodeName: string;
  readonly workers: () => Iterable<PodWorker>;
  readonly collect: () => Promise<void>;
  readonly log: Logger;
  /** The conditions are others now. */
  readonly onChange: () => void;
  readonly podEvent: (pod: Pod, reason: string, message: string) => void;
  readonly nodeEvent: (type: 'Normal' | 'Warning', reason: string, message: string) => void;
}

export class PressureKeeper {
  #measured: Measurements = {};
  #disksAt = Number.NEGATIVE_INFINITY;
  #verdict: Verdict = { state: noPressure, conditions: [], reclaim: undefined, met: [] };
  /** The one that was sent away last. */
  #leaving: { readonly worker: PodWorker; readonly until: number } | undefined;

  constructor(readonly of: KeeperOptions) {}

  get conditions(): readonly Pressure[] {
    return this.#verdict.conditions;
  }

  /** One look, and what follows from it. */
  async run(): Promise<void> {
    this.look();
    const { reclaim } = this.#verdict;
    if (!reclaim || this.#waits()) return;
    await this.#makeRoom(reclaim);
  }

  /** Measures, and says when the node comes under pressure or gets out of it. */
  look(): void {
    const now = performance.now();
    this.#measure(now);
    const before = this.conditions;
    this.#verdict = decide(this.#measured, this.of.eviction, this.#verdict.state, now);
    const changed = [...before, ...this.conditions].filter(c => before.includes(c) !== this.conditions.includes(c));
    for (const pressure of changed) this.#say(pressure, this.conditions.includes(pressure));
    if (changed.length > 0) this.of.onChange();
  }

  #measure(now: number): void {
    const memory = measureMemory();
    const due = now - this.#disksAt >= disksEveryMs || this.#verdict.reclaim !== undefined;
    if (due) this.#disksAt = now;
    const { dataDir } = this.of;
    const rest = due ? { ...measureDisks(dataDir, join(dataDir, 'images')), ...measurePids() } : this.#measured;
    this.#measured = { ...rest, ...memory };
  }

  #say(pressure: Pressure, on: boolean): void {
    const { event } = pressureWords(pressure, on);
    this.of.nodeEvent('Normal', event, `Node ${this.of.nodeName} status is now: ${event}`);
    this.of.log[on ? 'warn' : 'info']({ pressure, on }, 'node pressure has changed');
  }

  #waits(): boolean {
    if (!this.#leaving) return false;
    const { worker, until } = this.#leaving;
    if (performance.now() < until && !worker.released && !terminal.has(worker.phase)) return true;
    this.#leaving = undefined;
    return false;
  }

  async #makeRoom(threshold: Threshold): Promise<void> {
    const resource = resourceOf(threshold.signal);
    this.of.nodeEvent('Warning', 'EvictionThresholdMet', `Attempting to reclaim ${resource}`);
    if (resource === 'ephemeral-storage' || resource === 'inodes') {
      await this.of.collect().catch((error: unknown) => {
        this.of.log.warn({ error: describe(error) }, 'images and remains could not be collected');
      });
      this.look();
      const now = this.#measured[threshold.signal];
      if (now && !isMet(threshold, now, true)) return;
    }
    await this.#evictOne(threshold);
  }

  async #evictOne(threshold: Threshold): Promise<void> {
    const running = [...this.of.workers()].filter(({ phase, pod, facts }) => {
      return !terminal.has(phase) && !facts.termination && !isSpared(pod);
    });
    const ranked = evictionOrder(await candidates(running, threshold.signal), threshold.signal);
    const chosen = ranked.find(({ worker }) => !worker.facts.termination);
    if (!chosen) return this.of.log.warn({ signal: threshold.signal }, 'no pod can be evicted to make room');
    const { worker } = chosen;
    const message = evictionMessage(threshold, { met: this.#verdict.met, measured: this.#measured }, chosen);
    this.of.log.warn({ pod: worker.paths.uid, signal: threshold.signal }, 'pod is evicted to make room');
    this.of.podEvent(worker.pod, 'Evicted', message);
    const graceMs = threshold.graceMs === undefined ? hardGraceMs : this.#softGraceMs(worker.pod);
    worker.terminate({ deleted: false, failed: true, reason: 'Evicted', message, graceMs });
    this.#leaving = { worker, until: performance.now() + cleanUpMs };
  }

  /** Never nothing: it has its second. */
  #softGraceMs = (pod: Pod): number => Math.max(hardGraceMs, Math.min(podGraceMs(pod), this.of.eviction.maxPodGraceMs));
}
