/** Asks the probes of one container attempt, each on a timer of its own, and tells when what they say changes. */
import { describe } from '../../src/base/errors.js';
import type { Probe } from '../../src/kube/pod.js';
import { activeKinds, afterResult, firstAt, initialState, type ProbeKind, type Probes, timingOf } from './state.js';

/** A warning counts as success, and is told. */
export interface ProbeResult {
  readonly result: 'success' | 'warning' | 'failure';
  readonly output: string;
}

export interface Health {
  /** Its startup probe has succeeded, or it has none. */
  readonly started: boolean;
  readonly ready: boolean;
}

export interface ProberOrder {
  readonly probes: Probes;
  /** Of the container; milliseconds since the epoch. */
  readonly startedAt: number;
  readonly health: Health;
  /** Taken up by a new agent together with many others: its probes are spread over their periods. */
  readonly resumed: boolean;
  readonly random: () => number;
  /** Rejects if nothing can be said: such a turn counts for nothing. */
  readonly ask: (probe: Probe, timeoutMs: number) => Promise<ProbeResult>;
  readonly changed: (health: Health) => void;
  /** Its liveness or startup probe has failed often enough: it is not asked again. */
  readonly failed: (kind: 'liveness' | 'startup', probe: Probe) => void;
  readonly event: (reason: string, message: string) => void;
}

/** A start is followed by the first probe within this time: a program needs a moment until it listens. */
const settleMs = 100;
const titles: Readonly<Record<ProbeKind, string>> = {
  startup: 'Startup',
  liveness: 'Liveness',
  readiness: 'Readiness',
};

export class ContainerProber {
  #health: Health;
  readonly #timers = new Map<ProbeKind, NodeJS.Timeout>();
  readonly #over = new Set<ProbeKind>();

  constructor(readonly order: ProberOrder) {
    this.#health = order.health;
    this.#begin();
  }

  /** Being stopped: nobody asks any more whether it lives, but still whether it is ready. */
  stopping(): void {
    this.#end('startup');
    this.#end('liveness');
  }

  close(): void {
    this.stopping();
    this.#end('readiness');
  }

  #begin(): void {
    for (const kind of activeKinds(this.order.probes, this.#health.started)) {
      const probe = this.order.probes[kind] as Probe;
      const timing = timingOf(probe);
      const spread = this.order.resumed ? timing.periodMs : settleMs;
      const at = firstAt(timing, this.order.startedAt, Date.now(), settleMs + this.order.random() * spread);
      this.#loop(kind, probe, at);
    }
  }

  #end(kind: ProbeKind): void {
    this.#over.add(kind);
    clearTimeout(this.#timers.get(kind));
  }

  #loop(kind: ProbeKind, probe: Probe, firstTurn: number): void {
    if (this.#over.has(kind)) return;
    const timing = timingOf(probe);
    let state = initialState(kind, this.#health.ready);
    const turn = async (): Promise<void> => {
      const began = Date.now();
      const ok = await this.#ask(kind, probe, timing.timeoutMs);
      if (this.#over.has(kind)) return;
      if (ok !== undefined) {
        state = afterResult(timing, state, ok);
        this.#take(kind, probe, state.verdict);
      }
      // a slow answer does not make the next question late, nor are two asked at once
      later(began + timing.periodMs);
    };
    const later = (at: number): void => {
      if (this.#over.has(kind)) return;
      this.#timers.set(kind, setTimeout(() => void turn(), Math.max(0, at - Date.now())).unref());
    };
    later(firstTurn);
  }

  async #ask(kind: ProbeKind, probe: Probe, timeoutMs: number): Promise<boolean | undefined> {
    try {
      const { result, output } = await this.order.ask(probe, timeoutMs);
      if (this.#over.has(kind)) return undefined;
      if (result === 'failure') this.order.event('Unhealthy', `${titles[kind]} probe failed: ${output}`);
      if (result === 'warning') this.order.event('ProbeWarning', `${titles[kind]} probe warning: ${output}`);
      return result !== 'failure';
    } catch (error) {
      if (!this.#over.has(kind))
        this.order.event(
          'Unhealthy',
          `${titles[kind]} probe errored and resulted in unknown state: ${describe(error)}`,
        );
      return undefined;
    }
  }

  #take(kind: ProbeKind, probe: Probe, verdict: string): void {
    if (kind === 'readiness') return this.#set({ ...this.#health, ready: verdict === 'success' });
    if (verdict === 'failure') {
      this.stopping();
      return this.order.failed(kind, probe);
    }
    if (kind === 'startup' && verdict === 'success') {
      this.#end('startup');
      this.#set({ ...this.#health, started: true });
      this.#begin();
    }
  }

  #set(health: Health): void {
    if (health.started === this.#health.started && health.ready === this.#health.ready) return;
    this.#health = health;
    this.order.changed(health);
  }
}
