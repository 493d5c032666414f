/**
 * Pod, container and image → everything about one run, as plain data. Pure: no file is looked at, no clock read.
 */
import { posix } from 'node:path';
import type { Container, EphemeralContainer, Pod, SecurityContext } from '../../src/kube/pod.js';
import type { Image } from '../images/contract.js';
import { allCapabilities, resolveCapabilities } from './capabilities.js';
import { ContainerConfigError, type ContainerSpec, type MountSpec } from './contract.js';
import { expand } from './expand.js';

export interface SpecFacts {
  readonly pod: Pod;
  readonly container: EphemeralContainer;
  readonly image: Image;
  /** From resolveEnv. */
  readonly env: ReadonlyMap<string, string>;
  /** Volumes and the node's files (hosts, hostname, resolv.conf, termination log), sources made and safe. */
  readonly mounts: readonly MountSpec[];
  readonly oomScoreAdj: number;
  /** What the container finds as its host's name. */
  readonly hostname?: string;
  /** Of its `localhostProfile`. */
  readonly seccompProgram?: Buffer | undefined;
  /** Of the pod's user namespace, if it has one. */
  readonly idBase?: number | undefined;
}

const defaultPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** `command` replaces the entrypoint, and then the image's Cmd is dropped too; `args` replaces Cmd. */
export function commandOf(container: Container, image: Image, env: ReadonlyMap<string, string>): string[] {
  const { command = [], args = [] } = container;
  const lookup = (name: string) => env.get(name);
  const expanded = (list: readonly string[]) => list.map(text => expand(text, lookup));
  if (command.length > 0) return [...expanded(command), ...expanded(args)];
  const { entrypoint, cmd } = image.config;
  return [...entrypoint, ...(args.length > 0 ? expanded(args) : cmd)];
}

/** Image first, then the pod's; containers without a PATH get the customary one. */
export function environmentOf(
  image: Image,
  env: ReadonlyMap<string, string>,
  tty: boolean,
  hostname?: string,
): string[] {
  const own = [...env].map(([name, value]) => `${name}=${value}`);
  const fromImage = image.config.env.filter(item => !env.has(item.split('=', 1)[0]!));
  const all = [...fromImage, ...own];
  const has = (name: string) => all.some(item => item.startsWith(`${name}=`));
  const host = hostname !== undefined && !has('HOSTNAME') ? [`HOSTNAME=${hostname}`] : [];
  return [...host, ...(has('PATH') ? [] : [defaultPath]), ...(tty && !has('TERM') ? ['TERM=xterm'] : []), ...all];
}

interface Who {
  readonly user: string;
  readonly runAsGroup?: number;
}

/** The container's security context wins over the pod's, which wins over the image. */
function whoOf({ pod, container, image }: SpecFacts): Who {
  const own = container.securityContext;
  const shared = pod.spec.securityContext;
  const uid = own?.runAsUser ?? shared?.runAsUser;
  const gid = own?.runAsGroup ?? shared?.runAsGroup;
  if (gid !== undefined && uid === undefined && !image.config.user) return { user: '0', runAsGroup: gid };
  return {
    user: uid === undefined ? (image.config.user ?? '') : String(uid),
    ...(gid !== undefined && { runAsGroup: gid }),
  };
}

/** kubelet's verifyRunAsNonRoot, with its texts; the shim looks again when it knows the number. */
function checkNonRoot(facts: SpecFacts): boolean {
  const { pod, container, image } = facts;
  if (!(container.securityContext?.runAsNonRoot ?? pod.spec.securityContext?.runAsNonRoot ?? false)) return false;
  const asked = container.securityContext?.runAsUser ?? pod.spec.securityContext?.runAsUser;
  const whose = `(pod: ${JSON.stringify(`${pod.metadata.name}_${pod.metadata.namespace ?? 'default'}(${pod.metadata.uid ?? ''})`)}, container: ${container.name})`;
  if (asked === 0) throw new ContainerConfigError(`container's runAsUser breaks non-root policy ${whose}`);
  if (asked !== undefined) return true;
  const [user = ''] = (image.config.user ?? '').split(':');
  if (user === '' || /^0+$/.test(user))
    throw new ContainerConfigError(`container has runAsNonRoot and image will run as root ${whose}`);
  if (!/^\d+$/.test(user))
    throw new ContainerConfigError(
      `container has runAsNonRoot and image has non-numeric user (${user}), cannot verify user is non-root ${whose}`,
    );
  return true;
}

const seccompProfileOf = (pod: Pod, container: Container) =>
  container.securityContext?.seccompProfile ?? pod.spec.securityContext?.seccompProfile;

