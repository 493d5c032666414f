/**
 * Graceful shutdown of the node: its pods are ended in order while the machine goes down, the critical ones last, and none is
 * taken on any more. Begun by SIGPWR, or by a SIGTERM that comes because systemd stops the whole system.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Logger } from '../src/base/log.js';
import type { Pod } from '../src/kube/pod.js';
import { isCritical, type Rejection } from './admission/admit.js';
import { podGraceMs } from './pods/plan.js';
import type { PodWorker } from './pods/worker.js';

/** Milliseconds; 0: off. */
export interface ShutdownOptions {
  /** For all pods together. */
  readonly graceMs: number;
  /** The part of it that is kept for critical pods. */
  readonly criticalMs: number;
}

const message = 'Pod was terminated in response to imminent node shutdown.';
const terminal: ReadonlySet<string> = new Set(['Succeeded', 'Failed']);
const lookMs = 50;

export interface ShutdownGroup<T> {
  readonly members: readonly T[];
  /** How long the next group waits for this one. */
  readonly periodMs: number;
}

/** Who goes when. Pure. */
export function shutdownGroups<T extends { readonly pod: Pod }>(
  all: readonly T[],
  { graceMs, criticalMs }: ShutdownOptions,
): ShutdownGroup<T>[] {
  return [
    { members: all.filter(({ pod }) => !isCritical(pod)), periodMs: graceMs - criticalMs },
    { members: all.filter(({ pod }) => isCritical(pod)), periodMs: criticalMs },
  ].filter(({ members }) => members.length > 0);
}

export interface NodeShutdownOptions {
  readonly shutdown: ShutdownOptions;
  readonly workers: () => Iterable<PodWorker>;
  readonly log: Logger;
  /** The node is not ready any more. */
  readonly onBegin: () => void;
}

export class NodeShutdown {
  #running: Promise<void> | undefined;

  constructor(readonly of: NodeShutdownOptions) {}

  /** Why the node is not ready, if it goes down. */
  get notReady(): string | undefined {
    return this.#running && 'node is shutting down';
  }

  refused(): Rejection | undefined {
    return this.#running && { reason: 'NodeShutdown', message: 'Pod was rejected as the node is shutting down.' };
  }

  /** Resolves when every pod has ended, or its time is over. Asked twice, it is begun once. */
  begin(): Promise<void> {
    const { shutdown, log } = this.of;
    if (shutdown.graceMs === 0) {
      log.warn('asked to shut down gracefully, but --shutdown-grace-period is 0: pods go on');
      return Promise.resolve();
    }
    this.#running ??= this.#run();
    return this.#running;
  }

  async #run(): Promise<void> {
    const { shutdown, workers, log, onBegin } = this.of;
    log.warn({ graceMs: shutdown.graceMs, criticalMs: shutdown.criticalMs }, 'the node is shutting down');
    // what it says of itself reads `#running`, which is set when this has begun to wait
    await Promise.resolve();
    onBegin();
    const active = [...workers()].filter(({ phase }) => !terminal.has(phase));
    for (const { members, periodMs } of shutdownGroups(active, shutdown)) await this.#end(members, periodMs);
    log.warn('the pods have ended: the machine may go down');
  }

  async #end(members: readonly PodWorker[], periodMs: number): Promise<void> {
    for (const worker of members) {
      const graceMs = Math.min(podGraceMs(worker.pod), periodMs);
      worker.terminate({ deleted: false, failed: true, reason: 'Terminated', message, graceMs });
    }
    const until = performance.now() + periodMs;
    const stands = (worker: PodWorker): boolean => !worker.released && !terminal.has(worker.phase);
    while (members.some(stands) && performance.now() < until) await new Promise(resolve => setTimeout(resolve, lookMs));
  }
}

/** Whether systemd is taking the system down; false where there is no systemd, or it does not answer within two seconds. */
export function isSystemStopping(): Promise<boolean> {
  if (!existsSync('/run/systemd/system')) return Promise.resolve(false);
  return new Promise(resolve => {
    // it exits with 1 for every state but "running"
    execFile('systemctl', ['is-system-running'], { timeout: 2000 }, (_error, stdout) =>
      resolve(stdout.trim() === 'stopping'),
    );
  });
}
