/** All volumes of a pod → what to bind into a container. */
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { ConfigMap, Secret } from '../../src/kube/node.js';
import type { Container, Pod, VolumeMount } from '../../src/kube/pod.js';
import type { MountSpec } from '../containers/contract.js';
import { expand } from '../containers/expand.js';
import { type TokenSource, type VolumeContext, VolumeError, type VolumeKind } from './contract.js';
import { downwardApiVolume } from './downward-api.js';
import { emptyDir } from './empty-dir.js';
import { isMade } from './files.js';
import { hostPath } from './host-path.js';
import { imageVolume } from './image.js';
import { configMapVolume, secretVolume } from './object-files.js';
import { projectedVolume } from './projected.js';
import { openSubPath, pathOf } from './sub-path.js';
import { hasTokenDue } from './tokens.js';

/** Files made by the node of what objects say. */
const fileKinds: readonly VolumeKind[] = [configMapVolume, secretVolume, downwardApiVolume, projectedVolume];
const kinds: readonly VolumeKind[] = [emptyDir, hostPath, imageVolume, ...fileKinds];

export interface PreparedVolume {
  readonly source: string;
  readonly readOnly: boolean;
}

export interface VolumeSources {
  readonly configMap: (namespace: string, name: string) => ConfigMap | undefined;
  readonly secret: (namespace: string, name: string) => Secret | undefined;
  /** Absent: this node has nobody to ask for tokens. */
  readonly token?: (pod: Pod, source: TokenSource) => Promise<string>;
  readonly image?: VolumeContext['image'];
  readonly allocatable?: Readonly<Record<string, string>>;
}

/** Makes every volume of the pod ready. Throws VolumeError naming the first that cannot be. */
export async function prepareVolumes(
  pod: Pod,
  directory: string,
  sources: VolumeSources,
): Promise<Map<string, PreparedVolume>> {
  const ready = new Map<string, PreparedVolume>();
  for (const volume of pod.spec.volumes ?? []) {
    const kind = kinds.find(k => k.serves(volume));
    if (!kind) {
      const source = Object.keys(volume).find(key => key !== 'name');
      throw new VolumeError(
        `volume "${volume.name}": source "${source}" is not supported by this node; supported: emptyDir, hostPath, configMap, secret, downwardAPI, projected, image`,
      );
    }
    ready.set(volume.name, await kind.prepare(volume, contextOf(pod, join(directory, volume.name), sources)));
  }
  return ready;
}

function contextOf(pod: Pod, directory: string, sources: VolumeSources): VolumeContext {
  const namespace = pod.metadata.namespace ?? 'default';
  return {
    pod,
    directory,
    configMap: name => sources.configMap(namespace, name),
    secret: name => sources.secret(namespace, name),
    token: async source => {
      if (!sources.token) throw new VolumeError('this node has no controller that it could ask for tokens');
      return sources.token(pod, source);
    },
    image: sources.image,
    allocatable: sources.allocatable ?? {},
  };
}

/**
 * Writes the volumes of a running pod anew that show objects, if they show something else now. Those that were never made
 * are left to `prepareVolumes`. Throws the first VolumeError after it has tried them all.
 */
export async function refreshVolumes(pod: Pod, directory: string, sources: VolumeSources): Promise<void> {
  const errors: unknown[] = [];
  for (const volume of pod.spec.volumes ?? []) {
    const place = join(directory, volume.name);
    const kind = fileKinds.find(k => k.serves(volume));
    if (!kind || !(await isMade(place))) continue;
    await kind.prepare(volume, contextOf(pod, place, sources)).catch((error: unknown) => void errors.push(error));
  }
  if (errors.length > 0) throw errors[0];
}

/** Writes the volumes anew whose tokens are near their end. Throws VolumeError; what was there stays then. */
export async function refreshTokens(pod: Pod, directory: string, sources: VolumeSources, now: number): Promise<void> {
  for (const volume of pod.spec.volumes ?? []) {
    const place = join(directory, volume.name);
    if (await hasTokenDue(volume, place, now)) await projectedVolume.prepare(volume, contextOf(pod, place, sources));
  }
}

/** The bind mounts of one container, held open until they are made. */
export interface OpenMounts extends AsyncDisposable {
  /** In the order written. */
  readonly mounts: readonly MountSpec[];
}

/** @param env for `subPathExpr`. Throws VolumeError naming the mount that cannot be. */
export async function openMounts(
  container: Container,
  volumes: ReadonlyMap<string, PreparedVolume>,
  env: ReadonlyMap<string, string>,
): Promise<OpenMounts> {
  const held: FileHandle[] = [];
  const release = async (): Promise<void> => void (await Promise.all(held.map(handle => handle.close())));
  try {
    const mounts: MountSpec[] = [];
    for (const mount of container.volumeMounts ?? [])
      mounts.push(await openMount(container, mount, volumes, env, held));
    return { mounts, [Symbol.asyncDispose]: release };
  } catch (error) {
    await release();
    throw error;
  }
}

async function openMount(
  container: Container,
  mount: VolumeMount,
  volumes: ReadonlyMap<string, PreparedVolume>,
  env: ReadonlyMap<string, string>,
  held: FileHandle[],
): Promise<MountSpec> {
  const volume = volumes.get(mount.name);
  if (!volume)
    throw new VolumeError(
      `container ${container.name}: volumeMounts names volume "${mount.name}", which the pod does not have`,
    );
  const subPath = subPathOf(container, mount, env);
  const opened = subPath ? await openSubPath(volume.source, subPath).catch(failedSubPath(container, mount)) : undefined;
  if (opened) held.push(opened);
  return {
    source: opened ? pathOf(opened) : volume.source,
    target: mount.mountPath,
    readOnly: volume.readOnly || mount.readOnly === true,
    ...(mount.recursiveReadOnly && mount.recursiveReadOnly !== 'Disabled' && { recursiveReadOnly: true }),
    propagation: propagations[mount.mountPropagation ?? 'None'],
  };
}

const propagations = { None: 'private', HostToContainer: 'slave', Bidirectional: 'shared' } as const;

const failedSubPath = (container: Container, mount: VolumeMount) => (error: unknown) => {
  const why = error instanceof Error ? error.message : String(error);
  throw new VolumeError(
    `failed to prepare subPath for volumeMount "${mount.name}" of container "${container.name}": ${why}`,
  );
};

/** Kubernetes' rules for both fields: relative, without `..`, every variable known. */
function subPathOf(
  container: Container,
  { name, subPath, subPathExpr }: VolumeMount,
  env: ReadonlyMap<string, string>,
): string {
  const text = subPathExpr ? expandAll(subPathExpr, env) : (subPath ?? '');
  if (text.startsWith('/') || text.split('/').includes('..'))
    throw new VolumeError(
      `container ${container.name}: volumeMounts "${name}": subPath "${text}" must be relative and must not contain ".."`,
    );
  return text;
}

function expandAll(text: string, env: ReadonlyMap<string, string>): string {
  return expand(text, variable => {
    const value = env.get(variable);
    if (value === undefined) throw new VolumeError(`subPathExpr "${text}": missing value for "${variable}"`);
    return value;
  });
}