/** The node's own profile that a container asks for, if it does: a path below the folder of profiles. */
export function localhostProfile(pod: Pod, container: Container): string | undefined {
  const profile = seccompProfileOf(pod, container);
  if (container.securityContext?.privileged || profile?.type !== 'Localhost') return undefined;
  return profile.localhostProfile ?? '';
}

function seccompOf({ pod, container, seccompProgram }: SpecFacts, privileged: boolean): ContainerSpec['seccomp'] {
  if (seccompProgram) return { program: seccompProgram.toString('base64') };
  return privileged || seccompProfileOf(pod, container)?.type === 'Unconfined' ? 'unconfined' : 'default';
}

/** An outer directory before what lies in it, otherwise the order of the manifest. */
function orderMounts(mounts: readonly MountSpec[]): MountSpec[] {
  const cleaned = mounts.map(mount => ({ ...mount, target: cleanTarget(mount.target) }));
  const depth = (mount: MountSpec) => mount.target.split('/').length;
  return cleaned.sort((a, b) => depth(a) - depth(b));
}

function cleanTarget(target: string): string {
  const clean = posix.normalize(target.startsWith('/') ? target : `/${target}`).replace(/(.)\/+$/, '$1');
  if (clean === '/') throw new ContainerConfigError(`the mount path "${target}" is the root of the container`);
  return clean;
}

function workingDirectory({ container, image }: SpecFacts): string {
  const wanted = container.workingDir || image.config.workingDir || '/';
  return cleanWorkingDirectory(wanted);
}

const cleanWorkingDirectory = (path: string) => posix.normalize(posix.join('/', path)).replace(/(.)\/+$/, '$1');

function groupsOf(pod: Pod): number[] {
  const { supplementalGroups = [], fsGroup } = pod.spec.securityContext ?? {};
  return [...new Set([...(fsGroup === undefined ? [] : [fsGroup]), ...supplementalGroups])];
}

function powers(context: SecurityContext | undefined) {
  const privileged = context?.privileged ?? false;
  return {
    privileged,
    capabilities: privileged ? allCapabilities : resolveCapabilities(context?.capabilities),
    // Kubernetes' default leaves setuid programs working: only the explicit false takes that away
    noNewPrivileges: !privileged && context?.allowPrivilegeEscalation === false,
    maskProc: !privileged && context?.procMount !== 'Unmasked',
    readOnlyRootfs: context?.readOnlyRootFilesystem ?? false,
  };
}

/** @throws ContainerConfigError for what cannot be met */
export function containerSpec(facts: SpecFacts): ContainerSpec {
  const { pod, container, image, env, oomScoreAdj } = facts;
  const object = `container ${container.name} of pod ${pod.metadata.namespace ?? 'default'}/${pod.metadata.name}`;
  const argv = commandOf(container, image, env);
  if (argv.length === 0) throw new ContainerConfigError('no command specified');
  const confinement = powers(container.securityContext);
  const { targetContainerName } = container;
  const { hostNetwork = false, hostIPC = false, hostPID = false, shareProcessNamespace = false } = pod.spec;
  return {
    object,
    argv,
    env: environmentOf(image, env, container.tty ?? false, facts.hostname),
    cwd: workingDirectory(facts),
    ...whoOf(facts),
    runAsNonRoot: checkNonRoot(facts),
    supplementalGroups: groupsOf(pod),
    strictGroups: pod.spec.securityContext?.supplementalGroupsPolicy === 'Strict',
    ...(facts.idBase !== undefined && { idBase: facts.idBase }),
    layers: image.layers,
    ...confinement,
    mounts: orderMounts(facts.mounts),
    seccomp: seccompOf(facts, confinement.privileged),
    tty: container.tty ?? false,
    stdin: container.stdin ?? false,
    stdinOnce: container.stdinOnce ?? false,
    oomScoreAdj,
    sharePid: (shareProcessNamespace || targetContainerName !== undefined) && !hostPID,
    hostNetwork,
    hostIPC,
    hostPID,
  };
}

/** Rule A8. @param requestBytes memory request, @param capacityBytes of the node */
export function oomScoreAdj(
  qos: 'Guaranteed' | 'Burstable' | 'BestEffort',
  requestBytes: number,
  capacityBytes: number,
  critical = false,
): number {
  if (critical || qos === 'Guaranteed') return -997;
  if (qos === 'BestEffort') return 1000;
  return Math.min(999, Math.max(3, 1000 - Math.floor((1000 * requestBytes) / capacityBytes)));
}
