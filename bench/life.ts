/**
 * What a pod's life costs its node once it runs: how soon the API knows of an end, how long a removal takes after the last
 * process has gone, and what the agent needs for many pods, without probes and with them.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Cluster, groupsOf, isLiving, startCluster } from '../test/helpers/cluster.js';
import { BenchClient, type WatchEvent } from './api-client.js';
import { memoryOf } from './memory.js';
import { Observed } from './pod-times.js';
import { pausingPod, stateFolder } from './pods.js';
import type { Row } from './report.js';
import { median, quantile } from './statistics.js';

export interface LifeOptions {
  /** Ends and removals, one after another. */
  readonly rounds: number;
  /** Pods that run at once. */
  readonly pods: number;
  /** Milliseconds over which processor time is counted. */
  readonly windowMs: number;
}

export async function benchLife({ rounds, pods, windowMs }: LifeOptions): Promise<Row[]> {
  await using cluster = await startCluster({ parent: stateFolder, flags: ['--max-pods', String(pods + 50)] });
  const seen = new Observed();
  const ends = new Map<string, number>();
  const client = new BenchClient(cluster.kubeconfig);
  const watch = await client.watchPods(event => {
    noteEnd(ends, event);
    seen.see(event);
  });
  try {
    const run = { cluster, client, seen, ends };
    return [
      ...(await exits(run, rounds)),
      ...(await removals(run, rounds)),
      ...(await crowd(run, pods, windowMs, 'without probes', pausingPod)),
      ...(await crowd(run, pods, windowMs, 'with 3 probes each at 1 s', probedPod)),
    ];
  } finally {
    watch.close();
  }
}

interface Run {
  readonly cluster: Cluster;
  readonly client: BenchClient;
  readonly seen: Observed;
  /** When each pod was first seen with its container ended, by name. */
  readonly ends: Map<string, number>;
}

const deadlineMs = 120_000;

function noteEnd(ends: Map<string, number>, { pod, at }: WatchEvent): void {
  const state = pod.status?.containerStatuses?.[0]?.state;
  if (state?.terminated && !ends.has(pod.metadata.name)) ends.set(pod.metadata.name, at);
}

async function until<T>(what: string, look: () => T | undefined): Promise<T> {
  for (const end = Date.now() + deadlineMs; Date.now() < end; ) {
    const found = look();
    if (found !== undefined) return found;
    await new Promise(resolve => setTimeout(resolve, 1));
  }
  throw new Error(`Not seen within ${deadlineMs} ms: ${what}.`);
}

const note = (values: readonly number[]): string =>
  `p90 ${quantile(values, 0.9).toFixed(1)}, min ${Math.min(...values).toFixed(1)}, n=${values.length}`;

/** Its container waits for a line, and ends when it has come. */
async function exits(run: Run, rounds: number): Promise<Row[]> {
  const shared = join(run.cluster.directory, 'shared');
  mkdirSync(shared);
  const took: number[] = [];
  for (let i = 0; i < rounds; i++) {
    const name = `ends-${i}`;
    execFileSync('mkfifo', [join(shared, name)]);
    await run.client.create(waitingPod(name, shared));
    await run.seen.until([name], 'ready', deadlineMs);
    const pid = appPids(run.cluster)[0] ?? 0;
    const began = performance.now();
    writeFileSync(join(shared, name), 'now\n');
    await until(`the end of ${name}`, () => (isLiving(pid) ? undefined : true));
    const ended = performance.now();
    const known = await until(`the status of ${name}`, () => run.ends.get(name));
    // its end lies between the line and our look at it
    took.push(known - (began + ended) / 2);
    await remove(run, [name]);
  }
  return [
    {
      part: 'life',
      what: "a process's exit → its status in the API, median",
      value: median(took),
      unit: 'ms',
      note: note(took),
      target: { of: 'value', sense: 'at most', bound: 30 },
    },
  ];
}

function waitingPod(name: string, shared: string): object {
  const container = {
    name: 'c',
    image: 'localhost/busybox:1',
    command: ['sh', '-c', `read line < /shared/${name}`],
    volumeMounts: [{ name: 'shared', mountPath: '/shared' }],
  };
  const volumes = [{ name: 'shared', hostPath: { path: shared } }];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: { restartPolicy: 'Never', terminationGracePeriodSeconds: 1, volumes, containers: [container] },
  };
}

