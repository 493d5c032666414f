/** New CPU and memory for a container that runs: its cgroup and its pod's, in place (KEP-1287). */
import { type CgroupFiles, cgroupStats } from '../../native/index.js';
import type { Container, Pod, ResourceRequirements } from '../../src/kube/pod.js';
import { compareQuantities } from '../../src/kube/quantity.js';
import { containerFiles, podFiles, unenforceable } from '../cgroups/resources.js';
import { writeGroup } from '../cgroups/write.js';
import type { PodNode } from './node-contract.js';
import { attemptCgroup, type PodPaths } from './paths.js';

/** Why this kernel cannot give the pod what it now asks for, if so. Pure. */
export function resizeProblem(pod: Pod, controllers: ReadonlySet<string>): string | undefined {
  const limits = unenforceable(pod, controllers);
  return limits.length > 0 ? `this node cannot enforce: ${limits.join('; ')}` : undefined;
}

/** Whether the container is to be started anew for what has changed (its resizePolicy). Pure. */
export function needsRestart(container: Container, given: ResourceRequirements): boolean {
  const policies =
    (container as { resizePolicy?: { resourceName: string; restartPolicy: string }[] }).resizePolicy ?? [];
  return policies
    .filter(({ restartPolicy }) => restartPolicy === 'RestartContainer')
    .some(({ resourceName: name }) =>
      (['requests', 'limits'] as const).some(list => given[list]?.[name] !== container.resources?.[list]?.[name]),
    );
}

/** Of a resize that cannot be done now: tried again later. */
export class ResizeError extends Error {
  override name = 'ResizeError';
}

export interface ResizeOrder {
  readonly pod: Pod;
  readonly paths: PodPaths;
  readonly container: Container;
  readonly attempt: number;
  /** What it has until now. */
  readonly given: ResourceRequirements;
}

/** @throws ResizeError if it uses more memory than it would get; an error with the file if that cannot be written */
export async function resizeContainer(node: PodNode, order: ResizeOrder): Promise<void> {
  const { pod, paths, container, attempt, given } = order;
  const group = attemptCgroup(paths, container.name, attempt);
  const forPod = [...podFiles(pod, node.controllers), ...node.resources.podFiles(pod)];
  const forContainer = [
    ...containerFiles(container, node.controllers),
    ...node.resources.containerFiles(pod, container),
  ];
  const shrinks = isLess(container.resources?.limits?.['memory'], given.limits?.['memory']);
  if (shrinks) await checkUsage(container.name, group, forContainer, paths.cgroup, forPod);
  // what is above must never be smaller than what is below it
  const steps: [string, CgroupFiles][] = [
    [paths.cgroup, forPod],
    [group, forContainer],
  ];
  for (const [path, files] of shrinks ? steps.reverse() : steps) await writeGroup(path, files);
}

const isLess = (now: string | undefined, before: string | undefined): boolean =>
  now !== undefined && (before === undefined || compareQuantities(now, before) < 0);

/** A limit below what is used would kill at once: kubelet refuses, and tries again when less is used. */
async function checkUsage(
  name: string,
  group: string,
  files: CgroupFiles,
  podGroup: string,
  forPod: CgroupFiles,
): Promise<void> {
  const [own, pod] = await cgroupStats([group, podGroup]);
  const problems = [
    tooSmall('pod', forPod, pod?.memoryWorkingSetBytes),
    tooSmall(`container ${JSON.stringify(name)}`, files, own?.memoryWorkingSetBytes),
  ].flatMap(problem => problem ?? []);
  if (problems.length === 0) return;
  const text = problems.length === 1 ? problems[0] : `[${problems.join(', ')}]`;
  throw new ResizeError(`cannot decrease memory limits: ${text}`);
}

/** Kubelet's words, in bytes. */
function tooSmall(what: string, files: CgroupFiles, usedBytes = -1): string | undefined {
  const limit = Number(files.find(([file]) => file === 'memory.max')?.[1] ?? Number.POSITIVE_INFINITY);
  if (usedBytes <= limit) return undefined;
  return `attempting to set ${what} memory limit (${limit}) below current usage (${usedBytes})`;
}
