/** Where a pod's files, cgroups and logs live: the one place that knows the layout (docs/architecture.md shows it). */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Pod, QosClass } from '../../src/kube/pod.js';

/** Folders of one node. */
export interface NodePaths {
  /** `/var/lib/keelson` */
  readonly dataDir: string;
  /** `/run/keelson`: unix sockets; short, because sun_path holds 108 bytes. */
  readonly runDir: string;
  /** Mount point of cgroup2. */
  readonly cgroupMount: string;
  /** Our own top group below it, `keelson`. */
  readonly cgroupName: string;
}

export interface PodPaths {
  readonly uid: string;
  readonly directory: string;
  readonly podRecord: string;
  readonly sandboxRecord: string;
  /** There while the pod is being stopped. */
  readonly stopRecord: string;
  readonly containers: string;
  readonly volumes: string;
  readonly files: { readonly hosts: string; readonly hostname: string; readonly resolvConf: string };
  readonly logs: string;
  /** cgroup of the pod, of its pause and shims. */
  readonly cgroup: string;
  readonly sandboxCgroup: string;
}

export const podsDirectory = (node: NodePaths): string => join(node.dataDir, 'pods');

export const cgroupRoot = (node: NodePaths): string => join(node.cgroupMount, node.cgroupName);

/** A UID comes from the API or from a directory name: only what is safe as one path component passes. */
export function isSafeUid(uid: string): boolean {
  return /^[0-9A-Za-z][0-9A-Za-z-]{0,63}$/.test(uid);
}

export function podPaths(node: NodePaths, pod: Pod, qos: QosClass): PodPaths {
  const uid = pod.metadata.uid ?? '';
  if (!isSafeUid(uid)) throw new RangeError(`pod UID "${uid}": letters, digits and "-" are allowed, at most 64`);
  const directory = join(podsDirectory(node), uid);
  const cgroup = join(cgroupRoot(node), qos.toLowerCase(), `pod${uid}`);
  return {
    uid,
    directory,
    podRecord: join(directory, 'pod.json'),
    sandboxRecord: join(directory, 'sandbox.json'),
    stopRecord: join(directory, 'stop.json'),
    containers: join(directory, 'containers'),
    volumes: join(directory, 'volumes'),
    files: {
      hosts: join(directory, 'etc-hosts'),
      hostname: join(directory, 'hostname'),
      resolvConf: join(directory, 'resolv.conf'),
    },
    // as kubelet names them, cut where the name of a file may not be longer; the UID tells them apart
    logs: join(node.dataDir, 'logs', `${`${pod.metadata.namespace}_${pod.metadata.name}`.slice(0, 180)}_${uid}`),
    cgroup,
    sandboxCgroup: join(cgroup, 'sandbox'),
  };
}

export const attemptDirectory = (pod: PodPaths, container: string, attempt: number): string =>
  join(pod.containers, container, String(attempt));

/** Every attempt gets a cgroup of its own: one that was killed can never be cloned into again (platform fact 1). */
export const attemptCgroup = (pod: PodPaths, container: string, attempt: number): string =>
  join(pod.cgroup, `${container}.${attempt}`);

/** Kept beside the attempt's directory: bound on the container's terminationMessagePath. */
export const terminationFile = (attemptDir: string): string => `${attemptDir}.termination`;

/** Kept beside the attempt's directory, which a failed start leaves none of: that it counted as a run. */
export const failedStartFile = (attemptDir: string): string => `${attemptDir}.failed.json`;

export const logPath = (pod: PodPaths, container: string, attempt: number): string =>
  join(pod.logs, container, `${attempt}.log`);

/** The CNI container id of a pod's n-th sandbox: 64 hex digits, and the same after a restart. */
export function sandboxId(uid: string, attempt: number): string {
  return createHash('sha256').update(`${uid}/${attempt}`).digest('hex');
}
