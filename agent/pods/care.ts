/**
 * What a pod's containers get while they run: their hooks, their probes, and their end. Only a verdict that changes alters
 * facts and wakes the pod; questions and answers stay here. None of it holds up the pod's turns.
 */
import { cgroupKill } from '../../native/index.js';
import { describe } from '../../src/base/errors.js';
import { failpoint } from '../../src/base/failpoint.js';
import type { LifecycleHandler, Probe } from '../../src/kube/pod.js';
import { runHook } from '../hooks/run.js';
import { askProbe, type ProbeTarget } from '../probes/ask.js';
import { ContainerProber } from '../probes/prober.js';
import { probesOf } from '../probes/state.js';
import { containerOf, factsOf, isEphemeral, isSidecar, type LiveRun } from './facts.js';
import { writeHealth } from './health.js';
import { attemptCgroup } from './paths.js';
import { minimumGraceMs, type PodAction, remainingGraceMs } from './plan.js';
import type { LiveContainer, PodState } from './state.js';

type StopAction = Extract<PodAction, { do: 'stopContainer' }>;

export class ContainerCare {
  readonly #probers = new Map<string, ContainerProber>();
  /** Hooks that run, by container: aborted when it has ended. */
  readonly #hooks = new Map<string, AbortController>();

  constructor(readonly of: PodState) {}

  /** @param resumed it ran before this agent did */
  begin(name: string, live: LiveContainer, resumed: boolean): void {
    const hook = containerOf(this.of.pod, name)?.lifecycle?.postStart;
    if (hook && this.#run(name, live)?.starting) void this.#postStart(name, live, hook);
    else this.#probe(name, live, resumed);
  }

  end(name: string): void {
    this.#probers.get(name)?.close();
    this.#probers.delete(name);
    this.#hooks.get(name)?.abort();
    this.#hooks.delete(name);
  }

  async stop({ container: name, graceMs, say }: StopAction): Promise<void> {
    const live = this.of.live.get(name);
    if (!live) return;
    const facts = this.of.facts;
    const now = this.of.node.now();
    const remainingMs = remainingGraceMs(this.of.pod, facts, graceMs, now);
    const hook = remainingMs > 0 ? containerOf(this.of.pod, name)?.lifecycle?.preStop : undefined;
    const extraMs = hook ? minimumGraceMs : 0;
    this.of.setContainer(name, {
      ...factsOf(facts, name),
      stop: { since: now, killAt: now + remainingMs + extraMs, killed: false, ...(hook && { extraMs }) },
    });
    this.#probers.get(name)?.stopping();
    this.of.node.event(this.of.pod, 'Normal', 'Killing', say ?? `Stopping container ${name}`, name);
    await failpoint('container.beforeStop');
    if (hook) void this.#preStop(name, live, hook, remainingMs);
    else if (graceMs > 0) await this.of.node.runtime.signal(live.handle, live.stopSignal);
  }

  async kill(name: string): Promise<void> {
    const live = this.of.live.get(name);
    const state = factsOf(this.of.facts, name);
    if (!live || !state.stop) return;
    this.of.setContainer(name, { ...state, stop: { ...state.stop, killed: true } });
    await cgroupKill(attemptCgroup(this.of.paths, name, live.attempt));
    await failpoint('container.afterKill');
  }

  /** On record before it begins: an agent that dies meanwhile has no successor that runs it twice. */
  async #postStart(name: string, live: LiveContainer, hook: LifecycleHandler): Promise<void> {
    try {
      const run = this.#run(name, live);
      if (run) await writeHealth(this.of.paths, name, run);
      await this.#runHook(name, live, hook);
      this.#change(name, live, { starting: false });
      if (!factsOf(this.of.facts, name).stop) this.#probe(name, live, false);
    } catch (error) {
      if (!this.#run(name, live) || factsOf(this.of.facts, name).stop) return;
      // what a hook has said is the pod's own, not for everybody who may read events (kubelet leaves it out, too)
      this.of.node.event(this.of.pod, 'Warning', 'FailedPostStartHook', 'PostStartHook failed', name);
      this.#change(name, live, { condemned: { message: 'FailedPostStartHook', hookFailed: describe(error) } });
    }
  }

  /** The stop signal comes after it, or when the grace is over; then at least two seconds are left. */
  async #preStop(name: string, live: LiveContainer, hook: LifecycleHandler, graceMs: number): Promise<void> {
    try {
      await this.#runHook(name, live, hook, graceMs);
    } catch (error) {
      if (this.of.live.get(name) === live) this.#preStopFailed(name, error);
    }
    const state = factsOf(this.of.facts, name);
    if (this.of.live.get(name) !== live || !state.stop) return;
    const { since } = state.stop;
    const extraMs = Math.max(0, this.of.node.now() + minimumGraceMs - (since + graceMs));
    this.of.setContainer(name, { ...state, stop: { ...state.stop, extraMs, killAt: since + graceMs + extraMs } });
    this.of.wake();
    await this.of.node.runtime.signal(live.handle, live.stopSignal).catch((error: unknown) => {
      this.of.node.log.warn({ pod: this.of.paths.uid, container: name, error: describe(error) }, 'stop signal failed');
    });
  }

