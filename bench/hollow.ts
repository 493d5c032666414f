/**
 * One large Deployment on simulated nodes: the built controller and `keelson hollow` as processes of their own, real links, real
 * kubectl. From the start of `kubectl apply` to all available; then a rolling update of all; then what the controller costs
 * while nothing changes.
 */
import { readFileSync } from 'node:fs';
import { HollowCluster } from '../test/helpers/hollow.js';
import type { Row } from './report.js';

export interface DeploymentScale {
  readonly nodes: number;
  readonly pods: number;
}

const idleSeconds = 10;
/** Events are written behind the pods: they are to be through before quiet is measured. */
const settleSeconds = 15;

export async function benchDeployment({ nodes, pods }: DeploymentScale): Promise<Row[]> {
  await using hollow = await HollowCluster.start();
  const { cluster } = hollow;
  const fleet = await timed(() => hollow.nodes(nodes, '--zones', '3'));
  const rolledOut = () => cluster.kubectl('rollout', 'status', 'deployment/big', '--timeout=100s');
  const processor = () => processorSeconds(cluster.pidOf('controller'));
  const before = processor();
  const deployed = await timed(async () => {
    await cluster.apply(deployment(pods));
    await rolledOut();
  });
  const used = processor() - before;
  const restarted = await timed(async () => {
    await cluster.kubectl('rollout', 'restart', 'deployment/big');
    await rolledOut();
  });
  await seconds(settleSeconds);
  const quiet = processor();
  await seconds(idleSeconds);
  const idle = processor() - quiet;
  const what = `Deployment of ${pods} pods, ${nodes} hollow nodes`;
  const row = (name: string, value: number, more: Partial<Row> = {}): Row => ({
    ...{ part: 'scheduler', what: `${what}: ${name}`, value, unit: 's' },
    ...more,
  });
  return [
    row('the nodes registered', fleet),
    row('kubectl apply → all available', deployed, {
      target: { of: 'value', sense: 'at most', bound: 30 },
      note: `processor time of the controller ${((used / pods) * 1000).toFixed(2)} ms a pod`,
    }),
    row('rolling update of all', restarted, { note: 'maxSurge and maxUnavailable 25 %' }),
    row(`processor time of the controller in ${idleSeconds} quiet s`, idle, {
      note: 'heartbeats and pings of the nodes',
    }),
  ];
}

function deployment(replicas: number): object {
  const labels = { app: 'big' };
  const container = { name: 'c', image: 'localhost/x:1', resources: { requests: { cpu: '10m', memory: '10Mi' } } };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'big' },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [container] } },
    },
  };
}

/** Seconds. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}

const seconds = (count: number) => new Promise(resolve => setTimeout(resolve, count * 1000));

/** proc(5): utime and stime in 1/100 s. */
function processorSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
