/** Whatever comes and goes in whatever order: no node is overfilled, no port is given twice, nobody meets whom it shuns. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { clash } from '../../src/kube/host-ports.js';
import type { Pod } from '../../src/kube/pod.js';
import { Cluster } from '../../src/scheduler/cluster.js';
import { podInfo } from '../../src/scheduler/pod-info.js';
import { preempt } from '../../src/scheduler/preempt.js';
import { decide } from '../../src/scheduler/schedule.js';
import { termMatches } from '../../src/scheduler/terms.js';
import { choosing, nodeOf, objectsOf, podOf } from '../helpers/scheduling.js';

const app = fc.constantFrom('a', 'b', 'c');
const place = fc.constantFrom('kubernetes.io/hostname', 'zone');
const shuns = (of: string, topologyKey: string) => ({
  podAntiAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: [{ labelSelector: { matchLabels: { app: of } }, topologyKey }],
  },
});
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      cpu: fc.integer({ min: 0, max: 3000 }),
      app,
      port: fc.option(fc.constantFrom(80, 81), { nil: undefined }),
      shuns: fc.option(fc.tuple(app, place), { nil: undefined }),
      priority: fc.constantFrom(0, 0, 0, 10),
    }),
  },
  { weight: 1, arbitrary: fc.record({ leaves: fc.nat(30) }) },
  { weight: 1, arbitrary: fc.record({ cordon: fc.nat(3), on: fc.boolean() }) },
);

test('under random histories', () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 60 }),
      fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
      (steps, chance) => {
        const random = () => chance.next().value as number;
        const cluster = new Cluster(objectsOf());
        const node = (i: number, unschedulable = false) =>
          cluster.setNode(nodeOf(`n${i}`, { unschedulable, labels: { zone: `z${i % 2}` }, has: { pods: '6' } }));
        for (let i = 0; i < 4; i++) node(i);
        const placed: Pod[] = [];
        for (const [i, one] of steps.entries()) {
          if ('leaves' in one) {
            const [gone] = placed.splice(one.leaves, 1);
            if (gone) cluster.removePod(gone.metadata.uid!);
          } else if ('cordon' in one) node(one.cordon, one.on);
          else {
            const pod = podOf(`p${i}`, {
              ...{ labels: { app: one.app }, requests: { cpu: `${one.cpu}m` }, priority: one.priority },
              ...(one.port && { hostPorts: [one.port] }),
              ...(one.shuns && { affinity: shuns(...one.shuns) }),
            });
            arrive(pod, cluster, placed, random);
          }
          check(cluster);
        }
      },
    ),
    { numRuns: 300 },
  );
});

/** Placed, if need be after its victims have gone. */
function arrive(pod: Pod, cluster: Cluster, placed: Pod[], random: () => number): void {
  const info = podInfo(pod);
  const how = { ...choosing, random };
  let decision = decide(info, cluster, how);
  if ('why' in decision) {
    const made = preempt(info, { ...how, ...decision, cluster });
    if (typeof made === 'string') return;
    for (const { uid, priority } of made.pods) {
      expect(priority).toBeLessThan(info.priority);
      cluster.removePod(uid);
      placed.splice(
        placed.findIndex(({ metadata }) => metadata.uid === uid),
        1,
      );
    }
    decision = decide(info, cluster, how);
    // what was promised holds
    expect('node' in decision).toBe(true);
  }
  if (!('node' in decision)) return;
  const bound: Pod = { ...pod, spec: { ...pod.spec, nodeName: decision.node } };
  cluster.setPod(bound);
  placed.push(bound);
}

function check(cluster: Cluster): void {
  for (const node of cluster.nodes) {
    const pods = [...node.pods.values()];
    const cpu = pods.reduce((sum, { requests }) => sum + (requests.get('cpu') ?? 0), 0);
    expect(cpu).toBe(node.requested.get('cpu') ?? 0);
    expect(cpu).toBeLessThanOrEqual(4000);
    expect(pods.length).toBeLessThanOrEqual(6);
    const ports = pods.flatMap(info => info.ports);
    expect(ports).toHaveLength(node.ports.length);
    expect(ports.some((port, i) => ports.slice(i + 1).some(other => clash(port, other)))).toBe(false);
  }
  const all = cluster.nodes.flatMap(node => [...node.pods.values()].map(info => ({ info, node })));
  for (const { info, node } of all)
    for (const term of info.antiAffinity) {
      const near = all.filter(other => other.node.labels[term.topologyKey] === node.labels[term.topologyKey]);
      const met = near.filter(other => other.info !== info && termMatches(term, other.info, () => undefined));
      expect(met).toEqual([]);
    }
}
