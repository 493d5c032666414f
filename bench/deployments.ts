/**
 * A Deployment on a whole cluster with one real node, by kubectl: 100 pods from nothing to all Ready, a rolling update of
 * ten, and what the controllers use when nothing changes. `kubectl` starts and ends within every figure.
 */

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Cluster, startCluster } from '../test/helpers/cluster.js';
import { pausingPod, stateFolder } from './pods.js';
import type { Row } from './report.js';
import { median } from './statistics.js';

export interface DeploymentsOptions {
  readonly rounds: number;
}

const size = 100;
const rolled = 10;
const idleMs = 5000;

export async function benchDeployments({ rounds }: DeploymentsOptions): Promise<Row[]> {
  await using cluster = await startCluster({ parent: stateFolder, flags: ['--max-pods', '250'] });
  const ready: number[] = [];
  const updated: number[] = [];
  let idle = 0;
  for (let round = -1; round < rounds; round++) {
    const name = `d${round + 1}`;
    const toReady = await timed(() => rollOut(cluster, deployment(name, size, 'a')));
    if (round === 0) idle = await processorTime(cluster, idleMs);
    await rollOut(cluster, deployment(name, rolled, 'a'));
    const toUpdated = await timed(() => rollOut(cluster, deployment(name, rolled, 'b')));
    await cluster.kubectl('delete', 'deployment', name, '--cascade=foreground');
    if (round < 0) continue; // the first one also warms up
    ready.push(toReady);
    updated.push(toUpdated);
  }
  const row = (what: string, value: number, unit: string, more: Partial<Row> = {}): Row => ({
    part: 'deployments',
    what,
    value,
    unit,
    note: `n=${rounds}`,
    ...more,
  });
  return [
    row(`Deployment of ${size} pods, apply → all Ready, median`, median(ready), 'ms', {
      target: { of: 'value', sense: 'at most', bound: 2000 },
    }),
    row(`Deployment of ${rolled} pods, rolling update, median`, median(updated), 'ms'),
    row(`Controller, ${size} pods of a Deployment, nothing changes: processor time per second`, idle, 'ms', {
      note: `over ${idleMs / 1000} s, with the node's heartbeats`,
    }),
  ];
}

function deployment(name: string, replicas: number, version: string) {
  const { spec } = pausingPod(name) as { spec: object };
  const labels = { app: name };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels, annotations: { version } }, spec },
    },
  };
}

async function rollOut(cluster: Cluster, object: ReturnType<typeof deployment>): Promise<void> {
  await cluster.apply(object);
  await cluster.kubectl('rollout', 'status', `deployment/${object.metadata.name}`, '--timeout=120s');
}

async function timed(act: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await act();
  return performance.now() - began;
}

/** Milliseconds per second that the controller used in that time (proc(5): utime, stime in 1/100 s). */
async function processorTime(cluster: Cluster, ms: number): Promise<number> {
  const used = (): number => {
    const fields = readFileSync(`/proc/${cluster.pidOf('controller')}/stat`, 'utf8')
      .split(') ')[1]!
      .split(' ');
    return (Number(fields[11]) + Number(fields[12])) * 10;
  };
  await sleep(ms); // what the pods have caused has ended
  const before = used();
  await sleep(ms);
  return ((used() - before) * 1000) / ms;
}
