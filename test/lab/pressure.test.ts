/** A node whose memory really runs short: who goes, what is said, and that all is well again. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { memoryMeasured } from '../../agent/eviction/measure.js';
import type { Node } from '../../src/kube/node.js';
import type { Pod } from '../../src/kube/pod.js';
import { eventually, startCluster } from '../helpers/cluster.js';

const mebi = 1 << 20;
const sleep = "trap 'exit 0' TERM; while :; do sleep 1; done";
/** dd holds a buffer of that many mebibytes, all of it written. */
const eat = (mebibytes: number) => `exec dd if=/dev/zero of=/dev/null bs=${mebibytes}M`;
const available = () => memoryMeasured(readFileSync('/proc/meminfo', 'utf8'))?.available ?? 0;

const pod = (name: string, command: string, memory: string | undefined) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: {
    terminationGracePeriodSeconds: 1,
    restartPolicy: 'Never',
    containers: [
      {
        name: 'app',
        image: 'localhost/busybox:1',
        command: ['sh', '-c', command],
        ...(memory && { resources: { requests: { memory } } }),
      },
    ],
  },
});

test('memory runs short: the pod that took most beyond its request goes, and only that', {
  timeout: 600_000,
}, async () => {
  const keep = Math.floor(available() / mebi) - 700;
  assert.ok(keep > 100, `only ${keep} MiB could be kept free`);
  await using cluster = await startCluster({
    flags: [
      ...['--eviction-hard', `memory.available<${keep}Mi`, '--eviction-minimum-reclaim', 'memory.available=20Mi'],
      ...['--eviction-pressure-transition-period', '10s'],
    ],
  });
  const get = (name: string) => cluster.get<Pod>('pod', name);
  const memory = async () =>
    (await cluster.get<Node>('node', cluster.name)).status?.conditions?.find(c => c.type === 'MemoryPressure');
  await cluster.apply(pod('idle', sleep, undefined), pod('within', eat(60), '200Mi'));
  for (const name of ['idle', 'within'])
    await eventually(`${name} runs`, async () => (await get(name)).status?.phase === 'Running');
  assert.equal((await memory())?.status, 'False');

  await cluster.apply(pod('eater', eat(Math.floor(available() / mebi) - keep + 100), '10Mi'));
  await eventually('it is evicted', async () => (await get('eater')).status?.phase === 'Failed');
  const { reason, message = '', conditions } = (await get('eater')).status ?? {};
  assert.equal(reason, 'Evicted');
  const container = 'Container app was using \\S+, request is 10Mi, has larger consumption of memory';
  assert.match(
    message,
    new RegExp(
      `^The node was low on resource: memory\\. Threshold quantity: ${keep}Mi, available: \\S+\\. ${container}\\. $`,
    ),
  );
  assert.equal(conditions?.find(c => c.type === 'DisruptionTarget')?.reason, 'TerminationByKubelet');
  const node = await cluster.kubectl('get', 'events', '--field-selector', 'involvedObject.kind=Node');
  assert.match(node, /EvictionThresholdMet\s+\S+\s+Attempting to reclaim memory/);
  assert.match(node, /NodeHasInsufficientMemory/);

  await eventually('the pressure is over', async () => (await memory())?.status === 'False');
  assert.equal((await memory())?.reason, 'KubeletHasSufficientMemory');
  for (const name of ['idle', 'within']) assert.equal((await get(name)).status?.phase, 'Running', name);
  await cluster.apply(pod('after', sleep, undefined));
  await eventually('pods are taken again', async () => (await get('after')).status?.phase === 'Running');
});
