/**
 * After a start of the agent: what is on disk and in the kernel becomes workers again (reliability rule A2). Kernel facts
 * win over files; one broken pod harms only itself; what belongs to no pod is removed.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { cgroupKill, cgroupRemove, openProcess } from '../../native/index.js';
import { codeOf, describe } from '../../src/base/errors.js';
import type { Pod } from '../../src/kube/pod.js';
import { qosClass } from '../../src/kube/qos.js';
import type { ContainerHandle, ExitRecord } from '../containers/contract.js';
import { endedRun } from './ended.js';
import { allContainers, type ContainerFacts, noContainerFacts, type PodFacts } from './facts.js';
import type { PodNode } from './node-contract.js';
import { attemptDirectory, cgroupRoot, isSafeUid, type PodPaths, podPaths, podsDirectory } from './paths.js';
import { listAttempts, type PodRecord, readRecord, type SandboxRecord } from './records.js';
import { crashesAfter } from './restart.js';
import { adoptSandbox, releaseSandbox } from './sandbox.js';
import { stopSignalOf } from './stop-signal.js';
import type { LiveContainer, WorkerState } from './worker.js';

export interface AdoptedPod {
  readonly pod: Pod;
  readonly state: WorkerState;
}

export async function adoptPods(node: PodNode): Promise<AdoptedPod[]> {
  const uids = (await namesIn(podsDirectory(node.directories))).filter(isSafeUid);
  const adopted = await Promise.all(uids.map(uid => adoptOne(node, uid)));
  const pods = adopted.flatMap(a => a ?? []);
  await removeStrangers(node, new Set(pods.map(p => p.pod.metadata.uid ?? '')));
  await node.network.gc(new Set(pods.flatMap(p => sandboxIds(p))));
  return pods;
}

const liveSandboxIds = new WeakMap<AdoptedPod, string>();
const sandboxIds = (pod: AdoptedPod): string[] => [liveSandboxIds.get(pod) ?? []].flat();

async function adoptOne(node: PodNode, uid: string): Promise<AdoptedPod | undefined> {
  const record = await readRecord<PodRecord>(join(podsDirectory(node.directories), uid, 'pod.json'));
  if (!record) {
    node.log.warn({ pod: uid }, 'a pod directory without a readable record: only its kernel objects are removed');
    return undefined;
  }
  try {
    return await adoptRecorded(node, record);
  } catch (error) {
    node.log.error({ pod: uid, error: describe(error) }, 'pod could not be adopted');
    return undefined;
  }
}

async function adoptRecorded(node: PodNode, { pod, startTime }: PodRecord): Promise<AdoptedPod> {
  const paths = podPaths(node.directories, pod, pod.status?.qosClass ?? qosClass(pod.spec));
  const { record, sandbox } = await adoptSandbox(node, paths);
  const live = new Map<string, LiveContainer>();
  const containers: Record<string, ContainerFacts> = {};
  for (const { name } of allContainers(pod)) {
    const found = await adoptContainer(node, pod, paths, name);
    if (found.live) live.set(name, found.live);
    containers[name] = found.facts;
  }
  if (!sandbox && record) await releaseBroken(node, paths, record);
  const facts: PodFacts = {
    containers,
    startTime,
    nextSandbox: (record?.attempt ?? -1) + 1,
    tornDown: !sandbox,
    ...(sandbox && { sandbox: { attempt: sandbox.attempt, alive: true, ...(sandbox.ip && { ip: sandbox.ip }) } }),
  };
  const adopted = { pod, state: { facts, sandbox, live, recorded: true } };
  if (sandbox && record) liveSandboxIds.set(adopted, record.id);
  return adopted;
}

/** A sandbox that was half made, or whose pause has died: everything of it goes before a new one is made. */
async function releaseBroken(node: PodNode, paths: PodPaths, record: SandboxRecord): Promise<void> {
  await releaseSandbox(node, paths, record, undefined).catch((error: unknown) => {
    node.log.error({ pod: paths.uid, error: describe(error) }, 'remains of a sandbox could not be removed');
  });
}

async function adoptContainer(
  node: PodNode,
  pod: Pod,
  paths: PodPaths,
  name: string,
): Promise<{ facts: ContainerFacts; live?: LiveContainer }> {
  const attempts = await listAttempts(paths, name);
  let facts = noContainerFacts;
  for (const attempt of attempts.slice(-2)) {
    const handle = await node.runtime.adopt(attemptDirectory(paths, name, attempt));
    const live: LiveContainer = { handle, attempt, stopSignal: await stopSignalOf(node, pod, name) };
    const record = await endedNow(handle);
    facts = { ...facts, nextAttempt: attempt + 1 };
    if (!record) return { facts: { ...facts, live: { attempt, id: handle.id, startedAt: handle.startedAt } }, live };
    const ended = await endedRun(pod, paths, name, live, record);
    facts = {
      ...facts,
      ...(facts.ended && { endedBefore: facts.ended }),
      ended,
      crashes: crashesAfter(Math.max(facts.crashes, attempt), ended),
    };
  }
  return { facts };
}

/** The record, if its first process is gone: then the shim has written it, is about to, or nobody ever will. */
async function endedNow(handle: ContainerHandle): Promise<ExitRecord | undefined> {
  const process = openProcess(handle.process);
  if (!process) return handle.exited();
  process.close();
  return undefined;
}

/** Groups below ours that belong to no pod on record: their processes have no owner any more. */
async function removeStrangers(node: PodNode, known: ReadonlySet<string>): Promise<void> {
  const root = cgroupRoot(node.directories);
  for (const qos of await namesIn(root)) {
    for (const group of await namesIn(join(root, qos))) {
      if (!group.startsWith('pod') || known.has(group.slice(3))) continue;
      node.log.warn({ group }, 'removing a cgroup without a pod');
      const path = join(root, qos, group);
      await cgroupKill(path);
      await cgroupRemove(path);
    }
  }
}

/** Names of directories; none if the parent is missing. */
async function namesIn(path: string): Promise<string[]> {
  try {
    return (await readdir(path, { withFileTypes: true })).filter(e => e.isDirectory()).map(e => e.name);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}
