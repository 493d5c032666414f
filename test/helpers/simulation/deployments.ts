/** Deployments under users who change their minds, with pods, nodes and controllers that die. */
import type { Seen } from '../../../src/controllers/contract.js';
import { targetOf } from '../../../src/controllers/contract.js';
import { replicasOf } from '../../../src/controllers/deployment/bounds.js';
import { deploymentController } from '../../../src/controllers/deployment/deployment.js';
import { garbageCollector } from '../../../src/controllers/garbage-collector.js';
import { isPodActive, isPodReady } from '../../../src/controllers/pods/condition.js';
import { controllerRefOf } from '../../../src/controllers/pods/ownership.js';
import { replicaSetController } from '../../../src/controllers/replicaset.js';
import type { Deployment, ReplicaSet } from '../../../src/kube/api/apps-v1.js';
import type { Pod } from '../../../src/kube/pod.js';
import { deploymentBounds } from './deployment-bounds.js';
import type { Cluster, Scenario } from './history.js';
import { badImage } from './nodes.js';

const namespace = 'd';
const labels = { app: 'web' };

export const deploymentOf = ({ world }: Pick<Cluster, 'world'>): (Deployment & Seen) | undefined =>
  world.view.get('Deployment', namespace, 'web') as (Deployment & Seen) | undefined;
const setsOf = ({ world }: Cluster): (ReplicaSet & Seen)[] =>
  world.list('ReplicaSet', namespace) as (ReplicaSet & Seen)[];
const podsOf = ({ world }: Cluster): (Pod & Seen)[] => world.list('Pod', namespace) as unknown as (Pod & Seen)[];
const activePods = (cluster: Cluster): (Pod & Seen)[] => podsOf(cluster).filter(isPodActive);

function change(cluster: Cluster, spec: object): void {
  const deployment = deploymentOf(cluster);
  if (deployment) cluster.world.patch(targetOf(deployment), { spec }, 'user');
}

const image = (name: string): object => ({ template: { spec: { containers: [{ name: 'c', image: name }] } } });
const bound = ({ dice }: Cluster): number | string => dice.pick([0, 1, 2, '25%', '50%', '100%'])!;

function strategy(cluster: Cluster): object {
  if (cluster.dice.chance(0.25)) return { type: 'Recreate', rollingUpdate: null };
  return { type: 'RollingUpdate', rollingUpdate: { maxSurge: bound(cluster), maxUnavailable: bound(cluster) } };
}

const bare = (name: string): object => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace, labels } });

