/**
 * The PodStatus that the API shows, from spec and facts: pure, so that thousands of histories can be run through it.
 * Reasons and messages are kubelet's (issue texts and reliability rules A5, A6).
 */
import type { Condition } from '../../src/kube/meta.js';
import type {
  Container,
  ContainerState,
  ContainerStateTerminated,
  ContainerStatus,
  Pod,
  PodPhase,
  PodStatus,
} from '../../src/kube/pod.js';
import {
  type ContainerFacts,
  type EndedRun,
  ephemeralContainers,
  factsOf,
  hasStarted,
  initContainers,
  initDone,
  isSidecar,
  type PodFacts,
  resourcesOf,
} from './facts.js';
import { initFailed, isFinished } from './plan.js';
import { backoffMessage, nextStartAt, restarts } from './restart.js';

export const containerIdPrefix = 'keelson://';

export interface StatusContext {
  /** Of the node, the primary one first. */
  readonly hostIPs: readonly string[];
  readonly now: number;
  /** What was shown last: transition times are kept from it. */
  readonly previous: PodStatus | undefined;
}

export function podStatus(pod: Pod, facts: PodFacts, { hostIPs, now, previous }: StatusContext): PodStatus {
  const phase = podPhase(pod, facts);
  const init = initContainers(pod).map(c => containerStatus(pod, facts, c, now, true));
  const apps = pod.spec.containers.map(c => containerStatus(pod, facts, c, now, false));
  const ephemeral = ephemeralContainers(pod).map(c => ephemeralStatus(containerStatus(pod, facts, c, now, false)));
  const ips = pod.spec.hostNetwork ? hostIPs : (facts.sandbox?.ips ?? []);
  const { termination } = facts;
  return {
    phase,
    conditions: conditions(pod, facts, phase, init, apps).map(c => withTransition(c, previous?.conditions ?? [], now)),
    ...(termination?.reason && { reason: termination.reason }),
    ...(termination?.reason && termination.message && { message: termination.message }),
    ...(hostIPs[0] && { hostIP: hostIPs[0], hostIPs: hostIPs.map(ip => ({ ip })) }),
    ...(ips[0] && { podIP: ips[0], podIPs: ips.map(ip => ({ ip })) }),
    startTime: facts.startTime,
    ...(pod.status?.qosClass && { qosClass: pod.status.qosClass }),
    ...(pod.metadata.generation !== undefined && { observedGeneration: pod.metadata.generation }),
    // a pod that was refused has no containers to tell of, only the reason
    ...(!wasRefused(facts) && {
      ...(init.length > 0 && { initContainerStatuses: init }),
      containerStatuses: apps,
      ...(ephemeral.length > 0 && { ephemeralContainerStatuses: ephemeral }),
    }),
  };
}

/** This node would not take it up at all. */
const wasRefused = ({ termination, nextSandbox }: PodFacts): boolean =>
  (termination?.failed ?? false) && nextSandbox === 0;

/** Terminal phases need every container stopped; a pod being deleted keeps its phase until then. */
export function podPhase(pod: Pod, facts: PodFacts): PodPhase {
  const anyLive = [...initContainers(pod), ...pod.spec.containers].some(c => factsOf(facts, c.name).live);
  const anyStarted = pod.spec.containers.some(c => hasBegun(factsOf(facts, c.name)));
  const running: PodPhase = anyStarted ? 'Running' : 'Pending';
  if (facts.termination) return anyLive ? running : finalPhase(pod, facts);
  if (initFailed(pod, facts)) return anyLive ? 'Pending' : 'Failed';
  if (isFinished(pod, facts)) return anyLive ? running : finalPhase(pod, facts);
  return initDone(pod, facts) ? running : 'Pending';
}

/** A first run whose postStart hook still runs does not count yet. */
const hasBegun = ({ live, nextAttempt }: ContainerFacts): boolean => nextAttempt > (live?.starting ? 1 : 0);

function finalPhase(pod: Pod, facts: PodFacts): PodPhase {
  if (facts.termination?.failed) return 'Failed';
  const ok = pod.spec.containers.every(c => factsOf(facts, c.name).ended?.exitCode === 0);
  return ok ? 'Succeeded' : 'Failed';
}

/** Nobody waits for it to be ready. */
function ephemeralStatus({ started: _, ...status }: ContainerStatus): ContainerStatus {
  return { ...status, ready: false };
}

