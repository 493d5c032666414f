/**
 * After a start of the agent: what is on disk and in the kernel becomes workers again (reliability rule A2). Kernel facts
 * win over files; one broken pod harms only itself; what belongs to no pod is removed.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { cgroupKill, cgroupRemove, openProcess, removeTrees } from '../../native/index.js';
import { codeOf, describe } from '../../src/base/errors.js';
import { failpoint } from '../../src/base/failpoint.js';
import type { Pod } from '../../src/kube/pod.js';
import { qosClass } from '../../src/kube/qos.js';
import type { ContainerHandle, ExitRecord } from '../containers/contract.js';
import { endedRun } from './ended.js';
import {
  allContainers,
  type ContainerFacts,
  containerOf,
  type EndedRun,
  noContainerFacts,
  type PodFacts,
  type SandboxFacts,
} from './facts.js';
import { readHealth } from './health.js';
import type { PodNode } from './node-contract.js';
import {
  attemptCgroup,
  attemptDirectory,
  cgroupRoot,
  failedStartFile,
  isSafeUid,
  type PodPaths,
  podPaths,
  podsDirectory,
} from './paths.js';
import {
  listAttempts,
  type PodRecord,
  readRecord,
  removeAttempt,
  type SandboxRecord,
  type StopRecord,
} from './records.js';
import { crashesAfter } from './restart.js';
import { addressesOf, adoptSandbox, sandboxCgroup } from './sandbox.js';
import type { LiveContainer, WorkerState } from './state.js';
import { isStatic } from './static-pod.js';
import { stopSignalOf } from './stop-signal.js';

export interface AdoptedPod {
  readonly pod: Pod;
  readonly state: WorkerState;
  /** Of its newest sandbox: what the network keeps for it stays until that is taken down. */
  readonly sandboxId?: string;
}

export interface Adoption {
  readonly pods: readonly AdoptedPod[];
  /** UIDs of pods whose records could not be read now: they are left as they stand, and tried again. */
  readonly aside: readonly string[];
}

export async function adoptPods(node: PodNode): Promise<Adoption> {
  const uids = (await namesIn(podsDirectory(node.directories))).filter(isSafeUid);
  const found = await Promise.all(uids.map(async uid => ({ uid, result: await tryToAdopt(node, uid) })));
  const aside = found.flatMap(({ uid, result }) => (result === 'aside' ? uid : []));
  const pods = found.flatMap(({ result }) => (result === 'aside' ? [] : (result ?? [])));
  const known = new Set([...pods.map(p => p.pod.metadata.uid ?? ''), ...aside]);
  await removeStrangers(node, known);
  await removeTrees(uids.filter(uid => !known.has(uid)).map(uid => join(podsDirectory(node.directories), uid)));
  // whose an address is cannot be told while one pod's records are not read
  if (aside.length === 0) await node.network.gc(new Set(pods.flatMap(p => p.sandboxId ?? [])));
  return { pods, aside };
}

/** One that was set aside; undefined if it turns out to have no record. */
export async function adoptAgain(node: PodNode, uid: string): Promise<AdoptedPod | undefined | 'aside'> {
  const result = await tryToAdopt(node, uid);
  if (result === undefined) await removeTrees([join(podsDirectory(node.directories), uid)]);
  return result;
}

/** 'aside': what is wrong may pass, and its containers run meanwhile; to remove them would be worse than to wait. */
async function tryToAdopt(node: PodNode, uid: string): Promise<AdoptedPod | undefined | 'aside'> {
  try {
    await failpoint('adopt.pod');
    const record = await readRecord<PodRecord>(join(podsDirectory(node.directories), uid, 'pod.json'));
    if (record) return await adoptRecorded(node, record);
    node.log.warn({ pod: uid }, 'a pod directory without a readable record is removed, with its kernel objects');
    return undefined;
  } catch (error) {
    node.log.error({ pod: uid, error: describe(error) }, 'pod could not be adopted: left as it is, and tried again');
    return 'aside';
  }
}

