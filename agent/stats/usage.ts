/** Live CPU and memory of every pod from its cgroups: one native trip for all of them, rates from two samples; and its traffic. */
import { readFileSync } from 'node:fs';
import { type CgroupStats, cgroupPids, cgroupStats } from '../../native/index.js';
import type { NodeStats, Traffic } from '../../src/link/frames.js';
import { memoryBytes } from '../machine.js';
import { attemptCgroup } from '../pods/paths.js';
import type { PodWorker } from '../pods/worker.js';
import { TrafficReader } from './traffic.js';

interface Sample {
  readonly atMs: number;
  readonly usageUsec: number;
}

interface Wanted {
  readonly worker: PodWorker;
  /** Undefined for the pod itself. */
  readonly container: string | undefined;
  readonly path: string;
}

/** Cores used between two samples of one group; 0 for the first. Pure. */
export function rate(before: Sample | undefined, now: Sample): number {
  if (!before || now.atMs <= before.atMs) return 0;
  return Math.max(0, (now.usageUsec - before.usageUsec) / 1000 / (now.atMs - before.atMs));
}

/**
 * Until the next sample: a pod costs up to a quarter of a millisecond, so that all of them stay below half a percent of a
 * core; ten seconds is what kubelet takes. Pure.
 */
export const sampleEveryMs = (pods: number): number => Math.min(10_000, Math.max(2000, pods * 50));

export class UsageSampler {
  #samples = new Map<string, Sample>();
  readonly #traffic = new TrafficReader();
  #cpu: { busy: number; atMs: number } | undefined;

  async sample(workers: Iterable<PodWorker>): Promise<NodeStats> {
    const wanted = [...workers].flatMap(groupsOf);
    const pods = wanted.filter(w => w.container === undefined).map(w => w.worker);
    const [found, traffic] = await Promise.all([cgroupStats(wanted.map(w => w.path)), this.#traffic.read(pods)]);
    const atMs = performance.now();
    const next = new Map<string, Sample>();
    const rows = await Promise.all(
      wanted.map(async (w, i) => {
        const stats = found[i];
        if (!stats) return undefined;
        const sample = { atMs, usageUsec: stats.cpuUsageUsec };
        next.set(w.path, sample);
        return {
          ...w,
          cpuCores: rate(this.#samples.get(w.path), sample),
          memory: w.container ? await memoryOf(w.path, stats) : stats.memoryWorkingSetBytes,
        };
      }),
    );
    this.#samples = next;
    return this.#assemble(
      rows.flatMap(r => r ?? []),
      traffic,
    );
  }

  #assemble(
    rows: readonly (Wanted & { cpuCores: number; memory: number })[],
    traffic: ReadonlyMap<PodWorker, Traffic>,
  ): NodeStats {
    const pods = rows
      .filter(r => r.container === undefined)
      .map(pod => {
        const containers = rows
          .filter(r => r.worker === pod.worker && r.container !== undefined)
          .map(r => ({ name: r.container ?? '', cpuCores: r.cpuCores, memoryWorkingSetBytes: r.memory }));
        const { namespace = '', name, uid = '' } = pod.worker.pod.metadata;
        const memory =
          pod.memory >= 0 ? pod.memory : containers.reduce((sum, c) => sum + Math.max(0, c.memoryWorkingSetBytes), 0);
        const network = traffic.get(pod.worker);
        const usage = { cpuCores: pod.cpuCores, memoryWorkingSetBytes: memory, ...(network && { network }) };
        return { namespace, name, uid, ...usage, containers };
      });
    const used = memoryBytes('MemTotal') - memoryBytes('MemAvailable');
    return { time: new Date().toISOString(), cpuCores: this.#nodeCpu(), memoryWorkingSetBytes: used, pods };
  }

  /** Busy share of all processors since the last sample, from /proc/stat (proc(5): ticks of 10 ms). */
  #nodeCpu(): number {
    const [, user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] =
      readFileSync('/proc/stat', 'utf8').split('\n', 1)[0]?.split(/\s+/).map(Number) ?? [];
    const now = { busy: (user + nice + system + irq + softirq) * 10, atMs: performance.now() };
    const before = this.#cpu;
    this.#cpu = now;
    return before ? Math.max(0, (now.busy - before.busy) / (now.atMs - before.atMs)) : 0;
  }
}

function groupsOf(worker: PodWorker): Wanted[] {
  if (!worker.facts.sandbox?.alive) return [];
  const containers = Object.entries(worker.facts.containers).flatMap(([name, facts]) =>
    facts.live ? [{ worker, container: name, path: attemptCgroup(worker.paths, name, facts.live.attempt) }] : [],
  );
  return [{ worker, container: undefined, path: worker.paths.cgroup }, ...containers];
}

/** Where the kernel has no memory controller: the resident pages of the group's processes (proc_pid_statm(5)). */
async function memoryOf(path: string, stats: CgroupStats): Promise<number> {
  if (stats.memoryWorkingSetBytes >= 0) return stats.memoryWorkingSetBytes;
  const pids = await cgroupPids(path).catch(() => []);
  return pids.reduce((sum, pid) => sum + residentBytes(pid), 0);
}

function residentBytes(pid: number): number {
  try {
    const [, resident = '0', shared = '0'] = readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ');
    return (Number(resident) - Number(shared)) * 4096;
  } catch {
    return 0;
  }
}
