/** One attempt of one container: image, environment, mounts, cgroup, shim; or what stands in the way. */
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { cgroupApply, cgroupRemove, KernelError, type ProcessIdentity, writeFiles } from '../../native/index.js';
import { writeFileAtomic } from '../../src/base/atomic-file.js';
import { backoffDelay } from '../../src/base/backoff.js';
import { describe } from '../../src/base/errors.js';
import { failpoint } from '../../src/base/failpoint.js';
import type { ConfigMap, Secret } from '../../src/kube/node.js';
import type { Container, EphemeralContainer, Pod } from '../../src/kube/pod.js';
import { referencesOf } from '../../src/link/interest.js';
import { restrictDevices } from '../cgroups/device-rules.js';
import { containerFiles, oomScoreAdj } from '../cgroups/resources.js';
import { ContainerConfigError, CreateError, StartError } from '../containers/contract.js';
import { resolveEnv } from '../containers/env.js';
import { loadProfile } from '../containers/seccomp-file.js';
import { serviceEnv } from '../containers/service-env.js';
import { containerSpec, localhostProfile } from '../containers/spec.js';
import { DeviceGoneError } from '../devices/manager.js';
import { type Image, InvalidImageName } from '../images/contract.js';
import { VolumeError } from '../volumes/contract.js';
import { openMounts, type PreparedVolume } from '../volumes/volumes.js';
import { kernelHostname } from './etc-files.js';
import { allContainers, type EndedRun, type Obstacle } from './facts.js';
import { managedMounts } from './files.js';
import type { PodNode } from './node-contract.js';
import { attemptCgroup, attemptDirectory, failedStartFile, logPath, type PodPaths, terminationFile } from './paths.js';
import { crashBackoff } from './restart.js';
import { type Sandbox, sandboxCgroup } from './sandbox.js';
import type { LiveContainer } from './state.js';
import { signalNumber } from './stop-signal.js';

export interface StartOrder {
  readonly pod: Pod;
  readonly paths: PodPaths;
  readonly name: string;
  readonly attempt: number;
  readonly sandbox: Sandbox;
  /** The first process of a container of this pod, by name: whose process namespace an ephemeral one may share. */
  readonly processOf: (container: string) => ProcessIdentity | undefined;
  readonly volumes: ReadonlyMap<string, PreparedVolume>;
  readonly podIPs: readonly string[];
  /** What stood in the way last time. */
  readonly obstacle: Obstacle | undefined;
}

export type StartOutcome =
  | { readonly result: 'started'; readonly live: LiveContainer; readonly imageID: string }
  /** It was made, but its entrypoint could not be started: that counts as a run. */
  | { readonly result: 'ended'; readonly ended: EndedRun; readonly imageID: string }
  | { readonly result: 'obstacle'; readonly obstacle: Obstacle };

/** Thrown inside for anything that keeps the container waiting, with the reason that kubectl shows. */
class Waiting extends Error {
  constructor(
    readonly reason: string,
    message: string,
  ) {
    super(message);
  }
}

export async function startContainer(node: PodNode, order: StartOrder): Promise<StartOutcome> {
  const { pod, name } = order;
  const container = allContainers(pod).find(c => c.name === name) as Container;
  try {
    const image = await findImage(node, order, container);
    return await run(node, order, container, image);
  } catch (error) {
    const waiting = waitingFor(error);
    if (!waiting)
      node.log.error(
        { pod: order.paths.uid, container: name, error: describe(error) },
        'container could not be started',
      );
    return {
      result: 'obstacle',
      obstacle: stumble(node, order, waiting ?? new Waiting('CreateContainerError', describe(error))),
    };
  }
}

/** Of a profile of the node's own, if the container asks for one. */
async function seccompProgram(node: PodNode, pod: Pod, container: Container): Promise<Buffer | undefined> {
  const name = localhostProfile(pod, container);
  return name === undefined ? undefined : loadProfile(join(node.directories.dataDir, 'seccomp'), name);
}

