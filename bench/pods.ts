/**
 * How long pods take on a whole cluster of the built command (`keelson up` in namespaces of its own), as a watch sees it:
 * one pod after another, then 50 and 100 from one file, and their removal; and how late the event loops came meanwhile.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type Cluster, startCluster } from '../test/helpers/cluster.js';
import { BenchClient } from './api-client.js';
import type { LoopDelay } from './loop-delay.js';
import { Observed } from './pod-times.js';
import type { Row } from './report.js';
import { median, quantile } from './statistics.js';

export interface PodsOptions {
  /** Single pods, one after another. */
  readonly singles: number;
  /** Times that each burst is repeated. */
  readonly rounds: number;
}

const roles = ['controller', 'agent'] as const;
const burstTimeoutMs = 60_000;

/** Where a cluster's state is: on the file system that is to be measured. */
export const stateFolder = process.env['KEELSON_TEST_STATE'] ?? '/tmp';

export async function benchPods({ singles, rounds }: PodsOptions): Promise<Row[]> {
  const preload = pathToFileURL(fileURLToPath(new URL('./loop-delay.js', import.meta.url))).href;
  const environment = {
    NODE_OPTIONS: `--import=${preload}`,
    KEELSON_LOOP_DELAY: join('/tmp', `keelson-loop-delay-${process.pid}`),
  };
  await using cluster = await startCluster({ environment, parent: stateFolder });
  const run = new Run(cluster, environment.KEELSON_LOOP_DELAY);
  await run.start();
  try {
    return [...(await single(run, singles)), ...(await burst(run, 50, rounds)), ...(await burst(run, 100, rounds))];
  } finally {
    run.close();
  }
}

/** Ends at SIGTERM, so that its removal shows the node's part and not a grace period. */
export function pausingPod(name: string): object {
  const container = {
    name: 'c',
    image: 'localhost/busybox:1',
    imagePullPolicy: 'IfNotPresent',
    command: ['sh', '-c', "trap 'exit 0' TERM; sleep 3600 & wait"],
  };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: { terminationGracePeriodSeconds: 10, containers: [container] },
  };
}

class Run {
  readonly client: BenchClient;
  readonly seen = new Observed();
  #watch: { close(): void } | undefined;

  constructor(
    readonly cluster: Cluster,
    readonly loopDelayFile: string,
  ) {
    this.client = new BenchClient(cluster.kubeconfig);
  }

  async start(): Promise<void> {
    this.#watch = await this.client.watchPods(event => this.seen.see(event));
  }

  close(): void {
    this.#watch?.close();
    for (const role of roles) rmSync(`${this.loopDelayFile}.${role}`, { force: true });
  }

  /** Removes pods and resolves when the watch has seen them go; milliseconds from the start of kubectl. */
  async remove(names: readonly string[]): Promise<number> {
    const began = performance.now();
    const gone = this.seen.until(names, 'gone', burstTimeoutMs);
    const list = { apiVersion: 'v1', kind: 'List', items: names.map(pausingPod) };
    // by file: kubectl slows itself down to five a second for names on its command line
    await this.cluster.ok(this.cluster.tryKubectl(['delete', '--wait=false', '-f', '-'], JSON.stringify(list)));
    await gone;
    return Math.max(...this.seen.of(names).map(times => times.gone ?? 0)) - began;
  }

