/** StatefulSets under users who change their minds, with pods, nodes and controllers that die. */
import type { Seen } from '../../../src/controllers/contract.js';
import { targetOf } from '../../../src/controllers/contract.js';
import { garbageCollector } from '../../../src/controllers/garbage-collector.js';
import { isPodReady } from '../../../src/controllers/pods/condition.js';
import { identityOf, ordinalOf } from '../../../src/controllers/statefulset/identity.js';
import { statefulSetController } from '../../../src/controllers/statefulset/index.js';
import type { StatefulSet } from '../../../src/kube/api/apps-v1.js';
import type { Pod } from '../../../src/kube/pod.js';
import type { Cluster, Scenario } from './history.js';
import { badImage } from './nodes.js';

const namespace = 'd';
const labels = { app: 'db' };

const setOf = ({ world }: Cluster): (StatefulSet & Seen) | undefined =>
  world.view.get('StatefulSet', namespace, 'db') as (StatefulSet & Seen) | undefined;
const podsOf = ({ world }: Cluster): (Pod & Seen)[] => world.list('Pod', namespace) as unknown as (Pod & Seen)[];

function change(cluster: Cluster, spec: object): void {
  const set = setOf(cluster);
  if (set) cluster.world.patch(targetOf(set), { spec }, 'user');
}

const image = (name: string): object => ({ template: { spec: { containers: [{ name: 'c', image: name }] } } });
const rolling = (rollingUpdate: object): object => ({ updateStrategy: { type: 'RollingUpdate', rollingUpdate } });

export const statefulSets: Scenario = {
  name: 'stateful sets',
  controllers: [statefulSetController, garbageCollector],

  setUp: ({ world, dice }) => {
    const spec = {
      replicas: dice.between(0, 5),
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'v0' }] } },
      podManagementPolicy: dice.pick(['OrderedReady', 'Parallel']),
      ordinals: { start: dice.pick([0, 0, 3]) },
      minReadySeconds: dice.pick([0, 0, 3]),
      revisionHistoryLimit: dice.between(0, 3),
      ...rolling({ partition: 0 }),
    };
    const metadata = { name: 'db', namespace };
    world.create({ apiVersion: 'apps/v1', kind: 'StatefulSet', metadata, spec } as never, 'user');
  },

  operations: {
    scale: cluster => change(cluster, { replicas: cluster.dice.between(0, 6) }),
    roll: cluster => change(cluster, image(`v${cluster.dice.between(0, 3)}`)),
    'roll to a bad image': cluster => change(cluster, image(badImage)),
    partition: cluster => change(cluster, rolling({ partition: cluster.dice.between(0, 6) })),
    'several at once': cluster => change(cluster, rolling({ maxUnavailable: cluster.dice.pick([1, 2, '50%']) })),
    'only on delete': cluster => change(cluster, { updateStrategy: { type: 'OnDelete', rollingUpdate: null } }),
    'begin elsewhere': cluster => change(cluster, { ordinals: { start: cluster.dice.between(0, 3) } }),
    'delete a pod': cluster => {
      const pod = cluster.dice.pick(podsOf(cluster));
      if (pod) cluster.world.delete(targetOf(pod), 'user');
    },
    'take a pod away': cluster => {
      const pod = cluster.dice.pick(podsOf(cluster));
      if (pod) cluster.world.patch(targetOf(pod), { metadata: { labels: { app: 'other' } } }, 'user');
    },
    'a pod fails': cluster => {
      const pod = cluster.dice.pick(podsOf(cluster).filter(isPodReady));
      if (pod) cluster.nodes.end(pod, 'Failed');
    },
    crash: cluster => {
      const pod = cluster.dice.pick(podsOf(cluster).filter(isPodReady));
      if (pod) cluster.nodes.crash(pod);
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

  invariant: cluster => change => {
    const { object, by, type } = change;
    if (object.kind !== 'Pod' || by !== 'statefulset') return undefined;
    const pod = object as unknown as Pod;
    // nothing that a node has not confirmed is ever removed with force
    if (type === 'DELETED' && pod.spec.nodeName && pod.status?.phase !== 'Failed')
      return `${object.metadata.name} was removed with force`;
    const set = setOf(cluster);
    const wrong = set && identityOf(object.metadata.name)?.set !== set.metadata.name;
    return type === 'ADDED' && wrong ? `${object.metadata.name} is nobody's name` : undefined;
  },

  heal: cluster => {
    cluster.world.admit = () => undefined;
    for (const node of cluster.nodes.dead) cluster.nodes.revive(node);
    change(cluster, { ...rolling({ partition: 0, maxUnavailable: null }), ...image('final') });
    removeBroken(cluster);
    // one that was decided on before may still come
    cluster.world.clock.after(30_000, () => removeBroken(cluster));
  },

  settled: cluster => atRest(cluster),
};

/** An ordered set waits for a broken pod for ever (Kubernetes docs: "Forced rollback"): people remove it. */
function removeBroken(cluster: Cluster): void {
  for (const pod of podsOf(cluster)) {
    const isOther = pod.metadata.labels?.app !== labels.app;
    if (isOther || pod.spec.containers[0]?.image === badImage) cluster.world.delete(targetOf(pod), 'user');
  }
}

function atRest(cluster: Cluster): string[] {
  const { spec, status, metadata } = setOf(cluster)!;
  const replicas = spec?.replicas ?? 1;
  const first = spec?.ordinals?.start ?? 0;
  const pods = podsOf(cluster);
  const numbers = pods.map(ordinalOf).sort((a, b) => a - b);
  const wanted = Array.from({ length: replicas }, (_, i) => first + i);
  const revisions = cluster.world.list('ControllerRevision', namespace);
  const says = [status?.replicas, status?.readyReplicas, status?.availableReplicas, status?.updatedReplicas];
  return [
    numbers.join() === wanted.join() || `pods ${numbers.join()} instead of ${wanted.join()}`,
    pods.every(isPodReady) || 'not all pods are ready',
    pods.every(pod => pod.spec.containers[0]?.image === 'final') || 'pods of an old template are left',
    says.every(count => (count ?? 0) === replicas) || `status says ${says.join()} of ${replicas}`,
    status?.currentRevision === status?.updateRevision || 'not rolled out',
    status?.observedGeneration === metadata.generation || 'an old generation was observed',
    revisions.length <= (spec?.revisionHistoryLimit ?? 10) + 1 || `${revisions.length} revisions`,
  ].filter(item => item !== true);
}
