/**
 * ConfigMap and Secret volumes: one timestamped directory, reached through the `..data` symlink that is switched by one
 * rename, so that a reader sees all old or all new (reliability rule A15).
 */
import { chmod, lstat, mkdir, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { failpoint } from '../../src/base/failpoint.js';
import type { KeyToPath, Volume } from '../../src/kube/pod.js';
import { type VolumeContext, VolumeError, type VolumeKind } from './contract.js';

export interface FileContent {
  readonly path: string;
  readonly data: Buffer;
  readonly mode: number;
}

export const configMapVolume: VolumeKind = {
  serves: volume => volume.configMap !== undefined,
  prepare: async (volume, context) => {
    const source = volume.configMap ?? { name: '' };
    const object = context.configMap(source.name);
    const data = new Map<string, Buffer>();
    for (const [key, value] of Object.entries(object?.data ?? {})) data.set(key, Buffer.from(value, 'utf8'));
    for (const [key, value] of Object.entries(object?.binaryData ?? {})) data.set(key, Buffer.from(value, 'base64'));
    return project(volume, context, source, object ? data : undefined, `configmap "${source.name}" not found`);
  },
};

export const secretVolume: VolumeKind = {
  serves: volume => volume.secret !== undefined,
  prepare: async (volume, context) => {
    const source = volume.secret ?? { secretName: '' };
    const object = context.secret(source.secretName);
    const data = new Map(Object.entries(object?.data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64')]));
    return project(volume, context, source, object ? data : undefined, `secret "${source.secretName}" not found`);
  },
};

interface Projection {
  readonly items?: KeyToPath[];
  readonly defaultMode?: number;
  readonly optional?: boolean;
}

async function project(
  volume: Volume,
  context: VolumeContext,
  source: Projection,
  data: Map<string, Buffer> | undefined,
  missing: string,
) {
  if (!data && !source.optional)
    throw new VolumeError(`MountVolume.SetUp failed for volume "${volume.name}" : ${missing}`);
  await writeFiles(context.directory, selectFiles(volume.name, data ?? new Map(), source));
  return { source: context.directory, readOnly: true };
}

/** Which key goes to which path. Pure; throws VolumeError for a missing key or a path that leaves the volume. */
export function selectFiles(
  volume: string,
  data: ReadonlyMap<string, Buffer>,
  { items, defaultMode = 0o644, optional }: Projection,
): FileContent[] {
  const wanted: readonly KeyToPath[] = items ?? [...data.keys()].map(key => ({ key, path: key }));
  return wanted.flatMap(({ key, path, mode }) => {
    const content = data.get(key);
    if (!content && optional) return [];
    if (!content)
      throw new VolumeError(
        `MountVolume.SetUp failed for volume "${volume}" : references non-existent config key: ${key}`,
      );
    const clean = normalize(path);
    if (clean.startsWith('/') || clean === '..' || clean.startsWith('../') || clean.startsWith('..')) {
      throw new VolumeError(`volume "${volume}": items path "${path}" must be relative and must not start with ".."`);
    }
    return [{ path: clean, data: content, mode: mode ?? defaultMode }];
  });
}

/** Switches the directory's content to exactly `files`. */
export async function writeFiles(directory: string, files: readonly FileContent[]): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o755 });
  const name = `..${new Date().toISOString().replace(/[-:T]/g, '_').replace('Z', '')}_${process.hrtime.bigint() % 1_000_000n}`;
  for (const file of files) {
    const target = join(directory, name, file.path);
    await mkdir(dirname(target), { recursive: true, mode: 0o755 });
    await writeFile(target, file.data);
    await chmod(target, file.mode);
  }
  await mkdir(join(directory, name), { recursive: true, mode: 0o755 });
  // left by a writer that died here
  await rm(join(directory, '..data_tmp'), { force: true });
  await symlink(name, join(directory, '..data_tmp'));
  await failpoint('volume.beforeRename');
  await rename(join(directory, '..data_tmp'), join(directory, '..data'));
  const tops = new Set(files.map(f => f.path.split('/')[0] ?? ''));
  for (const top of tops) {
    const link = join(directory, top);
    if (!(await lstat(link).catch(() => undefined))) await symlink(`..data/${top}`, link);
  }
  for (const old of (await readdir(directory)).filter(n => /^\.\.\d/.test(n) && n !== name))
    await rm(join(directory, old), { recursive: true, force: true });
}
