/**
 * What the node knows of one pod: the input of `plan` and `podStatus`, written only by its worker. Plain data; times in
 * milliseconds since the epoch unless they are text that goes to the API.
 */
import type { Container, EphemeralContainer, Pod, ResourceRequirements } from '../../src/kube/pod.js';

/** One run of one container that has ended. */
export interface EndedRun {
  readonly attempt: number;
  readonly id: string;
  readonly exitCode: number;
  readonly signal?: number;
  /** Completed, Error, OOMKilled, StartError, Unknown, … (reliability rule A6). */
  readonly reason: string;
  readonly message?: string;
  readonly startedAt?: string;
  readonly finishedAt: string;
  /** It was stopped by us to be started again (`condemned.again`). */
  readonly again?: boolean;
  /** Why its postStart hook failed, if it was stopped for that. */
  readonly hookFailed?: string;
}

export interface LiveRun {
  readonly attempt: number;
  readonly id: string;
  readonly startedAt: string;
  /** What it was given, at its start or since; undefined: what the pod says. */
  readonly resources?: ResourceRequirements;
  /** Its postStart hook has not ended yet: the next container waits. */
  readonly starting?: boolean;
  /** false: its startup probe has not succeeded yet. */
  readonly started?: boolean;
  /** What its readiness probe says; without one it is ready once it has started. */
  readonly ready?: boolean;
  /** It runs, and must not go on: a probe or its postStart hook has failed. */
  readonly condemned?: {
    readonly message: string;
    readonly graceMs?: number;
    /** Only to be started with other resources, whatever the restart policy says. */
    readonly again?: boolean;
    readonly hookFailed?: string;
  };
}

/** A stop under way: the signal was sent, SIGKILL follows at `killAt`. */
export interface Stop {
  readonly since: number;
  readonly killAt: number;
  readonly killed: boolean;
  /** What its preStop hook adds to the grace, because the stop signal comes only after it. */
  readonly extraMs?: number;
}

/** Why a container that should run does not: an image or a configuration problem, tried again at `retryAt`. */
export interface Obstacle {
  readonly reason: string;
  readonly message: string;
  readonly failures: number;
  readonly retryAt: number;
}

export interface ContainerFacts {
  readonly live?: LiveRun;
  /** The newest ended run, and the one before it. */
  readonly ended?: EndedRun;
  readonly endedBefore?: EndedRun;
  readonly stop?: Stop;
  readonly obstacle?: Obstacle;
  /** Runs that ended in a row without one that lasted 10 minutes: the exponent of the crash back-off. */
  readonly crashes: number;
  /** Number of the next attempt; restartCount is the newest attempt's number. */
  readonly nextAttempt: number;
  /** Which of the pod's sandboxes the newest run was in. */
  readonly sandbox?: number;
  readonly imageID: string;
}

export const noContainerFacts: ContainerFacts = { crashes: 0, nextAttempt: 0, imageID: '' };

export interface SandboxFacts {
  readonly attempt: number;
  /** One of each family at most, the primary one first; none of a pod in the node's network. */
  readonly ips?: readonly string[];
  /** false: pause has died; everything in it must be stopped and a new one made. */
  readonly alive: boolean;
}

/** Why a pod is being stopped, and until when. */
export interface Termination {
  /** The object or its file is going away: release everything. Otherwise the object stays, with its final status. */
  readonly deleted: boolean;
  /** The pod counts as Failed whatever its containers say: deadline exceeded, refused, evicted. Never taken back. */
  readonly failed: boolean;
  readonly reason?: string;
  readonly message?: string;
  /** Milliseconds allowed between the stop signal and SIGKILL. */
  readonly graceMs: number;
}

/** A resize that was not done. */
export interface ResizeRefused {
  /** What was asked for (`resourcesOf`): something else is another question. */
  readonly wanted: string;
  readonly message: string;
  /** Infeasible: never here, so not tried again. Deferred: others hold it now. Error: it was begun and did not succeed. */
  readonly reason?: 'Infeasible' | 'Deferred' | 'Error';
  /** Tried again then. */
  readonly retryAt?: number;
}

export interface PodFacts {
  readonly sandbox?: SandboxFacts;
  /** Sandboxes ever made for this pod. */
  readonly nextSandbox: number;
  readonly sandboxObstacle?: Obstacle;
  readonly volumesObstacle?: Obstacle;
  /** The resources that it asks for now, and why it does not have them. */
  readonly resizeRefused?: ResizeRefused;
  readonly containers: Readonly<Record<string, ContainerFacts>>;
  /** When the node first took up this pod. */
  readonly startTime: string;
  readonly termination?: Termination;
  /** When the grace of the termination is over, counted from the first order: restarts do not prolong it. */
  readonly stopBy?: number;
  /** Network, cgroup and mounts are gone. */
  readonly tornDown: boolean;
}

export const isSidecar = (container: Container): boolean => container.restartPolicy === 'Always';

export const initContainers = (pod: Pod): readonly Container[] => pod.spec.initContainers ?? [];

export const ephemeralContainers = (pod: Pod): readonly EphemeralContainer[] => pod.spec.ephemeralContainers ?? [];

export const isEphemeral = (pod: Pod, { name }: Pick<Container, 'name'>): boolean =>
  ephemeralContainers(pod).some(container => container.name === name);

export const allContainers = (pod: Pod): readonly Container[] => [
  ...initContainers(pod),
  ...pod.spec.containers,
  ...ephemeralContainers(pod),
];

export const factsOf = (facts: PodFacts, name: string): ContainerFacts => facts.containers[name] ?? noContainerFacts;

/** A further order to stop: it can only shorten the grace, and what was decided before stays decided. Pure. */
export function mergeTermination(before: Termination | undefined, order: Termination): Termination {
  if (!before) return order;
  const words = before.reason ? before : order;
  return {
    deleted: before.deleted || order.deleted,
    failed: before.failed || order.failed,
    graceMs: Math.min(before.graceMs, order.graceMs),
    ...(words.reason && { reason: words.reason }),
    ...(words.message && { message: words.message }),
  };
}

/** It runs, its postStart hook has ended and its startup probe has succeeded, as far as it has them. */
export const hasStarted = (live: LiveRun | undefined): boolean =>
  live !== undefined && !live.starting && live.started !== false;

/** The newest run was in the sandbox that stands now: what ran in an earlier one counts as not run yet (rule A2). */
export function ranHere(facts: PodFacts, name: string): boolean {
  const { nextAttempt, sandbox } = factsOf(facts, name);
  return nextAttempt > 0 && sandbox === facts.sandbox?.attempt;
}

/** Every init container has done its part in this sandbox, or an app container has started in it already. */
export function initDone(pod: Pod, facts: PodFacts): boolean {
  if (pod.spec.containers.some(c => ranHere(facts, c.name))) return true;
  return initContainers(pod).every(c => {
    const { live, ended } = factsOf(facts, c.name);
    if (isSidecar(c)) return hasStarted(live);
    return !live && ended?.exitCode === 0 && ranHere(facts, c.name);
  });
}

export const containerOf = (pod: Pod, name: string): Container | undefined =>
  allContainers(pod).find(container => container.name === name);

/** All that a pod asks for, to be compared. */
export const resourcesOf = (pod: Pod): string => JSON.stringify(allContainers(pod).map(c => c.resources ?? {}));