const imageNameMessage = ({ message }: InvalidImageName): string =>
  message.replace(/^couldn't parse image name ("[^"]*")/, 'Failed to apply default image tag $1: $&');

function waitingFor(error: unknown): Waiting | undefined {
  if (error instanceof Waiting) return error;
  if (error instanceof ContainerConfigError) return new Waiting('CreateContainerConfigError', error.message);
  if (error instanceof VolumeError) return new Waiting('CreateContainerConfigError', error.message);
  if (error instanceof InvalidImageName) return new Waiting('InvalidImageName', imageNameMessage(error));
  if (error instanceof DeviceGoneError) return new Waiting('CreateContainerError', error.message);
  if (error instanceof CreateError) return new Waiting('CreateContainerError', error.message);
  if (error instanceof KernelError) return new Waiting('CreateContainerError', error.message);
  return undefined;
}

/** What of an image stands in the way is told by itself, and the container's failure by its reason. Pure. */
function failureEvents({ reason, message }: Waiting, image: string): [reason: string, message: string][] {
  const failed: [string, string] = ['Failed', `Error: ${reason}`];
  if (reason === 'ErrImagePull') return [['Failed', `Failed to pull image "${image}": ${message}`], failed];
  if (reason === 'ErrImageNeverPull') return [['ErrImageNeverPull', message], failed];
  if (reason === 'InvalidImageName') return [['InspectFailed', message], failed];
  return [['Failed', `Error: ${message}`]];
}

/** The event, and when to try again: 10 s doubling to 5 min. An image's second failure shows as ImagePullBackOff. */
function stumble(node: PodNode, { pod, name, obstacle: before }: StartOrder, waiting: Waiting): Obstacle {
  const failures = (before?.failures ?? 0) + 1;
  const image = allContainers(pod).find(c => c.name === name)?.image ?? '';
  const retryAt = node.now() + backoffDelay(crashBackoff, failures);
  for (const [reason, message] of failureEvents(waiting, image)) node.event(pod, 'Warning', reason, message, name);
  if (waiting.reason === 'ErrImagePull' && failures > 1) {
    node.event(pod, 'Normal', 'BackOff', `Back-off pulling image "${image}"`, name);
    node.event(pod, 'Warning', 'Failed', 'Error: ImagePullBackOff', name);
    return {
      reason: 'ImagePullBackOff',
      message: `Back-off pulling image "${image}": ErrImagePull: ${waiting.message}`,
      failures,
      retryAt,
    };
  }
  return { reason: waiting.reason, message: waiting.message, failures, retryAt };
}

async function findImage(node: PodNode, { pod, name }: StartOrder, container: Container): Promise<Image> {
  const reference = container.image ?? '';
  const image = await node.images.find(reference);
  if (image) {
    node.event(pod, 'Normal', 'Pulled', `Container image "${reference}" already present on machine`, name);
    return image;
  }
  if (container.imagePullPolicy === 'Never') {
    throw new Waiting('ErrImageNeverPull', `Container image "${reference}" is not present with pull policy of Never`);
  }
  throw new Waiting(
    'ErrImagePull',
    `image "${reference}" is not on this node, and this version does not pull from registries; bring it with: keelson image import FILE --name ${reference}`,
  );
}

async function run(node: PodNode, order: StartOrder, container: Container, image: Image): Promise<StartOutcome> {
  const { pod, paths, name, attempt, sandbox, volumes } = order;
  const directory = attemptDirectory(paths, name, attempt);
  const cgroup = attemptCgroup(paths, name, attempt);
  const message = terminationFile(directory);
  const log = logPath(paths, name, attempt);
  const { configMaps, secrets } = objectsOf(node, pod);
  const given = node.resources.injection(pod, name);
  const own = resolveEnv({
    pod,
    container,
    configMaps,
    secrets,
    services: serviceEnv({
      services: node.services(),
      namespace: pod.metadata.namespace ?? 'default',
      links: pod.spec.enableServiceLinks ?? true,
    }),
    hostIPs: node.hostIPs,
    podIPs: order.podIPs,
    allocatable: node.allocatable,
  });
  // what the pod says itself wins over what comes with a device
  const env = new Map([...Object.entries(given.env), ...own]);
  // held until the shim has made the mounts
  await using opened = await openMounts(container, volumes, env);
  const target = targetOf(order, container);
  const spec = containerSpec({
    pod,
    container,
    image,
    env,
    mounts: [
      ...managedMounts(pod, container, paths),
      {
        source: message,
        target: container.terminationMessagePath ?? '/dev/termination-log',
        readOnly: false,
        propagation: 'private',
      },
      ...opened.mounts,
      ...given.mounts,
    ],
    idBase: sandbox.idBase,
    hostname: pod.spec.hostNetwork ? hostname() : kernelHostname(pod),
    seccompProgram: await seccompProgram(node, pod, container),
    oomScoreAdj: oomScoreAdj(pod.status?.qosClass ?? 'BestEffort', container, node.memoryBytes),
  });
  await Promise.all([
    writeFiles([
      { op: 'directory', path: dirname(directory), mode: 0o700 },
      // whoever the container runs as may write its last words
      { op: 'write', path: message, data: '', mode: 0o666 },
      { op: 'directory', path: dirname(log), mode: 0o755 },
    ]),
    cgroupApply({
      root: node.cgroupMount,
      path: cgroup,
      controllers: [...node.controllers],
      files: [...containerFiles(container, node.controllers), ...node.resources.containerFiles(pod, container)],
    }).then(() => (spec.privileged ? undefined : restrictDevices(cgroup, given.rules, node.log))),
  ]);
  node.event(pod, 'Normal', 'Created', `Created container: ${name}`, name);
  await failpoint('container.beforeStart');
  try {
    const handle = await node.runtime.start({
      directory,
      spec,
      cgroup,
      shimCgroup: sandboxCgroup(paths, sandbox.attempt),
      // every container of a pod is in pause's namespaces: the target's differ in that of its processes only
      sandbox: target ?? { pid: sandbox.pause.pid, startTime: sandbox.pause.startTime },
      logPath: log,
      runDirectory: node.directories.runDir,
    });
    node.event(pod, 'Normal', 'Started', `Started container ${name}`, name);
    const stopSignal = signalNumber(container.lifecycle?.stopSignal ?? image.config.stopSignal);
    return { result: 'started', live: { handle, attempt, stopSignal }, imageID: image.id };
  } catch (error) {
    await cgroupRemove(cgroup).catch(() => {});
    if (!(error instanceof StartError)) throw error;
    node.event(pod, 'Warning', 'Failed', `Error: ${error.message}`, name);
    const ended = failedStart(attempt, error.message, new Date(node.now()).toISOString());
    await writeFileAtomic(failedStartFile(directory), JSON.stringify(ended));
    return { result: 'ended', imageID: image.id, ended };
  }
}

/** @throws Waiting if the container that is to be looked into does not run */
function targetOf({ processOf }: StartOrder, container: EphemeralContainer): ProcessIdentity | undefined {
  const { targetContainerName: name } = container;
  if (!name) return undefined;
  const found = processOf(name);
  if (!found) throw new Waiting('CreateContainerError', `unable to find target container ${JSON.stringify(name)}`);
  return found;
}

const failedStart = (attempt: number, message: string, at: string): EndedRun => ({
  attempt,
  id: '',
  exitCode: 128,
  reason: 'StartError',
  message,
  startedAt: at,
  finishedAt: at,
});

/** The ConfigMaps and Secrets that the pod names, as far as this node has been given them. */
function objectsOf(node: PodNode, pod: Pod): { configMaps: Map<string, ConfigMap>; secrets: Map<string, Secret> } {
  const configMaps = new Map<string, ConfigMap>();
  const secrets = new Map<string, Secret>();
  for (const reference of referencesOf(pod)) {
    const [kind, namespace = '', name = ''] = reference.split('/');
    if (kind === 'ConfigMap') set(configMaps, name, node.sources.configMap(namespace, name));
    else set(secrets, name, node.sources.secret(namespace, name));
  }
  return { configMaps, secrets };
}

function set<V>(map: Map<string, V>, key: string, value: V | undefined): void {
  if (value !== undefined) map.set(key, value);
}
