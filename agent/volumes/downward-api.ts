/** The pod's own fields as files (core/v1 DownwardAPIVolumeSource). */
import type { DownwardFile, Pod } from '../../src/kube/pod.js';
import { formatResource, resourceNanos } from '../containers/resource-field.js';
import { type VolumeContext, VolumeError, type VolumeKind } from './contract.js';
import { type FileContent, fsGroupOf, pathInVolume, writeFiles } from './files.js';

export const downwardApiVolume: VolumeKind = {
  serves: volume => volume.downwardAPI !== undefined,
  prepare: async ({ name, downwardAPI: { items = [], defaultMode } = {} }, context) => {
    await writeFiles(context.directory, downwardFiles(name, items, defaultMode, context), fsGroupOf(context.pod));
    return { source: context.directory, readOnly: true };
  },
};

/** Throws VolumeError for a field that a volume cannot show. */
export function downwardFiles(
  volume: string,
  items: readonly DownwardFile[],
  defaultMode = 0o644,
  { pod, allocatable }: Pick<VolumeContext, 'pod' | 'allocatable'>,
): FileContent[] {
  return items.map(item => ({
    path: pathInVolume(volume, item.path),
    data: Buffer.from(
      item.resourceFieldRef ? resourceText(volume, item, pod, allocatable) : fieldText(volume, item, pod),
    ),
    mode: item.mode ?? defaultMode,
  }));
}

function fieldText(volume: string, { fieldRef }: DownwardFile, { metadata }: Pod): string {
  const path = fieldRef?.fieldPath ?? '';
  const keyed = /^metadata\.(labels|annotations)\['(.*)'\]$/.exec(path);
  if (keyed) {
    const map = metadata[keyed[1] as 'labels' | 'annotations'] ?? {};
    return Object.hasOwn(map, keyed[2]!) ? (map[keyed[2]!] ?? '') : '';
  }
  switch (path) {
    case 'metadata.name':
      return metadata.name;
    case 'metadata.namespace':
      return metadata.namespace ?? 'default';
    case 'metadata.uid':
      return metadata.uid ?? '';
    case 'metadata.labels':
      return mapText(metadata.labels);
    case 'metadata.annotations':
      return mapText(metadata.annotations);
    default:
      throw new VolumeError(`volume "${volume}": unsupported fieldPath "${path}" in a volume`);
  }
}

/** `key="value"` lines, sorted (kubelet's fieldpath.FormatMap). */
function mapText(map: Readonly<Record<string, string>> = {}): string {
  return Object.entries(map)
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .sort()
    .join('\n');
}

function resourceText(
  volume: string,
  { resourceFieldRef: ref }: DownwardFile,
  { spec }: Pod,
  allocatable: Readonly<Record<string, string>>,
): string {
  const container = [...spec.containers, ...(spec.initContainers ?? [])].find(c => c.name === ref?.containerName);
  if (!ref || !container)
    throw new VolumeError(`volume "${volume}": resourceFieldRef: container "${ref?.containerName ?? ''}" not found`);
  return formatResource(ref.resource, resourceNanos(container, ref.resource, allocatable), ref.divisor);
}
