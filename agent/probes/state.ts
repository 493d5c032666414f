/** What a row of probe results means: kubelet's thresholds, as a pure function. Times in milliseconds. */
import type { Container, Probe } from '../../src/kube/pod.js';

export type ProbeKind = 'startup' | 'liveness' | 'readiness';

export interface ProbeTiming {
  readonly initialDelayMs: number;
  readonly periodMs: number;
  readonly timeoutMs: number;
  readonly successThreshold: number;
  readonly failureThreshold: number;
}

/** With the API's defaults, for pods that did not come through it. */
export function timingOf(probe: Probe): ProbeTiming {
  return {
    initialDelayMs: (probe.initialDelaySeconds ?? 0) * 1000,
    periodMs: (probe.periodSeconds || 10) * 1000,
    timeoutMs: (probe.timeoutSeconds || 1) * 1000,
    successThreshold: probe.successThreshold || 1,
    failureThreshold: probe.failureThreshold || 3,
  };
}

export type Verdict = 'unknown' | 'success' | 'failure';

export interface ProbeState {
  readonly verdict: Verdict;
  /** The newest results in a row that were the same. */
  readonly streak: { readonly ok: boolean; readonly length: number };
}

/** Until enough has been seen: alive, not ready, and of its start nothing is known. */
const first: Readonly<Record<ProbeKind, Verdict>> = { startup: 'unknown', liveness: 'success', readiness: 'failure' };

/** @param ready what was known of readiness before, by an earlier agent */
export function initialState(kind: ProbeKind, ready = false): ProbeState {
  const verdict = kind === 'readiness' && ready ? 'success' : first[kind];
  return { verdict, streak: { ok: true, length: 0 } };
}

export function afterResult(timing: ProbeTiming, state: ProbeState, ok: boolean): ProbeState {
  const length = state.streak.ok === ok ? state.streak.length + 1 : 1;
  const enough = length >= (ok ? timing.successThreshold : timing.failureThreshold);
  const said: Verdict = ok ? 'success' : 'failure';
  return { verdict: enough ? said : state.verdict, streak: { ok, length } };
}

/** When a probe runs first. @param jitterMs spreads those of many containers that start at once */
export function firstAt(timing: ProbeTiming, startedAt: number, now: number, jitterMs: number): number {
  return Math.max(startedAt + timing.initialDelayMs, now) + jitterMs;
}

export type Probes = Readonly<Partial<Record<ProbeKind, Probe>>>;

export function probesOf({ startupProbe, livenessProbe, readinessProbe }: Container): Probes {
  return {
    ...(startupProbe && { startup: startupProbe }),
    ...(livenessProbe && { liveness: livenessProbe }),
    ...(readinessProbe && { readiness: readinessProbe }),
  };
}

/** The startup probe goes first and alone; when it has succeeded it is asked no more. */
export function activeKinds(probes: Probes, started: boolean): ProbeKind[] {
  if (probes.startup && !started) return ['startup'];
  return (['liveness', 'readiness'] as const).filter(kind => probes[kind]);
}
