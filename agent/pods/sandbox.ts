/**
 * Builds and takes away what a pod's containers live in: cgroup, pause with its namespaces, network. The record is
 * written before anything is made; every release may be repeated and goes on to the end (style habit 6).
 */
import { release } from 'node:os';
import { join } from 'node:path';
import type { BridgeNetwork, CniResult } from '../../cni/contract.js';
import {
  cgroupApply,
  cgroupKill,
  cgroupRemove,
  createSandbox,
  openProcess,
  type Process,
  writeFiles,
} from '../../native/index.js';
import { failpoint } from '../../src/base/failpoint.js';
import type { Pod } from '../../src/kube/pod.js';
import type { NodeResources } from '../admission/node-resources.js';
import { pauseOomScoreAdj, podFiles } from '../cgroups/resources.js';
import { networkNeeds } from '../network/pod-network.js';
import type { PolicyEnforcer } from '../policy/enforcer.js';
import { type DnsSettings, kernelHostname } from './etc-files.js';
import { podEtcFiles } from './files.js';
import { idBaseOf, idMapProblem } from './id-ranges.js';
import type { PodPaths } from './paths.js';
import { type NodePaths, podsDirectory, sandboxId } from './paths.js';
import { readRecord, type SandboxRecord, sandboxRecordFile } from './records.js';

export interface SandboxNode {
  readonly resources: Pick<NodeResources, 'podFiles'>;
  readonly directories: NodePaths;
  readonly bootID: string;
  readonly cgroupMount: string;
  readonly controllers: ReadonlySet<string>;
  readonly network: BridgeNetwork;
  readonly policies: Pick<PolicyEnforcer, 'admit' | 'update' | 'release'>;
  /** Of the node, the primary one first. */
  readonly hostIPs: readonly string[];
  readonly dns: DnsSettings;
}

/** A standing sandbox. */
export interface Sandbox {
  readonly attempt: number;
  readonly pause: Process;
  /** Of the pod's own network, the primary one first. */
  readonly ips: readonly string[];
  /** Of the pod's user namespace, if it has one. */
  readonly idBase?: number;
}

export const nameOf = (pod: Pod): string => `pod ${pod.metadata.namespace}/${pod.metadata.name}`;

/** What is to be on disk before anything of a pod's n-th sandbox is made. */
export const plannedSandbox = (node: SandboxNode, paths: PodPaths, attempt: number): SandboxRecord => ({
  attempt,
  id: sandboxId(paths.uid, attempt),
  bootID: node.bootID,
});

/** @param record is on disk */
export async function makeSandbox(
  node: SandboxNode,
  pod: Pod,
  paths: PodPaths,
  record: SandboxRecord,
): Promise<Sandbox> {
  await failpoint('sandbox.afterRecord');
  try {
    return await build(node, pod, paths, record);
  } catch (error) {
    await releaseSandbox(node, paths, record, undefined).catch(() => {});
    throw error;
  }
}

async function build(node: SandboxNode, pod: Pod, paths: PodPaths, record: SandboxRecord): Promise<Sandbox> {
  const object = nameOf(pod);
  await cgroupApply({
    root: node.cgroupMount,
    path: paths.cgroup,
    controllers: [...node.controllers],
    files: [...podFiles(pod, node.controllers), ...node.resources.podFiles(pod), ...forChildren(node.controllers)],
  });
  await failpoint('sandbox.afterCgroup');
  const { hostNetwork = false, hostIPC = false, shareProcessNamespace = false } = pod.spec;
  const idBase = pod.spec.hostUsers === false ? await userNamespace(node, paths) : undefined;
  const pause = await createSandbox({
    object,
    ...(idBase !== undefined && { idBase }),
    // a new leaf for every attempt: a killed cgroup must not be cloned into again
    cgroup: sandboxCgroup(paths, record.attempt),
    namespaces: { net: !hostNetwork, ipc: !hostIPC, uts: !hostNetwork, pid: shareProcessNamespace },
    ...(!hostNetwork && { hostname: kernelHostname(pod) }),
    sysctls: pod.spec.securityContext?.sysctls ?? [],
    oomScoreAdj: pauseOomScoreAdj,
  });
  await failpoint('sandbox.afterNetns');
  try {
    const network = hostNetwork ? undefined : await attach(node, pod, record.id, pause);
    await failpoint('sandbox.afterNetwork');
    const identity = { pid: pause.pid, startTime: pause.startTime };
    const ips = addressesOf(network);
    await node.policies.admit(pod, ips);
    await writeFiles([
      ...podEtcFiles(pod, paths, node.dns, hostNetwork ? node.hostIPs : ips),
      sandboxRecordFile(paths, {
        ...record,
        pause: identity,
        ...(network && { network }),
        ...(idBase !== undefined && { idBase }),
      }),
    ]);
    await failpoint('sandbox.afterReady');
    return { attempt: record.attempt, pause, ips, ...(idBase !== undefined && { idBase }) };
  } catch (error) {
    pause.signal(9);
    throw error;
  }
}

