/**
 * What to do next for one pod: a pure function of its spec, what is known of it, and the time. The worker carries the
 * actions out in order, learns new facts, and asks again. Kubelet's rules are the law (reliability rules A3–A5).
 */
import { deepEqual } from '../../src/kube/json.js';
import type { Container, Pod } from '../../src/kube/pod.js';
import {
  allContainers,
  type ContainerFacts,
  ephemeralContainers,
  factsOf,
  hasStarted,
  initContainers,
  isSidecar,
  type PodFacts,
  ranHere,
  resourcesOf,
} from './facts.js';
import { nextStartAt, restarts } from './restart.js';

export type PodAction =
  | { readonly do: 'createSandbox' }
  | { readonly do: 'startContainer'; readonly container: string }
  /** preStop, then the stop signal; SIGKILL follows at the deadline. */
  | {
      readonly do: 'stopContainer';
      readonly container: string;
      readonly graceMs: number;
      /** The text of the event, if it is another. */
      readonly say?: string;
    }
  | { readonly do: 'killContainer'; readonly container: string }
  /** New CPU and memory while it runs. */
  | { readonly do: 'resizeContainer'; readonly container: string }
  /** Network, pause and cgroup away; the pod's directory stays. */
  | { readonly do: 'tearDown' }
  /** The pod's directory away, and the API told that it is gone. */
  | { readonly do: 'release' }
  | { readonly do: 'fail'; readonly reason: string; readonly message: string };

export interface PodPlan {
  readonly actions: readonly PodAction[];
  /** Plan again at this time (milliseconds since the epoch) even if nothing happens. */
  readonly wakeAt?: number;
}

export function plan(pod: Pod, facts: PodFacts, now: number): PodPlan {
  if (facts.termination) return planStop(pod, facts, facts.termination.graceMs, now);
  const deadline = activeDeadline(pod, facts);
  if (deadline !== undefined && now >= deadline && !isFinished(pod, facts)) {
    return act({
      do: 'fail',
      reason: 'DeadlineExceeded',
      message: 'Pod was active on the node longer than the specified deadline',
    });
  }
  const next = isFinished(pod, facts) ? planFinished(pod, facts, now) : planRun(pod, facts, now);
  return deadline === undefined || isFinished(pod, facts) ? next : wakeBy(next, deadline);
}

function planRun(pod: Pod, facts: PodFacts, now: number): PodPlan {
  if (!facts.sandbox) return whenDue(facts.sandboxObstacle?.retryAt ?? 0, now, { do: 'createSandbox' });
  if (!facts.sandbox.alive) return planSandboxLost(pod, facts, now);
  if (facts.volumesObstacle && now < facts.volumesObstacle.retryAt)
    return { actions: [], wakeAt: facts.volumesObstacle.retryAt };
  // first, as kubelet has it: they are for looking into pods whose init containers fail, too
  const ephemeral = ephemeralContainers(pod).map(c => planEphemeral(facts, c, now));
  const init = planInit(pod, facts, now);
  if (!init.done) return merge([...ephemeral, init.plan]);
  return merge([...ephemeral, init.plan, ...planApps(pod, facts, now)]);
}

/** In the order of the spec: none starts while the postStart hook of one before it is due or runs. */
function planApps(pod: Pod, facts: PodFacts, now: number): PodPlan[] {
  const plans: PodPlan[] = [];
  let held = false;
  for (const container of pod.spec.containers) {
    const { live } = factsOf(facts, container.name);
    if (held && !live) continue;
    const next = planContainer(pod, facts, container, now);
    plans.push(next);
    const hooked = container.lifecycle?.postStart && next.actions.some(action => action.do === 'startContainer');
    held ||= live?.starting === true || hooked === true;
  }
  return plans;
}

