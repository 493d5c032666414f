/** Every kernel object of one pod, read from its records and from /proc, without asking the agent. */
import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type CgroupStats, cgroupPids, cgroupStats, type LinkInfo, netlink } from '../native/index.js';
import { codeOf } from '../src/base/errors.js';
import type { Pod } from '../src/kube/pod.js';
import { qosClass } from '../src/kube/qos.js';
import { attemptCgroup, type NodePaths, type PodPaths, podPaths, podsDirectory } from './pods/paths.js';
import { listAttempts, type PodRecord, readRecord, type SandboxRecord } from './pods/records.js';

export interface ProcessReport {
  readonly pid: number;
  readonly command: string;
  /** Namespace inode by name, `net` → `net:[4026532233]`. */
  readonly namespaces: Readonly<Record<string, string>>;
}

export interface PodReport {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly directory: string;
  readonly logs: string;
  readonly cgroup: { readonly path: string; readonly stats: CgroupStats | null };
  readonly pause: ProcessReport | null;
  readonly addresses: readonly string[];
  /** Links inside the pod's network namespace. */
  readonly links: readonly LinkInfo[];
  readonly containers: readonly {
    readonly name: string;
    readonly attempt: number;
    readonly cgroup: string;
    readonly stats: CgroupStats | null;
    readonly processes: readonly ProcessReport[];
  }[];
}

/** Pods on record that match `namespace/name`, `name` (any namespace) or a UID. */
export async function inspectPods(node: NodePaths, wanted: string): Promise<PodReport[]> {
  const uids = await readdir(podsDirectory(node)).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return [] as string[];
    throw error;
  });
  const records = await Promise.all(uids.map(uid => readRecord<PodRecord>(join(podsDirectory(node), uid, 'pod.json'))));
  return Promise.all(records.flatMap(r => (r && matches(r.pod, wanted) ? inspectPod(node, r.pod) : [])));
}

function matches({ metadata: m }: Pod, wanted: string): boolean {
  return wanted === m.uid || wanted === m.name || wanted === `${m.namespace}/${m.name}`;
}

async function inspectPod(node: NodePaths, pod: Pod): Promise<PodReport> {
  const paths = podPaths(node, pod, pod.status?.qosClass ?? qosClass(pod.spec));
  const sandbox = await readRecord<SandboxRecord>(paths.sandboxRecord);
  const pause = sandbox?.pause ? await processReport(sandbox.pause.pid) : null;
  const containers = await Promise.all(pod.spec.containers.map(c => containerReport(paths, c.name)));
  const [stats = null] = await cgroupStats([paths.cgroup]);
  return {
    namespace: pod.metadata.namespace ?? '',
    name: pod.metadata.name,
    uid: paths.uid,
    directory: paths.directory,
    logs: paths.logs,
    cgroup: { path: paths.cgroup, stats },
    pause,
    addresses: (sandbox?.network?.ips ?? []).map(ip => ip.address),
    links: pause && !pod.spec.hostNetwork ? await linksOf(pause.pid) : [],
    containers: containers.flatMap(c => c ?? []),
  };
}

async function containerReport(paths: PodPaths, name: string) {
  const attempt = (await listAttempts(paths, name)).at(-1);
  if (attempt === undefined) return undefined;
  const cgroup = attemptCgroup(paths, name, attempt);
  const [stats = null] = await cgroupStats([cgroup]);
  const pids = stats ? await cgroupPids(cgroup).catch(() => []) : [];
  const processes = (await Promise.all(pids.map(processReport))).flatMap(p => p ?? []);
  return { name, attempt, cgroup, stats, processes };
}

async function linksOf(pid: number): Promise<LinkInfo[]> {
  const [links] = await netlink(`/proc/${pid}/ns/net`, [{ op: 'link.list' }]).catch(() => [[]]);
  return (links ?? []) as LinkInfo[];
}

async function processReport(pid: number): Promise<ProcessReport | null> {
  try {
    const command = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ').trim();
    const names = ['net', 'mnt', 'pid', 'ipc', 'uts', 'cgroup'];
    const inodes = await Promise.all(names.map(name => readlink(`/proc/${pid}/ns/${name}`)));
    return { pid, command, namespaces: Object.fromEntries(names.map((name, i) => [name, inodes[i] ?? ''])) };
  } catch {
    return null;
  }
}
