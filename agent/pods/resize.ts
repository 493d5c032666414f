/** New CPU and memory for a container that runs (pods/resize): its cgroup and its pod's, in place, without a restart. */
import { cgroupApply } from '../../native/index.js';
import type { Container, Pod } from '../../src/kube/pod.js';
import { containerFiles, podFiles, unenforceable } from '../cgroups/resources.js';
import type { PodNode } from './node-contract.js';
import { attemptCgroup, type PodPaths } from './paths.js';

/** Why this kernel cannot give the pod what it now asks for, if so. Pure. */
export function resizeProblem(pod: Pod, controllers: ReadonlySet<string>): string | undefined {
  const limits = unenforceable(pod, controllers);
  return limits.length > 0 ? `this node cannot enforce: ${limits.join('; ')}` : undefined;
}

/** @throws KernelError, for example when memory.max cannot be written */
export async function resizeContainer(
  node: PodNode,
  pod: Pod,
  paths: PodPaths,
  container: Container,
  attempt: number,
): Promise<void> {
  const apply = (path: string, files: ReturnType<typeof podFiles>) =>
    cgroupApply({ root: node.cgroupMount, path, controllers: [], files });
  await apply(paths.cgroup, podFiles(pod, node.controllers));
  await apply(attemptCgroup(paths, container.name, attempt), containerFiles(container, node.controllers));
}