/** Init containers one by one, each to success; sidecars start in their place and are kept running. */
function planInit(pod: Pod, facts: PodFacts, now: number): { done: boolean; plan: PodPlan } {
  const plans: PodPlan[] = [];
  const appStarted = pod.spec.containers.some(c => ranHere(facts, c.name));
  for (const container of initContainers(pod)) {
    const state = factsOf(facts, container.name);
    if (isSidecar(container)) {
      plans.push(planContainer(pod, facts, container, now));
      if (!hasStarted(state.live) && !appStarted) return { done: false, plan: merge(plans) };
    } else if (!appStarted && !(succeeded(state) && ranHere(facts, container.name))) {
      plans.push(planContainer(pod, facts, container, now));
      return { done: false, plan: merge(plans) };
    }
  }
  return { done: true, plan: merge(plans) };
}

function planContainer(pod: Pod, facts: PodFacts, container: Container, now: number): PodPlan {
  const state = factsOf(facts, container.name);
  if (state.live) return planLive(pod, facts, container, now);
  const again = isInit(pod, container) && !ranHere(facts, container.name);
  if (state.ended && !again && !restarts(pod, container, state.ended, isInit(pod, container))) return quiet;
  const at = Math.max(again ? 0 : nextStartAt(state), state.obstacle?.retryAt ?? 0);
  return whenDue(at, now, { do: 'startContainer', container: container.name });
}

function planLive(pod: Pod, facts: PodFacts, container: Container, now: number): PodPlan {
  const { live, stop } = factsOf(facts, container.name);
  if (stop) return planKill(container.name, stop, now);
  if (!live?.condemned) return planResize(pod, facts, container, now);
  const { message, graceMs = podGraceMs(pod) } = live.condemned;
  return act({ do: 'stopContainer', container: container.name, graceMs, say: message });
}

/** Runs once, whatever becomes of it. */
function planEphemeral(facts: PodFacts, { name }: Container, now: number): PodPlan {
  const state = factsOf(facts, name);
  if (state.nextAttempt > 0) return quiet;
  return whenDue(state.obstacle?.retryAt ?? 0, now, { do: 'startContainer', container: name });
}

/** What it was given is not what its pod says now, and that was not refused before, or may be had by now. */
function planResize(pod: Pod, facts: PodFacts, { name, resources = {} }: Container, now: number): PodPlan {
  const given = factsOf(facts, name).live?.resources;
  if (!given || deepEqual(given, resources)) return quiet;
  const { resizeRefused: refused } = facts;
  const again = refused?.wanted === resourcesOf(pod) ? (refused.retryAt ?? Number.POSITIVE_INFINITY) : 0;
  return again === Number.POSITIVE_INFINITY ? quiet : whenDue(again, now, { do: 'resizeContainer', container: name });
}

/** Pause has died: what ran in it is stopped, the remains are taken away, then a new sandbox is made. */
function planSandboxLost(pod: Pod, facts: PodFacts, now: number): PodPlan {
  const stops = stopAll(pod, facts, () => true, 0, now);
  return stops.length > 0 ? merge(stops) : act({ do: 'tearDown' });
}

function planFinished(pod: Pod, facts: PodFacts, now: number): PodPlan {
  // sidecars outlive the last app container and are stopped by us
  const stops = stopAll(pod, facts, () => true, podGraceMs(pod), now);
  if (stops.length > 0) return merge(stops);
  return facts.tornDown || !facts.sandbox ? quiet : act({ do: 'tearDown' });
}

/** App containers first, sidecars after them in reverse order of start; then the sandbox; then, if deleted, everything. */
function planStop(pod: Pod, facts: PodFacts, graceMs: number, now: number): PodPlan {
  const apps = stopAll(pod, facts, c => !isSidecar(c), graceMs, now);
  if (apps.length > 0) return merge(apps);
  const sidecar = initContainers(pod).findLast(c => isSidecar(c) && factsOf(facts, c.name).live);
  if (sidecar) return merge(stopAll(pod, facts, c => c === sidecar, graceMs, now));
  if (!facts.tornDown) return act({ do: 'tearDown' });
  return facts.termination?.deleted ? act({ do: 'release' }) : quiet;
}

