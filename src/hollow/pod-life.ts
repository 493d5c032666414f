/** What a simulated node says of a pod that it does not really run. Pure. */
import type { Condition } from '../kube/meta.js';
import type { ContainerState, ContainerStatus, Pod, PodStatus } from '../kube/pod.js';
import { timestamp } from '../kube/time.js';

/** On a pod: it ends by itself after so many seconds. Without it, it runs until it is deleted. */
export const runSeconds = 'hollow.keelson.dev/run-seconds';
/** On a pod that ends: the exit code of its containers; default 0. */
export const exitCode = 'hollow.keelson.dev/exit-code';

export interface Ending {
  readonly afterMs: number;
  readonly code: number;
}

/** Undefined for a pod that runs until it is deleted. */
export function endingOf({ metadata: { annotations } }: Pod): Ending | undefined {
  const seconds = Number(annotations?.[runSeconds]);
  if (annotations?.[runSeconds] === undefined || !Number.isFinite(seconds) || seconds < 0) return undefined;
  const code = Number(annotations[exitCode] ?? 0);
  return { afterMs: seconds * 1000, code: Number.isInteger(code) && code >= 0 && code < 256 ? code : 1 };
}

export interface Seen {
  readonly pod: Pod;
  readonly ip: string;
  readonly hostIP: string;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
}

export function runningStatus(seen: Seen): PodStatus {
  return statusOf(seen, 'Running', seen.startedAt, { running: { startedAt: timestamp(seen.startedAt) } });
}

/** Ended by itself, or (with a deletion) because it was told to. */
export function endedStatus(seen: Seen, code: number, now: number): PodStatus {
  const state: ContainerState = {
    terminated: {
      exitCode: code,
      reason: code === 0 ? 'Completed' : 'Error',
      startedAt: timestamp(seen.startedAt),
      finishedAt: timestamp(now),
    },
  };
  return statusOf(seen, code === 0 ? 'Succeeded' : 'Failed', now, state);
}

function statusOf(
  seen: Seen,
  phase: 'Running' | 'Succeeded' | 'Failed',
  now: number,
  state: ContainerState,
): PodStatus {
  const { pod, ip, hostIP, startedAt } = seen;
  const running = phase === 'Running';
  const status = (name: string, image = ''): ContainerStatus => ({
    ...{ name, image, imageID: image, state, lastState: {}, ready: running, started: running, restartCount: 0 },
    containerID: `hollow://${pod.metadata.uid}/${name}`,
  });
  const done: ContainerState = { terminated: { exitCode: 0, reason: 'Completed' } };
  return {
    phase,
    conditions: conditions(running, phase, now),
    hostIP,
    hostIPs: [{ ip: hostIP }],
    podIP: ip,
    podIPs: [{ ip }],
    startTime: timestamp(startedAt),
    ...(pod.status?.qosClass && { qosClass: pod.status.qosClass }),
    ...(pod.spec.initContainers && {
      initContainerStatuses: pod.spec.initContainers.map(({ name, image, restartPolicy }) => ({
        ...status(name, image),
        ...(restartPolicy !== 'Always' && { state: done, ready: true, started: false }),
      })),
    }),
    containerStatuses: pod.spec.containers.map(({ name, image }) => status(name, image)),
  };
}

function conditions(running: boolean, phase: string, now: number): Condition[] {
  const at = timestamp(now);
  const condition = (type: string, on: boolean): Condition => ({
    ...{ type, status: on ? 'True' : 'False', lastProbeTime: null, lastTransitionTime: at },
    ...(!on && { reason: phase === 'Succeeded' ? 'PodCompleted' : 'PodFailed' }),
  });
  return [
    condition('PodReadyToStartContainers', running),
    condition('Initialized', true),
    condition('Ready', running),
    condition('ContainersReady', running),
  ];
}