  #preStopFailed(name: string, error: unknown): void {
    const { node, pod, paths } = this.of;
    node.log.warn({ pod: paths.uid, container: name, error: describe(error) }, 'preStop hook failed');
    node.event(pod, 'Warning', 'FailedPreStopHook', 'PreStopHook failed', name);
  }

  async #runHook(name: string, live: LiveContainer, hook: LifecycleHandler, limitMs?: number): Promise<void> {
    const { name: pod, namespace, uid } = this.of.pod.metadata;
    const abort = new AbortController();
    // a stop ends the postStart hook that still runs
    this.#hooks.get(name)?.abort();
    this.#hooks.set(name, abort);
    const timer = limitMs === undefined ? undefined : setTimeout(() => abort.abort(), limitMs);
    const over = new Promise<never>((_, reject) => {
      abort.signal.addEventListener('abort', () => reject(new Error(`hook of container ${name} was cut short`)));
    });
    try {
      const target = this.#target(name, live);
      await Promise.race([runHook(target, hook, `${pod}_${namespace}(${uid})`, abort.signal), over]);
    } finally {
      clearTimeout(timer);
      if (this.#hooks.get(name) === abort) this.#hooks.delete(name);
    }
  }

  #probe(name: string, live: LiveContainer, resumed: boolean): void {
    const container = containerOf(this.of.pod, name);
    const run = this.#run(name, live);
    if (!container || !run || isEphemeral(this.of.pod, container)) return;
    const probes = probesOf(container);
    if (Object.keys(probes).length === 0) return;
    this.#probers.set(
      name,
      new ContainerProber({
        probes,
        startedAt: Date.parse(run.startedAt),
        health: { started: run.started !== false, ready: run.ready === true },
        resumed,
        random: Math.random,
        ask: (probe, timeoutMs) => askProbe(this.#target(name, live), probe, timeoutMs),
        changed: ({ started, ready }) =>
          this.#change(name, live, { ...(probes.startup && { started }), ...(probes.readiness && { ready }) }),
        failed: (kind, probe) => this.#condemn(name, live, kind, probe),
        event: (reason, message) => this.of.node.event(this.of.pod, 'Warning', reason, message, name),
      }),
    );
  }

  #condemn(name: string, live: LiveContainer, kind: string, probe: Probe): void {
    const container = containerOf(this.of.pod, name);
    const again = (container && isSidecar(container)) || this.of.pod.spec.restartPolicy !== 'Never';
    const message = `Container ${name} failed ${kind} probe${again ? ', will be restarted' : ''}`;
    const seconds = probe.terminationGracePeriodSeconds;
    this.#change(name, live, { condemned: { message, ...(seconds !== undefined && { graceMs: seconds * 1000 }) } });
  }

  #target(name: string, live: LiveContainer): ProbeTarget {
    const pod = this.of.pod;
    const container = containerOf(pod, name);
    if (!container) throw new Error(`container ${name} is not in pod ${pod.metadata.name}`);
    const { node, paths } = this.of;
    return {
      container,
      podIP: this.of.facts.sandbox?.ips?.[0] ?? node.hostIPs[0] ?? '127.0.0.1',
      exec: command =>
        node.runtime.exec({
          container: live.handle,
          cgroup: attemptCgroup(paths, name, live.attempt),
          command,
          stdin: false,
          tty: false,
        }),
    };
  }

  #run(name: string, { attempt }: LiveContainer): LiveRun | undefined {
    const { live } = factsOf(this.of.facts, name);
    return live?.attempt === attempt ? live : undefined;
  }

  /** A verdict that another attempt gave is nobody's any more. */
  #change(name: string, live: LiveContainer, change: Partial<LiveRun>): void {
    const run = this.#run(name, live);
    if (!run) return;
    const changed = { ...run, ...change };
    this.of.setContainer(name, { ...factsOf(this.of.facts, name), live: changed });
    this.of.wake();
    if (change.condemned) return;
    void writeHealth(this.of.paths, name, changed).catch((error: unknown) => {
      this.of.node.log.debug({ pod: this.of.paths.uid, error: describe(error) }, 'health could not be recorded');
    });
  }
}
