/** Jobs whose pods succeed, fail, are deleted and lost: each pod is counted once. */
import type { Seen } from '../../../src/controllers/contract.js';
import { targetOf } from '../../../src/controllers/contract.js';
import { garbageCollector } from '../../../src/controllers/garbage-collector.js';
import { jobController } from '../../../src/controllers/job/index.js';
import { parseIndexes } from '../../../src/controllers/job/indexes.js';
import { isTracked, tracking } from '../../../src/controllers/job/pods.js';
import { isFinished } from '../../../src/controllers/job/verdict.js';
import { isPodReady } from '../../../src/controllers/pods/condition.js';
import type { Job } from '../../../src/kube/api/batch-v1.js';
import type { Pod } from '../../../src/kube/pod.js';
import type { Cluster, Scenario } from './history.js';

const namespace = 'd';
const labels = { job: 'work' };

const jobOf = ({ world }: Cluster): Job & Seen => world.view.get('Job', namespace, 'work') as unknown as Job & Seen;
const podsOf = ({ world }: Cluster): (Pod & Seen)[] => world.list('Pod', namespace) as unknown as (Pod & Seen)[];
const change = (cluster: Cluster, spec: object): void =>
  void cluster.world.patch(targetOf(jobOf(cluster)), { spec }, 'user');

/** UIDs of pods that ended, or were sent away, while they were tracked: what has to be counted. */
const counted = new WeakMap<object, Set<string>>();

/** Work takes a while, and fails now and then. */
function work(cluster: Cluster): void {
  const due = new Set<string>();
  counted.set(cluster.world, due);
  cluster.world.subscribe(({ object, type }) => {
    if (object.kind !== 'Pod' || type === 'DELETED') return;
    const pod = object as unknown as Pod & Seen;
    const ended = pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
    if (isTracked(pod) && (ended || pod.metadata.deletionTimestamp)) due.add(pod.metadata.uid ?? '');
    if (!isPodReady(pod) || ended) return;
    cluster.world.clock.after(cluster.dice.between(0, 5000), () => {
      const now = podsOf(cluster).find(({ metadata }) => metadata.uid === pod.metadata.uid);
      if (now && isPodReady(now)) cluster.nodes.end(now, cluster.dice.chance(0.8) ? 'Succeeded' : 'Failed');
    });
  });
}

export const jobs: Scenario = {
  name: 'jobs',
  controllers: [jobController, garbageCollector],

  setUp: cluster => {
    const { world, dice } = cluster;
    work(cluster);
    const spec = {
      completions: dice.between(0, 6),
      parallelism: dice.between(1, 4),
      completionMode: dice.pick(['NonIndexed', 'Indexed']),
      backoffLimit: dice.pick([0, 2, 50]),
      podReplacementPolicy: dice.pick(['TerminatingOrFailed', 'Failed']),
      suspend: dice.chance(0.2),
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'v0' }] } },
    };
    world.create({ apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'work', namespace }, spec } as never, 'user');
  },

  operations: {
    parallelism: cluster => change(cluster, { parallelism: cluster.dice.between(0, 5) }),
    suspend: cluster => change(cluster, { suspend: true }),
    resume: cluster => change(cluster, { suspend: false }),
    'delete a pod': cluster => {
      const pod = cluster.dice.pick(podsOf(cluster));
      if (pod) cluster.world.delete(targetOf(pod), 'user');
    },
    'a node dies': cluster => {
      const node = cluster.dice.pick(cluster.nodes.alive);
      if (node) cluster.nodes.kill(node);
    },
    'a node comes back': cluster => {
      const node = cluster.dice.pick(cluster.nodes.dead);
      if (node) cluster.nodes.revive(node);
    },
    'refuse pods': ({ world }) => {
      world.admit = object => (object.kind === 'Pod' ? 'exceeded quota' : undefined);
    },
    'admit pods': ({ world }) => {
      world.admit = () => undefined;
    },
    'controllers die': ({ restart }) => restart(),
  },

  invariant:
    cluster =>
    ({ object, previous, type }) => {
      if (object.kind !== 'Job' || type !== 'MODIFIED') return undefined;
      const [now, before] = [object as Job, previous as unknown as Job];
      if ((now.status?.succeeded ?? 0) < (before.status?.succeeded ?? 0)) return 'a success was forgotten';
      if ((now.status?.failed ?? 0) < (before.status?.failed ?? 0)) return 'a failure was forgotten';
      const sum = (now.status?.succeeded ?? 0) + (now.status?.failed ?? 0);
      const due = counted.get(cluster.world)?.size ?? 0;
      return sum > due ? `${sum} counted, but only ${due} pods have ended` : undefined;
    },

  heal: cluster => {
    cluster.world.admit = () => undefined;
    for (const node of cluster.nodes.dead) cluster.nodes.revive(node);
    const { parallelism = 0 } = jobOf(cluster).spec ?? {};
    change(cluster, { suspend: false, parallelism: Math.max(1, parallelism) });
  },

  settled: cluster => {
    const job = jobOf(cluster);
    const { spec, status } = job;
    const sum = (status?.succeeded ?? 0) + (status?.failed ?? 0);
    const due = counted.get(cluster.world)?.size ?? 0;
    const complete = status?.conditions?.some(({ type }) => type === 'Complete');
    const indexed = spec?.completionMode === 'Indexed';
    return [
      isFinished(job) || 'the Job has not ended',
      podsOf(cluster).every(pod => !pod.metadata.finalizers?.includes(tracking)) || 'pods are still tracked',
      Object.keys(status?.uncountedTerminatedPods ?? {}).length === 0 || 'UIDs are left in the status',
      indexed || sum === due || `${sum} counted of ${due}`,
      !complete || (status?.succeeded ?? 0) >= (spec?.completions ?? 0) || 'complete without its successes',
      !indexed || parseIndexes(status?.completedIndexes).size === (status?.succeeded ?? 0) || 'indexes do not add up',
    ].filter(item => item !== true);
  },
};
