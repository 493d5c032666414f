/** What of the kernel belongs to the node as a whole: its top cgroup, and how CPUs and memory are shared out below it. */
import { join } from 'node:path';
import { cgroupApply, netlink } from '../native/index.js';
import { describe } from '../src/base/errors.js';
import type { Logger } from '../src/base/log.js';
import type { RunningContainer } from './admission/node-resources.js';
import type { NodeSupply } from './admission/supply.js';
import { unlessGone, writeGroup } from './cgroups/write.js';
import type { CgroupTree } from './machine.js';
import type { AgentOptions } from './options.js';
import type { PodManager } from './pods/manager.js';
import { attemptCgroup, cgroupRoot, type NodePaths } from './pods/paths.js';
import type { PodWorker } from './pods/worker.js';

/** Loopback, our top cgroup with its controllers. */
export async function prepareKernel(options: AgentOptions, tree: CgroupTree, directories: NodePaths): Promise<void> {
  if (options.isolated) await netlink(null, [{ op: 'link.set', name: 'lo', up: true }]);
  await cgroupApply({ root: tree.mount, path: cgroupRoot(directories), controllers: [...tree.controllers], files: [] });
  if (options.resources.memoryQos)
    for (const qos of ['guaranteed', 'burstable'])
      await cgroupApply({
        root: tree.mount,
        path: join(cgroupRoot(directories), qos),
        controllers: [...tree.controllers],
        files: [],
      });
}

/** After a pod has come or gone: who may run where, and how much is kept for whom. Never throws: it comes again. */
export async function shareOut(
  supply: NodeSupply,
  manager: PodManager,
  directories: NodePaths,
  log: Logger,
): Promise<void> {
  try {
    await supply.resources.spreadCpus(runningContainers(manager.workers()));
    // made at the start; at the very end it is gone
    for (const [qos, files] of supply.resources.groupFiles(manager.activePods()))
      await writeGroup(join(cgroupRoot(directories), qos), files).catch(unlessGone);
  } catch (error) {
    log.warn({ error: describe(error) }, 'CPUs and memory could not be shared out anew');
  }
}

function* runningContainers(workers: Iterable<PodWorker>): Iterable<RunningContainer> {
  for (const { pod, paths, facts } of workers)
    for (const [container, { live }] of Object.entries(facts.containers))
      if (live) yield { pod, container, cgroup: attemptCgroup(paths, container, live.attempt) };
}