async function adoptRecorded(node: PodNode, { pod, startTime }: PodRecord): Promise<AdoptedPod> {
  const paths = podPaths(node.directories, pod, pod.status?.qosClass ?? qosClass(pod.spec));
  const { record, sandbox } = await adoptSandbox(node, paths);
  // what its former agent has told the kernel still stands
  if (sandbox) void node.policies.admit(pod, sandbox.ips).catch(() => {});
  const live = new Map<string, LiveContainer>();
  const containers: Record<string, ContainerFacts> = {};
  const sameBoot = record?.bootID === node.bootID;
  for (const { name } of allContainers(pod)) {
    const found = await adoptContainer(node, pod, paths, name, sameBoot);
    if (found.live) live.set(name, found.live);
    containers[name] = { ...found.facts, ...(record && { sandbox: record.attempt }) };
  }
  await removeIdleGroups(paths, record, live);
  const order = await readRecord<StopRecord>(paths.stopRecord);
  const stop = order && comesBack(pod, order) ? undefined : order;
  const facts: PodFacts = {
    containers,
    startTime,
    nextSandbox: (record?.attempt ?? -1) + 1,
    tornDown: !record,
    // one that was half made, or whose pause has died, is taken down by the plan as any other
    ...(record && { sandbox: sandboxFacts(record, sandbox !== undefined) }),
    ...stop,
  };
  return { pod, state: { facts, sandbox, live, recorded: true }, ...(record && { sandboxId: record.id }) };
}

/** A static pod that ended only because the node went down: the node is up again, and its file still asks for it. */
const comesBack = (pod: Pod, { termination }: StopRecord): boolean =>
  isStatic(pod) && !termination.deleted && termination.reason === 'Terminated';

function sandboxFacts(record: SandboxRecord, alive: boolean): SandboxFacts {
  const ips = addressesOf(record.network);
  return { attempt: record.attempt, alive, ...(ips.length > 0 && { ips }) };
}

/** Groups of attempts that nobody watches: a start that was cut short, or a run that has ended. */
async function removeIdleGroups(
  paths: PodPaths,
  record: SandboxRecord | undefined,
  live: ReadonlyMap<string, LiveContainer>,
): Promise<void> {
  const busy = new Set([...live].map(([name, { attempt }]) => attemptCgroup(paths, name, attempt)));
  if (record) busy.add(sandboxCgroup(paths, record.attempt));
  for (const name of await namesIn(paths.cgroup)) {
    const group = join(paths.cgroup, name);
    if (busy.has(group)) continue;
    await cgroupKill(group);
    await cgroupRemove(group);
  }
}

async function adoptContainer(
  node: PodNode,
  pod: Pod,
  paths: PodPaths,
  name: string,
  sameBoot: boolean,
): Promise<{ facts: ContainerFacts; live?: LiveContainer }> {
  const attempts = await listAttempts(paths, name);
  const image = allContainers(pod).find(c => c.name === name)?.image;
  const imageID = image && (await node.images.find(image).catch(() => undefined))?.id;
  let facts: ContainerFacts = { ...noContainerFacts, imageID: (attempts.length > 0 && imageID) || '' };
  for (const attempt of attempts.slice(-2)) {
    const found = await adoptAttempt(node, pod, paths, name, attempt);
    if ('handle' in found) {
      const { id, startedAt } = found.handle;
      const { resources = {} } = containerOf(pod, name) ?? {};
      return {
        facts: {
          ...facts,
          nextAttempt: attempt + 1,
          live: { attempt, id, startedAt, resources, ...(await readHealth(paths, containerOf(pod, name), attempt)) },
        },
        live: found,
      };
    }
    // its entrypoint was never reached: it is no run, and starts again under the same number
    if (sameBoot && found.reason === 'Unknown' && !found.startedAt) {
      await removeAttempt(paths, name, attempt);
      continue;
    }
    facts = {
      ...facts,
      nextAttempt: attempt + 1,
      ...(facts.ended && { endedBefore: facts.ended }),
      ended: found,
      crashes: crashesAfter(Math.max(facts.crashes, attempt), found),
    };
  }
  return { facts };
}

async function adoptAttempt(
  node: PodNode,
  pod: Pod,
  paths: PodPaths,
  name: string,
  attempt: number,
): Promise<LiveContainer | EndedRun> {
  const directory = attemptDirectory(paths, name, attempt);
  const failed = await readRecord<EndedRun>(failedStartFile(directory));
  if (failed) return failed;
  const handle = await node.runtime.adopt(directory);
  const live: LiveContainer = { handle, attempt, stopSignal: await stopSignalOf(node, pod, name) };
  const record = await endedNow(handle);
  return record ? endedRun(pod, paths, name, live, record) : live;
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