/** A pod that must stop leaves its containers at least this long, even if others used up the grace (rule A4.3). */
export const minimumGraceMs = 2000;

/**
 * What a container that is asked now gets of the pod's grace: sidecars come last and share it, but never below the minimum.
 * Nothing where all of these would be over by now: then it has been asked before, by agents that have died meanwhile, and
 * the next one would ask again.
 */
export function remainingGraceMs(pod: Pod, { termination, stopBy }: PodFacts, graceMs: number, now: number): number {
  if (!termination || stopBy === undefined) return graceMs;
  // a hook's, the pod's own, and one for each sidecar
  const minimums = 2 + initContainers(pod).filter(isSidecar).length;
  if (now > stopBy + minimums * minimumGraceMs) return 0;
  return Math.min(graceMs, Math.max(minimumGraceMs, stopBy - now));
}

function stopAll(pod: Pod, facts: PodFacts, which: (c: Container) => boolean, graceMs: number, now: number): PodPlan[] {
  return allContainers(pod)
    .filter(c => which(c) && factsOf(facts, c.name).live)
    .map(({ name }) => {
      const { stop } = factsOf(facts, name);
      if (!stop) return act({ do: 'stopContainer', container: name, graceMs });
      // a later, shorter grace is obeyed without a second signal
      const grace = graceMs > 0 ? graceMs + (stop.extraMs ?? 0) : 0;
      const killAt = Math.min(stop.killAt, stop.since + grace);
      return planKill(name, { ...stop, killAt }, now);
    });
}

function planKill(container: string, stop: { killAt: number; killed: boolean }, now: number): PodPlan {
  if (stop.killed) return quiet;
  return whenDue(stop.killAt, now, { do: 'killContainer', container });
}

const succeeded = (state: ContainerFacts): boolean => !state.live && state.ended?.exitCode === 0;

const isInit = (pod: Pod, container: Container): boolean => initContainers(pod).includes(container);

/** Nothing of it will ever run again: every app container ended for good, or an init container failed under Never. */
export function isFinished(pod: Pod, facts: PodFacts): boolean {
  if (facts.termination?.failed) return true;
  if (initFailed(pod, facts)) return true;
  return pod.spec.containers.every(c => {
    const state = factsOf(facts, c.name);
    return !state.live && state.ended !== undefined && !restarts(pod, c, state.ended, false);
  });
}

/** An init container has failed and its policy is never to try again. */
export function initFailed(pod: Pod, facts: PodFacts): boolean {
  return initContainers(pod).some(c => {
    const { live, ended } = factsOf(facts, c.name);
    return !isSidecar(c) && !live && ended !== undefined && ended.exitCode !== 0 && !restarts(pod, c, ended, true);
  });
}

export function podGraceMs(pod: Pod): number {
  return (pod.spec.terminationGracePeriodSeconds ?? 30) * 1000;
}

function activeDeadline(pod: Pod, facts: PodFacts): number | undefined {
  const seconds = pod.spec.activeDeadlineSeconds;
  return seconds === undefined ? undefined : Date.parse(facts.startTime) + seconds * 1000;
}

const quiet: PodPlan = { actions: [] };

function act(action: PodAction): PodPlan {
  return { actions: [action] };
}

function whenDue(at: number, now: number, action: PodAction): PodPlan {
  return at <= now ? act(action) : { actions: [], wakeAt: at };
}

function wakeBy(plan: PodPlan, at: number): PodPlan {
  return { actions: plan.actions, wakeAt: Math.min(plan.wakeAt ?? at, at) };
}

function merge(plans: readonly PodPlan[]): PodPlan {
  const actions = plans.flatMap(p => p.actions);
  const wakes = plans.flatMap(p => p.wakeAt ?? []);
  return wakes.length > 0 ? { actions, wakeAt: Math.min(...wakes) } : { actions };
}