/** Throws an Error for a kernel that cannot. */
async function userNamespace({ directories }: SandboxNode, paths: PodPaths): Promise<number> {
  const problem = idMapProblem(release());
  if (problem) throw new Error(problem);
  return idBaseOf(podsDirectory(directories), paths.directory);
}

/**
 * Controllers are handed on to the containers' groups while the pod's group is still empty: once a process lives below it,
 * the same write waits for an RCU grace period (12 ms, up to 20, of the 50 that a pod took).
 */
const forChildren = (controllers: ReadonlySet<string>): [string, string][] =>
  controllers.size === 0 ? [] : [['cgroup.subtree_control', [...controllers].map(name => `+${name}`).join(' ')]];

async function attach(node: SandboxNode, pod: Pod, containerID: string, pause: Process): Promise<CniResult> {
  const netns = `/proc/${pause.pid}/ns/net`;
  return node.network.add({ containerID, netns, ifName: 'eth0', object: nameOf(pod), ...networkNeeds(pod) });
}

export const sandboxCgroup = (paths: PodPaths, attempt: number): string => join(paths.cgroup, `sandbox.${attempt}`);

/** Without their prefix lengths. */
export function addressesOf(network: CniResult | undefined): string[] {
  return (network?.ips ?? []).map(({ address }) => address.split('/')[0] ?? '');
}

/** What a former agent left: a sandbox that still stands, or undefined (its record stays, for the release). */
export async function adoptSandbox(
  node: SandboxNode,
  paths: PodPaths,
): Promise<{ record: SandboxRecord | undefined; sandbox: Sandbox | undefined }> {
  const record = await readRecord<SandboxRecord>(paths.sandboxRecord);
  if (!record?.pause || record.bootID !== node.bootID) return { record, sandbox: undefined };
  const pause = openProcess(record.pause);
  if (!pause) return { record, sandbox: undefined };
  const { idBase } = record;
  const sandbox = {
    attempt: record.attempt,
    pause,
    ips: addressesOf(record.network),
    ...(idBase !== undefined && { idBase }),
  };
  return { record, sandbox };
}

/** Kills pause, gives the address back, removes the pod's cgroup. Containers must have ended. Repeatable. */
export async function releaseSandbox(
  node: Pick<SandboxNode, 'network' | 'policies'>,
  paths: PodPaths,
  record: Pick<SandboxRecord, 'attempt' | 'id'> | undefined,
  pause: Process | undefined,
): Promise<void> {
  const errors: unknown[] = [];
  const attempt = async (step: () => Promise<void>) => step().catch(error => void errors.push(error));
  // never wait for the veth: it goes with the namespace, when the last process in it has ended (design §4)
  await attempt(() => cgroupKill(paths.cgroup));
  await failpoint('sandbox.afterKill');
  if (pause) await attempt(() => pause.wait().then(() => pause.close()));
  if (record) await attempt(() => node.network.del({ containerID: record.id, ifName: 'eth0', object: paths.uid }));
  node.policies.release(paths.uid);
  await failpoint('sandbox.beforeCgroupRemove');
  await attempt(() => cgroupRemove(paths.cgroup));
  if (errors.length > 0)
    throw new AggregateError(errors, `release of sandbox ${paths.uid}: ${errors.map(String).join('; ')}`);
}
