/** ConfigMaps and Secrets as files: which key goes to which path. */
import type { ConfigMap, Secret } from '../../src/kube/node.js';
import type { KeyToPath } from '../../src/kube/pod.js';
import { type VolumeContext, VolumeError, type VolumeKind } from './contract.js';
import { type FileContent, fsGroupOf, pathInVolume, writeFiles } from './files.js';

interface Projection {
  readonly items?: KeyToPath[];
  readonly defaultMode?: number;
  readonly optional?: boolean;
}

export const configMapVolume: VolumeKind = {
  serves: volume => volume.configMap !== undefined,
  prepare: async ({ name, configMap = { name: '' } }, context) =>
    write(context, configMapFiles(name, configMap, context)),
};

export const secretVolume: VolumeKind = {
  serves: volume => volume.secret !== undefined,
  prepare: async ({ name, secret = { secretName: '' } }, context) =>
    write(context, secretFiles(name, { ...secret, name: secret.secretName }, context)),
};

async function write(context: VolumeContext, files: readonly FileContent[]) {
  await writeFiles(context.directory, files, fsGroupOf(context.pod));
  return { source: context.directory, readOnly: true };
}

type Named = Projection & { readonly name: string };
type Objects = Pick<VolumeContext, 'configMap' | 'secret'>;

/** Throws VolumeError for an object or key that is missing and not optional. */
export function configMapFiles(volume: string, source: Named, { configMap }: Objects): FileContent[] {
  const object = configMap(source.name);
  return filesOf(volume, source, object && textsOf(object), {
    object: `configmap "${source.name}" not found`,
    key: 'configmap references non-existent config key',
  });
}

/** Throws VolumeError for an object or key that is missing and not optional. */
export function secretFiles(volume: string, source: Named, { secret }: Objects): FileContent[] {
  const object = secret(source.name);
  return filesOf(volume, source, object && bytesOf(object), {
    object: `secret "${source.name}" not found`,
    key: 'references non-existent secret key',
  });
}

const decoded = (data: Readonly<Record<string, string>> = {}, encoding: 'utf8' | 'base64'): [string, Buffer][] =>
  Object.entries(data).map(([key, value]) => [key, Buffer.from(value, encoding)]);

const textsOf = ({ data, binaryData }: ConfigMap): Map<string, Buffer> =>
  new Map([...decoded(data, 'utf8'), ...decoded(binaryData, 'base64')]);
const bytesOf = ({ data }: Secret): Map<string, Buffer> => new Map(decoded(data, 'base64'));

/** kubelet's words for what is not there. */
interface Missing {
  readonly object: string;
  readonly key: string;
}

function filesOf(
  volume: string,
  source: Projection,
  data: ReadonlyMap<string, Buffer> | undefined,
  missing: Missing,
): FileContent[] {
  if (!data && !source.optional)
    throw new VolumeError(`MountVolume.SetUp failed for volume "${volume}" : ${missing.object}`);
  return selectFiles(volume, data ?? new Map(), source, missing.key);
}

/** Which key goes to which path. Pure; throws VolumeError for a missing key or a path that leaves the volume. */
export function selectFiles(
  volume: string,
  data: ReadonlyMap<string, Buffer>,
  { items, defaultMode = 0o644, optional }: Projection,
  missingKey = 'configmap references non-existent config key',
): FileContent[] {
  const wanted: readonly KeyToPath[] = items ?? [...data.keys()].map(key => ({ key, path: key }));
  return wanted.flatMap(({ key, path, mode }) => {
    const content = data.get(key);
    if (!content && optional) return [];
    if (!content) throw new VolumeError(`MountVolume.SetUp failed for volume "${volume}" : ${missingKey}: ${key}`);
    return [{ path: pathInVolume(volume, path), data: content, mode: mode ?? defaultMode }];
  });
}
