/** All volumes of a pod → what to bind into a container. */
import { join } from 'node:path';
import type { ConfigMap, Secret } from '../../src/kube/node.js';
import type { Container, Pod } from '../../src/kube/pod.js';
import type { MountSpec } from '../containers/contract.js';
import { VolumeError, type VolumeKind } from './contract.js';
import { emptyDir } from './empty-dir.js';
import { hostPath } from './host-path.js';
import { configMapVolume, secretVolume } from './object-files.js';

const kinds: readonly VolumeKind[] = [emptyDir, hostPath, configMapVolume, secretVolume];

export interface PreparedVolume {
  readonly source: string;
  readonly readOnly: boolean;
}

export interface VolumeSources {
  readonly configMap: (namespace: string, name: string) => ConfigMap | undefined;
  readonly secret: (namespace: string, name: string) => Secret | undefined;
}

/** Makes every volume of the pod ready. Throws VolumeError naming the first that cannot be. */
export async function prepareVolumes(
  pod: Pod,
  directory: string,
  sources: VolumeSources,
): Promise<Map<string, PreparedVolume>> {
  const namespace = pod.metadata.namespace ?? 'default';
  const ready = new Map<string, PreparedVolume>();
  for (const volume of pod.spec.volumes ?? []) {
    const kind = kinds.find(k => k.serves(volume));
    if (!kind) {
      const source = Object.keys(volume).find(key => key !== 'name');
      throw new VolumeError(
        `volume "${volume.name}": source "${source}" is not supported by this node; supported: emptyDir, hostPath, configMap, secret`,
      );
    }
    const prepared = await kind.prepare(volume, {
      pod,
      directory: join(directory, volume.name),
      configMap: name => sources.configMap(namespace, name),
      secret: name => sources.secret(namespace, name),
    });
    ready.set(volume.name, prepared);
  }
  return ready;
}

/** The bind mounts of one container, in the order written. Pure. */
export function volumeMounts(container: Container, volumes: ReadonlyMap<string, PreparedVolume>): MountSpec[] {
  return (container.volumeMounts ?? []).map(mount => {
    const volume = volumes.get(mount.name);
    if (!volume)
      throw new VolumeError(
        `container ${container.name}: volumeMounts names volume "${mount.name}", which the pod does not have`,
      );
    if (mount.subPath || mount.subPathExpr)
      throw new VolumeError(
        `container ${container.name}: volumeMounts "${mount.name}": subPath is not supported by this node yet`,
      );
    return {
      source: volume.source,
      target: mount.mountPath,
      readOnly: volume.readOnly || mount.readOnly === true,
      propagation:
        mount.mountPropagation === 'Bidirectional'
          ? 'shared'
          : mount.mountPropagation === 'HostToContainer'
            ? 'slave'
            : 'private',
    };
  });
}
