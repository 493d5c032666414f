/** Several sources in one directory (core/v1 ProjectedVolumeSource); later ones win where two name the same path. */
import type { ProjectedSource } from '../../src/kube/pod.js';
import { type VolumeContext, VolumeError, type VolumeKind } from './contract.js';
import { downwardFiles } from './downward-api.js';
import { type FileContent, fsGroupOf, writeFiles } from './files.js';
import { configMapFiles, secretFiles } from './object-files.js';
import { tokenFile } from './tokens.js';

export const projectedVolume: VolumeKind = {
  serves: volume => volume.projected !== undefined,
  prepare: async ({ name, projected: { sources = [], defaultMode = 0o644 } = {} }, context) => {
    const parts = await Promise.all(sources.map(source => sourceFiles(name, source, defaultMode, context)));
    const files = parts.flat();
    const byPath = new Map(files.map(file => [file.path, file]));
    await writeFiles(context.directory, [...byPath.values()], fsGroupOf(context.pod));
    return { source: context.directory, readOnly: true };
  },
};

async function sourceFiles(
  volume: string,
  { configMap, secret, downwardAPI, serviceAccountToken }: ProjectedSource,
  defaultMode: number,
  context: VolumeContext,
): Promise<FileContent[]> {
  if (configMap) return configMapFiles(volume, { ...configMap, defaultMode }, context);
  if (secret) return secretFiles(volume, { ...secret, defaultMode }, context);
  if (downwardAPI) return downwardFiles(volume, downwardAPI.items ?? [], defaultMode, context);
  if (serviceAccountToken) return [await tokenFile(volume, serviceAccountToken, defaultMode, context)];
  throw new VolumeError(
    `volume "${volume}": source of that kind of a projected volume is not supported by this node; supported: configMap, secret, downwardAPI, serviceAccountToken`,
  );
}