function containerStatus(pod: Pod, facts: PodFacts, container: Container, now: number, init: boolean): ContainerStatus {
  const state = factsOf(facts, container.name);
  const shown = containerState(pod, facts, container, state, now, init);
  const last = shown.terminated ? state.endedBefore : state.ended;
  const running = state.live !== undefined;
  const started = hasStarted(state.live);
  const id = state.live?.id ?? state.ended?.id;
  return {
    name: container.name,
    state: shown,
    ...(last ? { lastState: { terminated: terminated(last) } } : { lastState: {} }),
    ready:
      init && !isSidecar(container) ? state.ended?.exitCode === 0 && !running : started && state.live?.ready !== false,
    started,
    restartCount: Math.max(0, state.nextAttempt - 1),
    image: container.image ?? '',
    imageID: state.imageID,
    ...(id && { containerID: containerIdPrefix + id }),
    ...resourceStatus(container, state),
  };
}

/** What is in force: of a container that asks for nothing there is nothing to tell. */
function resourceStatus({ resources = {} }: Container, { live }: ContainerFacts): Partial<ContainerStatus> {
  const given = live?.resources ?? resources;
  if (!live || Object.keys(given).length === 0) return {};
  return { ...(given.requests && { allocatedResources: given.requests }), resources: given };
}

function containerState(
  pod: Pod,
  facts: PodFacts,
  container: Container,
  state: ContainerFacts,
  now: number,
  init: boolean,
): ContainerState {
  // not told as running before its postStart hook has ended
  if (state.live?.starting) return { waiting: { reason: notYet(pod, init) } };
  if (state.live) return { running: { startedAt: state.live.startedAt } };
  const stopped = facts.termination !== undefined || isFinished(pod, facts);
  if (state.obstacle && !stopped)
    return { waiting: { reason: state.obstacle.reason, message: state.obstacle.message } };
  if (state.ended) {
    if (!stopped && restarts(pod, container, state.ended, init)) return waitingForRestart(pod, container, state, now);
    return { terminated: terminated(state.ended) };
  }
  if (stopped && facts.tornDown && !init && wasInitialized(pod, facts)) return neverRan(facts);
  const gated = !init && initContainers(pod).length > 0 && !initDone(pod, facts);
  return { waiting: { reason: gated || (init && facts.sandbox) ? 'PodInitializing' : 'ContainerCreating' } };
}

const notYet = (pod: Pod, init: boolean): string =>
  init || initContainers(pod).length > 0 ? 'PodInitializing' : 'ContainerCreating';

/** Its init containers had done their part: what did not run then is unknown; what was never due still waits. */
function wasInitialized(pod: Pod, facts: PodFacts): boolean {
  const last = initContainers(pod).at(-1);
  if (!last || pod.spec.containers.some(c => factsOf(facts, c.name).nextAttempt > 0)) return true;
  return factsOf(facts, last.name).ended?.exitCode === 0;
}

/** The pod ended before this container ever ran; unknown is failure (rule A1.6). */
function neverRan(facts: PodFacts): ContainerState {
  const at = facts.startTime;
  return {
    terminated: {
      exitCode: 137,
      reason: 'ContainerStatusUnknown',
      message: 'The container could not be located when the pod was terminated',
      startedAt: at,
      finishedAt: at,
    },
  };
}

function waitingForRestart(pod: Pod, container: Container, state: ContainerFacts, now: number): ContainerState {
  // the first back-off shows what went wrong, later ones that it goes on; kubelet shows both in turns
  const failure = state.crashes <= 2 ? startFailure(state.ended) : undefined;
  if (failure) return { waiting: failure };
  if (nextStartAt(state) <= now) return { terminated: terminated(state.ended as EndedRun) };
  return { waiting: { reason: 'CrashLoopBackOff', message: backoffMessage(pod, container.name, state.crashes) } };
}

function startFailure(ended: EndedRun | undefined): { reason: string; message: string } | undefined {
  if (ended?.hookFailed !== undefined) return { reason: 'PostStartHookError', message: ended.hookFailed };
  if (ended?.reason === 'StartError') return { reason: 'RunContainerError', message: ended.message ?? '' };
  return undefined;
}