/** First processes of containers. */
const appPids = (cluster: Cluster): number[] =>
  [...groupsOf(cluster)].flatMap(([path, pids]) => (path.includes('/sandbox.') ? [] : (pids[0] ?? [])));

async function removals(run: Run, rounds: number): Promise<Row[]> {
  const took: number[] = [];
  const whole: number[] = [];
  for (let i = 0; i < rounds; i++) {
    const name = `goes-${i}`;
    await run.client.create(pausingPod(name));
    await run.seen.until([name], 'ready', deadlineMs);
    const pid = appPids(run.cluster)[0] ?? 0;
    const gone = run.seen.until([name], 'gone', deadlineMs);
    const began = performance.now();
    const removed = run.cluster.tryKubectl(['delete', 'pod', name, '--wait=false']);
    await until(`the end of ${name}`, () => (isLiving(pid) ? undefined : true));
    const ended = performance.now();
    await gone;
    await removed;
    const at = run.seen.get(name)?.gone ?? Number.NaN;
    took.push(at - ended);
    whole.push(at - began);
  }
  return [
    {
      part: 'life',
      what: 'its container has ended → the pod is gone from the API, median',
      value: median(took),
      unit: 'ms',
      note: `${note(took)}; from the start of kubectl ${median(whole).toFixed(0)} ms`,
      target: { of: 'value', sense: 'at most', bound: 150 },
    },
  ];
}

async function remove(run: Run, names: readonly string[]): Promise<void> {
  const gone = run.seen.until(names, 'gone', deadlineMs);
  const items = names.map(name => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name } }));
  const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
  await run.cluster.ok(run.cluster.tryKubectl(['delete', '--wait=false', '-f', '-'], list));
  await gone;
}

const settleMs = 5000;

async function crowd(
  run: Run,
  count: number,
  windowMs: number,
  how: string,
  pod: (name: string) => object,
): Promise<Row[]> {
  const names = Array.from({ length: count }, (_, i) => `crowd-${how.slice(0, 4).trim()}-${i}`);
  await Promise.all([run.cluster.apply(...names.map(pod)), run.seen.until(names, 'ready', deadlineMs)]);
  await pause(settleMs);
  const agent = run.cluster.pidOf('agent');
  const before = processorMs(agent);
  await pause(windowMs);
  const busy = ((processorMs(agent) - before) / windowMs) * 100;
  const memory = memoryOf(agent);
  await remove(run, names);
  const plain = pod === pausingPod;
  return [
    {
      part: 'life',
      what: `agent with ${count} pods ${how}, processor`,
      value: busy,
      unit: '% of a core',
      note: plain ? '' : `${count * 3} probes a second (HTTP, TCP, TCP)`,
      ...(plain && { target: { of: 'value', sense: 'at most', bound: 1 } as const }),
    },
    {
      part: 'life',
      what: `agent with ${count} pods ${how}, RSS`,
      value: memory.rss / 1024,
      unit: 'MiB',
      note: `anonymous ${(memory.anonymous / 1024).toFixed(0)}`,
      target: { of: 'value', sense: 'at most', bound: 150 },
    },
  ];
}

/** A web server that is asked over HTTP and TCP, and a second container that is asked over TCP. */
function probedPod(name: string): object {
  const every = { periodSeconds: 1, failureThreshold: 30 };
  const port = 8080;
  const image = 'localhost/busybox:1';
  const serve = `mkdir /www; echo fine > /www/index.html; exec httpd -f -p ${port} -h /www`;
  const server = {
    name: 'web',
    image,
    command: ['sh', '-c', serve],
    livenessProbe: { httpGet: { path: '/', port }, ...every },
    readinessProbe: { tcpSocket: { port }, ...every },
  };
  const second = {
    name: 'second',
    image,
    command: ['sleep', '3600'],
    livenessProbe: { tcpSocket: { port }, ...every },
  };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: { terminationGracePeriodSeconds: 1, containers: [server, second] },
  };
}

/** Of all its threads, user and system; proc(5) gives 1/100 s. */
function processorMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

const pause = (ms: number) => new Promise(resolve => setTimeout(resolve, ms));