export const deployments: Scenario = {
  name: 'deployments',
  controllers: [deploymentController, replicaSetController, garbageCollector],

  setUp: cluster => {
    const { world, dice } = cluster;
    const spec = {
      replicas: dice.between(0, 6),
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'v0' }] } },
      strategy: strategy(cluster),
      progressDeadlineSeconds: 600,
      revisionHistoryLimit: dice.between(0, 3),
      minReadySeconds: dice.pick([0, 0, 0, 5])!,
    };
    if (spec.strategy && 'rollingUpdate' in spec.strategy && spec.strategy.rollingUpdate === null)
      spec.strategy = { type: 'Recreate' };
    world.create(
      { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', namespace }, spec } as never,
      'user',
    );
  },

  operations: {
    scale: cluster => change(cluster, { replicas: cluster.dice.between(0, 8) }),
    roll: cluster => change(cluster, image(`v${cluster.dice.between(0, 3)}`)),
    'roll on': cluster => change(cluster, image(`v${cluster.dice.between(0, 3)}`)),
    'roll to a bad image': cluster => change(cluster, image(badImage)),
    pause: cluster => change(cluster, { paused: true }),
    resume: cluster => change(cluster, { paused: null }),
    'change the strategy': cluster => change(cluster, { strategy: strategy(cluster) }),
    'change minReadySeconds': cluster => change(cluster, { minReadySeconds: cluster.dice.pick([0, 3])! }),
    undo: cluster => {
      const { template } = cluster.dice.pick(setsOf(cluster))?.spec ?? {};
      if (template?.spec) change(cluster, { template: { spec: template.spec } });
    },
    'delete a pod': cluster => {
      const pod = cluster.dice.pick(podsOf(cluster));
      if (pod) cluster.world.delete(targetOf(pod), 'user');
    },
    'delete a ReplicaSet': cluster => {
      const set = cluster.dice.pick(setsOf(cluster));
      const propagation = cluster.dice.pick(['Background', 'Foreground', 'Orphan']);
      if (set) cluster.world.delete(targetOf(set), 'user', { propagation });
    },
    'scale a ReplicaSet': cluster => {
      const set = cluster.dice.pick(setsOf(cluster));
      if (set) cluster.world.patch(targetOf(set), { spec: { replicas: cluster.dice.between(0, 4) } }, 'user');
    },
    'take a pod away': cluster => {
      const pod = cluster.dice.pick(activePods(cluster));
      if (pod) cluster.world.patch(targetOf(pod), { metadata: { labels: { app: 'other' } } }, 'user');
    },
    'give pods back': cluster => {
      for (const pod of activePods(cluster))
        if (pod.metadata.labels?.app === 'other')
          cluster.world.patch(targetOf(pod), { metadata: { labels: { app: 'web' } } }, 'user');
    },
    'make a bare pod': cluster => {
      const name = `bare-${cluster.world.revision}`;
      cluster.world.create({ ...bare(name), spec: { containers: [{ name: 'c', image: 'v0' }] } } as never, 'user');
    },
    'make a rival ReplicaSet': cluster => {
      const { world, dice } = cluster;
      const template = { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'rival' }] } };
      const metadata = { name: `rival-${world.revision}`, namespace, ...(dice.chance(0.5) && { labels }) };
      const spec = { replicas: dice.between(0, 3), selector: { matchLabels: labels }, template };
      world.create({ apiVersion: 'apps/v1', kind: 'ReplicaSet', metadata, spec } as never, 'user');
    },
    crash: cluster => {
      const pod = cluster.dice.pick(activePods(cluster).filter(isPodReady));
      if (pod) cluster.nodes.crash(pod);
    },
    evict: cluster => {
      const pod = cluster.dice.pick(activePods(cluster));
      if (pod) cluster.nodes.end(pod, 'Failed');
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
    'one controller dies': ({ restart, dice }) => restart(dice.pick(['deployment', 'replicaset', 'garbage-collector'])),
  },

  invariant: cluster => deploymentBounds(cluster, () => deploymentOf(cluster)),

  heal: cluster => {
    cluster.world.admit = () => undefined;
    for (const node of cluster.nodes.dead) cluster.nodes.revive(node);
    change(cluster, { paused: null, ...image('final') });
  },

  settled: cluster => [...atRest(cluster), ...noOrphans(cluster)],
};

/** The Deployment is what it should be, and says so. */
function atRest(cluster: Cluster): string[] {
  const deployment = deploymentOf(cluster)!;
  const replicas = replicasOf(deployment);
  const { status = {}, metadata } = deployment;
  const sets = setsOf(cluster).filter(set => controllerRefOf(set)?.uid === metadata.uid);
  const inUse = sets.filter(set => (set.spec?.replicas ?? 0) > 0);
  const pods = activePods(cluster).filter(pod => sets.some(set => controllerRefOf(pod)?.uid === set.metadata.uid));
  const says = [status.replicas, status.updatedReplicas, status.readyReplicas, status.availableReplicas];
  const progressing = status.conditions?.find(({ type }) => type === 'Progressing');
  const limit = deployment.spec?.revisionHistoryLimit ?? 10;
  return [
    pods.length === replicas || `${pods.length} pods instead of ${replicas}`,
    pods.every(isPodReady) || 'not all pods are ready',
    pods.every(pod => pod.spec.containers[0]?.image === 'final') || 'pods of an old template are left',
    inUse.length === Math.min(1, replicas) || `${inUse.length} ReplicaSets in use`,
    sets.length <= limit + 1 || `${sets.length} ReplicaSets with a history of ${limit}`,
    says.every(count => (count ?? 0) === replicas) || `status says ${says.join()} of ${replicas}`,
    (status.unavailableReplicas ?? 0) === 0 || `${status.unavailableReplicas} unavailable`,
    status.observedGeneration === metadata.generation || 'an old generation was observed',
    progressing?.reason === 'NewReplicaSetAvailable' || `Progressing is ${progressing?.reason}`,
    metadata.annotations?.['deployment.kubernetes.io/revision'] === String(newestRevision(sets)) ||
      'revision is not the newest',
  ].filter(item => item !== true);
}

const newestRevision = (sets: readonly ReplicaSet[]): number =>
  Math.max(...sets.map(({ metadata }) => Number(metadata.annotations?.['deployment.kubernetes.io/revision'] ?? 0)));

function noOrphans({ world }: Cluster): string[] {
  const all = world.kinds.flatMap(kind => world.list(kind));
  const uids = new Set(all.map(({ metadata }) => metadata.uid));
  return all
    .filter(({ metadata }) => metadata.ownerReferences?.some(({ uid }) => !uids.has(uid)))
    .map(({ kind, metadata }) => `${kind} ${metadata.name} has lost its owner`);
}