  /** The delay since the last call, of both processes. */
  async loopDelays(): Promise<Record<(typeof roles)[number], LoopDelay>> {
    const [controller, agent] = await Promise.all(roles.map(role => this.#loopDelay(role)));
    return { controller: controller!, agent: agent! };
  }

  /** Milliseconds of processor time since their start, the kernel's work for them included (proc(5): utime, stime in 1/100 s). */
  processorTimes(): Record<(typeof roles)[number], number> {
    const [controller = 0, agent = 0] = roles.map(role => {
      const fields = readFileSync(`/proc/${this.cluster.pidOf(role)}/stat`, 'utf8')
        .split(') ')[1]!
        .split(' ');
      return (Number(fields[11]) + Number(fields[12])) * 10;
    });
    return { controller, agent };
  }

  async #loopDelay(role: (typeof roles)[number]): Promise<LoopDelay> {
    const file = `${this.loopDelayFile}.${role}`;
    rmSync(file, { force: true });
    process.kill(this.cluster.pidOf(role), 'SIGUSR2');
    const until = Date.now() + 5000;
    while (!existsSync(file)) {
      if (Date.now() > until) throw new Error(`The ${role} did not write its event loop's delay to ${file}.`);
      await new Promise(resolve => setTimeout(resolve, 2));
    }
    return JSON.parse(readFileSync(file, 'utf8')) as LoopDelay;
  }
}

const at = (sense: 'at most' | 'at least', bound: number) => ({ of: 'value', sense, bound }) as const;

async function single(run: Run, count: number): Promise<Row[]> {
  const whole: number[] = [];
  const own: number[] = [];
  const direct: number[] = [];
  const warmUp = 3;
  for (let i = -warmUp; i < count; i++) {
    const applied = await applied1(run, `one-${i + warmUp}`);
    const created = await created1(run, `two-${i + warmUp}`);
    if (i < 0) continue;
    whole.push(applied.whole);
    own.push(applied.own, created.own);
    direct.push(created.whole);
  }
  const note = (values: readonly number[]) =>
    `p90 ${quantile(values, 0.9).toFixed(0)}, min ${Math.min(...values).toFixed(0)}, n=${values.length}`;
  const row = (what: string, values: readonly number[], target?: number): Row => ({
    part: 'pods',
    what,
    value: median(values),
    unit: 'ms',
    note: note(values),
    ...(target && { target: at('at most', target) }),
  });
  return [
    row('kubectl apply of one pod → Ready, median', whole, 100),
    row('POST of one pod → Ready, median', direct),
    row("Keelson's own part (stored → Ready stored), median", own, 40),
  ];
}

interface Times {
  readonly whole: number;
  /** From the watch's first word of the pod to its Ready. */
  readonly own: number;
}

async function applied1(run: Run, name: string): Promise<Times> {
  return timed(run, name, () => run.cluster.apply(pausingPod(name)));
}

async function created1(run: Run, name: string): Promise<Times> {
  return timed(run, name, () => run.client.create(pausingPod(name)));
}

async function timed(run: Run, name: string, make: () => Promise<unknown>): Promise<Times> {
  const ready = run.seen.until([name], 'ready', burstTimeoutMs);
  const began = performance.now();
  await Promise.all([make(), ready]);
  const { added, ready: end = Number.NaN } = run.seen.get(name)!;
  await run.remove([name]);
  return { whole: end - began, own: end - added };
}

interface Burst {
  /** Milliseconds from the start of kubectl. */
  readonly firstAdded: number;
  readonly lastAdded: number;
  readonly allReady: number;
  readonly allGone: number;
  readonly delays: Record<(typeof roles)[number], LoopDelay>;
  /** Milliseconds of processor time. */
  readonly processor: Record<(typeof roles)[number], number>;
}

async function burst(run: Run, size: number, rounds: number): Promise<Row[]> {
  const bursts: Burst[] = [];
  const warmUp = 1;
  for (let round = 0; round < rounds + warmUp; round++) {
    const result = await oneBurst(run, size, round);
    if (round >= warmUp) bursts.push(result);
  }
  const of = (pick: (burst: Burst) => number) => median(bursts.map(pick));
  const rate = bursts.map(b => size / (b.allReady / 1000));
  const name = `${size} pods from one file`;
  const n = `n=${bursts.length}`;
  const trouble =
    run.seen.troubles.size === 0
      ? 'no failure, no restart'
      : `${run.seen.troubles.size} pods with trouble: ${[...run.seen.troubles.values()][0]}`;
  return [
    {
      part: 'pods',
      what: `${name} → all Ready`,
      value: median(rate),
      unit: 'pods/s',
      target: at('at least', 50),
      note: `all Ready after ${of(b => b.allReady).toFixed(0)} ms, ${n}, ${trouble}`,
    },
    {
      part: 'pods',
      what: `${name}, kubectl's share: its start → last pod stored`,
      value: of(b => b.lastAdded),
      unit: 'ms',
      note: `first stored after ${of(b => b.firstAdded).toFixed(0)} ms`,
    },
    { part: 'pods', what: `${name}, first stored → all Ready`, value: of(b => b.allReady - b.firstAdded), unit: 'ms' },
    { part: 'pods', what: `${size} pods, kubectl delete → all gone`, value: of(b => b.allGone), unit: 'ms', note: n },
    ...roles.map(
      (role): Row => ({
        part: 'pods',
        what: `${name}, processor time of the ${role} per pod`,
        value: median(bursts.map(b => b.processor[role])) / size,
        unit: 'ms',
      }),
    ),
    ...roles.map(
      (role): Row => ({
        part: 'pods',
        what: `${name}, event loop of the ${role}, p99`,
        value: median(bursts.map(b => b.delays[role].p99)),
        unit: 'ms',
        target: at('at most', 20),
        note: `longest ${Math.max(...bursts.map(b => b.delays[role].max)).toFixed(0)} ms`,
      }),
    ),
  ];
}

async function oneBurst(run: Run, size: number, round: number): Promise<Burst> {
  const names = Array.from({ length: size }, (_, i) => `burst-${size}-${round}-${i}`);
  const ready = run.seen.until(names, 'ready', burstTimeoutMs);
  await run.loopDelays();
  const before = run.processorTimes();
  const began = performance.now();
  await Promise.all([run.cluster.apply(...names.map(pausingPod)), ready]);
  const after = run.processorTimes();
  const delays = await run.loopDelays();
  const times = run.seen.of(names);
  const added = times.map(t => t.added - began);
  const allReady = Math.max(...times.map(t => t.ready ?? Number.NaN)) - began;
  const allGone = await run.remove(names);
  return {
    firstAdded: Math.min(...added),
    lastAdded: Math.max(...added),
    allReady,
    allGone,
    delays,
    processor: { controller: after.controller - before.controller, agent: after.agent - before.agent },
  };
}
