/**
 * What a cluster holds of the machine's memory: controller, agent and the `up` supervisor when idle, and what each
 * single-container pod adds: pause, shim, and the growth of the two.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Cluster, cgroupMount, startCluster } from '../test/helpers/cluster.js';
import { BenchClient } from './api-client.js';
import { Observed } from './pod-times.js';
import { pausingPod, stateFolder } from './pods.js';
import type { Row } from './report.js';
import { median } from './statistics.js';

/** KiB, as the kernel gives them. */
interface Memory {
  readonly rss: number;
  readonly pss: number;
  readonly anonymous: number;
}

/** An idle process gives memory back for a while. */
const settleMs = 5000;

export async function benchMemory(pods: number): Promise<Row[]> {
  await using cluster = await startCluster({ parent: stateFolder });
  await settled();
  const processes = {
    controller: cluster.pidOf('controller'),
    agent: cluster.pidOf('agent'),
    supervisor: parentOf(cluster.pidOf('controller')),
  };
  const idle = {
    controller: memoryOf(processes.controller),
    agent: memoryOf(processes.agent),
    supervisor: memoryOf(processes.supervisor),
  };
  await runPods(cluster, pods);
  await settled();
  const loaded = { controller: memoryOf(processes.controller), agent: memoryOf(processes.agent) };
  const programs = programsOf(cluster);
  const growth = (name: 'controller' | 'agent') => (loaded[name].anonymous - idle[name].anonymous) / pods / 1024;
  const pause = median(programs.pause.map(m => m.pss)) / 1024;
  const shim = median(programs.shim.map(m => m.pss)) / 1024;
  const mib = (kib: number) => kib / 1024;
  return [
    {
      part: 'memory',
      what: 'controller + agent idle, RSS',
      value: mib(idle.controller.rss + idle.agent.rss),
      unit: 'MiB',
      target: { of: 'value', sense: 'at most', bound: 200 },
      note: `controller ${show(idle.controller)}, agent ${show(idle.agent)}`,
    },
    {
      part: 'memory',
      what: 'controller + agent idle, anonymous',
      value: mib(idle.controller.anonymous + idle.agent.anonymous),
      unit: 'MiB',
      note: `together PSS ${mib(idle.controller.pss + idle.agent.pss).toFixed(0)} MiB`,
    },
    {
      part: 'memory',
      what: 'supervisor of `keelson up`, RSS',
      value: mib(idle.supervisor.rss),
      unit: 'MiB',
      note: show(idle.supervisor),
    },
    {
      part: 'memory',
      what: 'per pod: pause + shim, PSS',
      value: pause + shim,
      unit: 'MiB',
      target: { of: 'value', sense: 'at most', bound: 1 },
      note: `pause ${(pause * 1024).toFixed(0)} KiB (RSS ${median(programs.pause.map(m => m.rss))}), shim ${(shim * 1024).toFixed(0)} KiB (RSS ${median(programs.shim.map(m => m.rss))})`,
    },
    {
      part: 'memory',
      what: 'per pod: growth of controller + agent, anonymous',
      value: growth('controller') + growth('agent'),
      unit: 'MiB',
      note: `controller ${(growth('controller') * 1024).toFixed(0)} KiB, agent ${(growth('agent') * 1024).toFixed(0)} KiB, over ${pods} pods; garbage not yet collected included`,
    },
    {
      part: 'memory',
      what: `controller + agent with ${pods} pods, RSS`,
      value: mib(loaded.controller.rss + loaded.agent.rss),
      unit: 'MiB',
      note: `controller ${show(loaded.controller)}, agent ${show(loaded.agent)}`,
    },
  ];
}

const settled = () => new Promise(resolve => setTimeout(resolve, settleMs));
const show = ({ rss, anonymous }: Memory) =>
  `${(rss / 1024).toFixed(0)} MiB (anonymous ${(anonymous / 1024).toFixed(0)})`;

async function runPods(cluster: Cluster, count: number): Promise<void> {
  const seen = new Observed();
  const watch = await new BenchClient(cluster.kubeconfig).watchPods(event => seen.see(event));
  const names = Array.from({ length: count }, (_, i) => `memory-${i}`);
  await Promise.all([cluster.apply(...names.map(pausingPod)), seen.until(names, 'ready', 60_000)]);
  watch.close();
}

/** Every pause and shim that lives in the node's cgroups. */
function programsOf(cluster: Cluster): { pause: Memory[]; shim: Memory[] } {
  const found: { pause: Memory[]; shim: Memory[] } = { pause: [], shim: [] };
  for (const pid of pidsBelow(join(cgroupMount(), `keelson-${cluster.name}`))) {
    const name = readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
    const kind = nameOfProgram(pid, name);
    if (kind) found[kind].push(memoryOf(pid));
  }
  return found;
}

/** They run from sealed memory files, which `comm` shows as a number. */
function nameOfProgram(pid: number, comm: string): 'pause' | 'shim' | undefined {
  const first = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0];
  return [first, comm].find(name => name === 'pause' || name === 'shim') as 'pause' | 'shim' | undefined;
}

function pidsBelow(folder: string): number[] {
  const own = readFileSync(join(folder, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number);
  const below = readdirSync(folder, { withFileTypes: true }).filter(entry => entry.isDirectory());
  return [...own, ...below.flatMap(entry => pidsBelow(join(folder, entry.name)))];
}

export function memoryOf(pid: number): Memory {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]);
  return { rss: field('Rss'), pss: field('Pss'), anonymous: field('Anonymous') };
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}
