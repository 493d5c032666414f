/** emptyDir in memory: which file system, of what size (kubelet's calculateEmptyDirMemorySize and hugepages). Pure. */
import type { Pod, Volume } from '../../src/kube/pod.js';
import { numberValue } from '../../src/kube/quantity.js';
import { VolumeError } from './contract.js';

export interface MemoryMount {
  readonly type: 'tmpfs' | 'hugetlbfs';
  readonly options: string;
}

/** How the directory is mounted; undefined: it lies on the node's disk. Throws VolumeError for a medium that is none. */
export function memoryMount(
  volume: Volume,
  pod: Pod,
  allocatable: Readonly<Record<string, string>>,
): MemoryMount | undefined {
  const medium = volume.emptyDir?.medium ?? '';
  if (medium === '') return undefined;
  if (medium === 'Memory')
    return { type: 'tmpfs', options: `mode=0777,size=${memorySize(volume, pod, allocatable['memory'])}` };
  if (medium === 'HugePages' || medium.startsWith('HugePages-'))
    return { type: 'hugetlbfs', options: `mode=0777,pagesize=${pageSize(volume.name, medium, pod)}` };
  throw new VolumeError(`unknown storage medium "${medium}" of emptyDir volume "${volume.name}"`);
}

/** Bytes: the least of what the node has, what the pod may use, and sizeLimit. Memory of a pod is never more than these. */
function memorySize(volume: Volume, pod: Pod, allocatable: string | undefined): number {
  const limits = [allocatable, podMemoryLimit(pod), volume.emptyDir?.sizeLimit]
    .map(text => (text === undefined ? 0 : numberValue(text)))
    .filter(bytes => bytes > 0);
  return Math.floor(Math.min(...limits, Number.MAX_SAFE_INTEGER));
}

/** The sum, if every container has one. */
function podMemoryLimit({ spec }: Pod): number | undefined {
  const limits = spec.containers.map(({ resources }) => resources?.limits?.['memory']);
  if (limits.some(limit => limit === undefined)) return undefined;
  return limits.reduce((sum, limit) => sum + numberValue(limit ?? 0), 0);
}

/** Bytes. `HugePages` alone means the one size that the pod's containers ask for. */
function pageSize(volume: string, medium: string, { spec }: Pod): number {
  const [, named] = medium.split('HugePages-');
  const asked = new Set(
    [...spec.containers, ...(spec.initContainers ?? [])].flatMap(({ resources }) =>
      Object.keys(resources?.requests ?? resources?.limits ?? {}).flatMap(
        name => /^hugepages-(.+)$/.exec(name)?.[1] ?? [],
      ),
    ),
  );
  if (named !== undefined) return numberValue(named);
  const [only] = asked;
  if (asked.size === 1 && only) return numberValue(only);
  throw new VolumeError(
    `emptyDir volume "${volume}": medium HugePages needs exactly one page size in the pod's requests, found ${asked.size}: name it as HugePages-2Mi`,
  );
}
