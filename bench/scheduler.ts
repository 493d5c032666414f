/**
 * Pods scheduled per second at many nodes, the durable binding included: an API with SQLite on this disk in this process, its
 * nodes mere objects. The pods are stored first; the time runs from the scheduler's start until the view shows the last one
 * bound.
 */
import { pino } from 'pino';
import type { ApiClient } from '../src/api/client.js';
import { schedulerView, schedulerWrites } from '../src/cli/scheduler-adapters.js';
import type { Node } from '../src/kube/node.js';
import type { Pod } from '../src/kube/pod.js';
import { SchedulerLoop } from '../src/scheduler/loop.js';
import { startApiServer, type TestServer } from '../test/helpers/api-server.js';
import type { Row } from './report.js';

export interface SchedulerScale {
  readonly nodes: number;
  readonly pods: number;
}

interface Workload {
  readonly what: string;
  readonly spec: object;
}

const anti = {
  affinity: {
    podAntiAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        { labelSelector: { matchLabels: { app: 'anti' } }, topologyKey: 'kubernetes.io/hostname' },
      ],
    },
  },
};
const spread = {
  topologySpreadConstraints: [
    {
      maxSkew: 1,
      topologyKey: 'topology.kubernetes.io/zone',
      whenUnsatisfiable: 'DoNotSchedule',
      labelSelector: { matchLabels: { app: 'spread' } },
    },
  ],
};

export async function benchScheduler({ nodes, pods }: SchedulerScale): Promise<Row[]> {
  const workloads: Workload[] = [
    { what: 'plain', spec: {} },
    { what: 'anti', spec: anti },
    { what: 'spread', spec: spread },
  ];
  const rows: Row[] = [];
  for (const workload of workloads) rows.push(await scheduled(workload, nodes, pods));
  return rows;
}

async function scheduled({ what, spec }: Workload, nodes: number, pods: number): Promise<Row> {
  const server = await startApiServer({ running: [] });
  try {
    await inBatches(nodes, i => server.client.registerNode(`node-${i}`, nodeOf(i)));
    // a pod that keeps others of its kind away needs a node of its own
    const count = Math.min(pods, what === 'anti' ? nodes : pods);
    await server.client
      .create('ServiceAccount', { metadata: { name: 'default', namespace: 'default' } })
      .catch(() => {});
    await inBatches(count, i => server.client.create('Pod', podOf(what, i, spec)));
    const cpu = process.cpuUsage();
    const ms = await untilBound(server, count);
    const used = process.cpuUsage(cpu);
    return {
      part: 'scheduler',
      what: `${what} pods at ${nodes} nodes, stored with their node`,
      value: count / (ms / 1000),
      unit: 'pods/s',
      note: `${count} pods in ${ms.toFixed(0)} ms; processor time ${((used.user + used.system) / 1000 / count).toFixed(2)} ms a pod`,
      ...(what === 'plain' && { target: { of: 'value', sense: 'at least', bound: 300 } as const }),
    };
  } finally {
    await server.close();
  }
}

/** Milliseconds from the scheduler's start. */
async function untilBound({ engine, client }: TestServer, count: number): Promise<number> {
  const log = pino({ level: process.env['KEELSON_LOG'] ?? 'warn' });
  let bound = 0;
  let done: () => void = () => {};
  const all = new Promise<void>(resolve => {
    done = resolve;
  });
  const watch = engine.view.subscribe(({ kind, object, previous }) => {
    if (kind !== 'Pod' || !(object as unknown as Pod).spec.nodeName) return;
    if (!(previous as unknown as Pod | undefined)?.spec.nodeName && ++bound === count) done();
  });
  const began = performance.now();
  const loop = new SchedulerLoop(schedulerView(engine.view), schedulerWrites(client as ApiClient, log), log);
  const late = setTimeout(() => {
    process.stderr.write(`bench: only ${bound} of ${count} pods were bound in two minutes\n`);
    process.exit(1);
  }, 120_000);
  await all;
  const ms = performance.now() - began;
  clearTimeout(late);
  watch.close();
  await loop.close();
  return ms;
}

async function inBatches(count: number, make: (i: number) => Promise<unknown>): Promise<void> {
  for (let i = 0; i < count; i += 200)
    await Promise.all(Array.from({ length: Math.min(200, count - i) }, (_, k) => make(i + k)));
}

function nodeOf(i: number): Node {
  const capacity = { cpu: '32', memory: '128Gi', pods: '110' };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: `node-${i}`,
      labels: { 'kubernetes.io/hostname': `node-${i}`, 'topology.kubernetes.io/zone': `zone-${i % 3}` },
    },
    status: { capacity, allocatable: capacity, conditions: [{ type: 'Ready', status: 'True' }] },
  };
}

function podOf(app: string, i: number, spec: object): object {
  const resources = { requests: { cpu: '100m', memory: '200Mi' } };
  return {
    metadata: { name: `${app}-${i}`, namespace: 'default', labels: { app } },
    spec: { containers: [{ name: 'c', image: 'localhost/pause:1', resources }], ...spec },
  };
}