function terminated(run: EndedRun): ContainerStateTerminated {
  return {
    exitCode: run.exitCode,
    ...(run.signal !== undefined && { signal: run.signal }),
    reason: run.reason,
    ...(run.message && { message: run.message }),
    startedAt: seconds(run.startedAt ?? run.finishedAt),
    finishedAt: seconds(run.finishedAt),
    containerID: containerIdPrefix + run.id,
  };
}

/** RFC 3339 with whole seconds, as metav1.Time is. */
export function seconds(time: string): string {
  return `${time.slice(0, 19)}Z`;
}

function conditions(
  pod: Pod,
  facts: PodFacts,
  phase: PodPhase,
  init: ContainerStatus[],
  apps: ContainerStatus[],
): Condition[] {
  const initialized =
    initDone(pod, facts) || apps.some(s => s.state?.running || s.lastState?.terminated) || phase === 'Succeeded';
  const sidecars = initContainers(pod)
    .filter(isSidecar)
    .map(c => c.name);
  const must = [...init.filter(s => sidecars.includes(s.name)), ...apps];
  const unready = must.filter(s => !s.ready).map(s => s.name);
  const uninitialized = init.filter(s => !s.ready).map(s => s.name);
  const ready: Omit<Condition, 'type'> =
    phase === 'Succeeded'
      ? { status: 'False', reason: 'PodCompleted' }
      : phase === 'Failed'
        ? { status: 'False', reason: 'PodFailed' }
        : unready.length > 0
          ? {
              status: 'False',
              reason: 'ContainersNotReady',
              message: `containers with unready status: [${unready.join(' ')}]`,
            }
          : { status: 'True' };
  return [
    { type: 'PodReadyToStartContainers', status: facts.sandbox?.alive && !facts.tornDown ? 'True' : 'False' },
    initialized
      ? { type: 'Initialized', status: 'True', ...(phase === 'Succeeded' && { reason: 'PodCompleted' }) }
      : {
          type: 'Initialized',
          status: 'False',
          reason: 'ContainersNotInitialized',
          message: `containers with incomplete status: [${uninitialized.join(' ')}]`,
        },
    { type: 'Ready', ...gated(pod, ready) },
    { type: 'ContainersReady', ...ready },
    { type: 'PodScheduled', status: 'True' },
    ...resizeCondition(pod, facts),
    ...disruption(facts),
  ];
}

/** Ready besides its containers: every condition that the pod names as a gate is true. */
function gated(pod: Pod, ready: Omit<Condition, 'type'>): Omit<Condition, 'type'> {
  if (ready.status !== 'True') return ready;
  const has = (type: string) => pod.status?.conditions?.find(condition => condition.type === type);
  const missing = (pod.spec.readinessGates ?? []).flatMap(({ conditionType: type }) => {
    if (has(type)?.status === 'True') return [];
    return has(type)
      ? `the status of pod readiness gate "${type}" is not "True", but ${has(type)?.status}`
      : `corresponding condition of pod readiness gate "${type}" does not exist.`;
  });
  if (missing.length === 0) return ready;
  const message = missing.length === 1 ? missing[0] : `[${missing.join(', ')}]`;
  return { status: 'False', reason: 'ReadinessGatesNotReady', ...(message && { message }) };
}

/** The node took it from the pod to run on: controllers and Jobs' failure policies look at this. */
function disruption({ termination, nextSandbox }: PodFacts): Condition[] {
  const { reason = '', message, failed } = termination ?? {};
  if (!failed || nextSandbox === 0 || !disruptions.has(reason)) return [];
  return [{ type: 'DisruptionTarget', status: 'True', reason: 'TerminationByKubelet', ...(message && { message }) }];
}

const disruptions: ReadonlySet<string> = new Set(['Evicted', 'Terminated']);

function resizeCondition(pod: Pod, { resizeRefused }: PodFacts): Condition[] {
  if (resizeRefused?.wanted !== resourcesOf(pod)) return [];
  const { reason = 'Infeasible', message } = resizeRefused;
  return [{ type: reason === 'Error' ? 'PodResizeInProgress' : 'PodResizePending', status: 'True', reason, message }];
}

/** lastTransitionTime moves only when the status does. */
function withTransition(condition: Condition, before: readonly Condition[], now: number): Condition {
  const old = before.find(c => c.type === condition.type);
  const at =
    old?.status === condition.status && old.lastTransitionTime
      ? old.lastTransitionTime
      : seconds(new Date(now).toISOString());
  return { ...condition, lastProbeTime: null, lastTransitionTime: at };
}
