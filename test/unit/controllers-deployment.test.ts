/** ReplicaSets and Deployments as tables: what there is, and what is to be done. */
import { describe, expect, test } from 'vitest';
import type { Action, Seen } from '../../src/controllers/contract.js';
import { deploymentController } from '../../src/controllers/deployment/deployment.js';
import { isSameTemplate, templateHash } from '../../src/controllers/deployment/hash.js';
import { replicaSetController } from '../../src/controllers/replicaset.js';
import { timestamp } from '../../src/kube/time.js';
import { facts, object, start } from '../helpers/facts.js';

const labels = { app: 'w' };
const template = (image: string) => ({ metadata: { labels }, spec: { containers: [{ name: 'c', image }] } });
const ownedBy = ({ apiVersion, kind, metadata }: Seen) => [
  { apiVersion, kind, name: metadata.name, uid: metadata.uid!, controller: true, blockOwnerDeletion: true },
];

function deployment(spec: object = {}, status: object = {}, annotations: Record<string, string> = {}): Seen {
  return object('Deployment', 'w', 'n', {
    apiVersion: 'apps/v1',
    metadata: { generation: 2, annotations },
    spec: {
      replicas: 10,
      selector: { matchLabels: labels },
      template: template('new'),
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 3, maxUnavailable: 2 } },
      progressDeadlineSeconds: 600,
      ...spec,
    },
    status,
  });
}

interface Given {
  readonly image?: string;
  readonly size?: number;
  readonly available?: number;
  readonly desired?: number;
  readonly max?: number;
  readonly revision?: number;
  readonly minReadySeconds?: number;
}

/** A ReplicaSet of `owner` with its pods. */
function set(
  owner: Seen,
  name: string,
  { image = 'new', size = 10, available = size, desired = 10, max = 13, revision = 1, minReadySeconds = 0 }: Given = {},
): Seen[] {
  const replicaSet = object('ReplicaSet', name, 'n', {
    apiVersion: 'apps/v1',
    metadata: {
      generation: 1,
      labels,
      creationTimestamp: timestamp(start - 1000 * (image === 'new' ? 1 : 100 - revision)),
      ownerReferences: ownedBy(owner),
      annotations: {
        'deployment.kubernetes.io/desired-replicas': String(desired),
        'deployment.kubernetes.io/max-replicas': String(max),
        'deployment.kubernetes.io/revision': String(revision),
      },
    },
    spec: { replicas: size, minReadySeconds, selector: { matchLabels: labels }, template: template(image) },
    status: { replicas: size, readyReplicas: available, availableReplicas: available, observedGeneration: 1 },
  });
  const pods = Array.from({ length: size }, (_, i) => pod(replicaSet, `${name}-${i}`, i < available));
  return [replicaSet, ...pods];
}

const pod = (owner: Seen, name: string, ready: boolean): Seen =>
  object('Pod', name, 'n', {
    metadata: { labels, ownerReferences: ownedBy(owner) },
    spec: { nodeName: 'a', containers: [] },
    status: {
      phase: 'Running',
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: timestamp(start - 9000) }],
    },
  });

const run = (...objects: Seen[]) => deploymentController.reconcile(facts(objects), 'n/w');
const sizes = (actions: readonly Action[]) =>
  Object.fromEntries(
    actions.flatMap(action => {
      if (action.do === 'create')
        return [[action.object.metadata.name, (action.object as Seen & { spec: { replicas: number } }).spec.replicas]];
      const replicas =
        action.do === 'patch' ? (action.patch as { spec?: { replicas?: number } }).spec?.replicas : undefined;
      return action.do === 'patch' && replicas !== undefined ? [[action.target.name, replicas]] : [];
    }),
  );
const statusOf = (actions: readonly Action[]) =>
  actions
    .filter(action => action.do === 'patch' && action.subresource === 'status')
    .map(action => (action as { patch: { status: Record<string, unknown> } }).patch.status)[0] ?? {};
const conditionOf = (actions: readonly Action[], type: string) =>
  (statusOf(actions).conditions as { type: string }[] | undefined)?.find(one => one.type === type);

describe('a rolling update', () => {
  const d = deployment();
  test('begins with a ReplicaSet as large as the surge allows', () => {
    const before = deployment({}, { replicas: 10, readyReplicas: 10, availableReplicas: 10 });
    const { actions } = run(before, ...set(d, 'old', { image: 'old' }));
    const name = `w-${templateHash(template('new'), 0)}`;
    expect(sizes(actions)).toEqual({ [name]: 3 });
    expect(actions[0]).toMatchObject({
      object: {
        metadata: {
          labels: { 'pod-template-hash': name.slice(2) },
          annotations: { 'deployment.kubernetes.io/revision': '2' },
        },
        spec: { selector: { matchLabels: { ...labels, 'pod-template-hash': name.slice(2) } } },
      },
      tell: { done: { reason: 'ScalingReplicaSet', message: `Scaled up replica set ${name} from 0 to 3` } },
    });
    expect(conditionOf(actions, 'Progressing')).toMatchObject({ reason: 'NewReplicaSetCreated' });
  });
  const both = (old: object, fresh: object) => [
    ...set(d, 'old', { image: 'old', ...old }),
    ...set(d, 'new', { revision: 2, ...fresh }),
  ];
  test.each([
    ['the old shrinks to what must be available', both({}, { size: 3, available: 0 }), { old: 8 }],
    ['the new grows into the room', both({ size: 8 }, { size: 3, available: 0 }), { new: 5 }],
    ['not more than that', both({ size: 8 }, { size: 5, available: 0 }), {}],
    ['unhealthy pods of the old go first', both({ size: 10, available: 4 }, { size: 3, available: 0 }), { old: 8 }],
    ['the new one replaces as it becomes available', both({ size: 8 }, { size: 5, available: 3 }), { old: 5 }],
    ['the last', both({ size: 1 }, { size: 10 }), { old: 0 }],
  ])('%s', (_what, objects, expected) => expect(sizes(run(d, ...objects).actions)).toEqual(expected));

  test('pods of an old set that are still to be removed leave no room', () => {
    const objects = both({ size: 10 }, { size: 3 });
    (objects[0] as unknown as { spec: { replicas: number } }).spec.replicas = 5;
    expect(sizes(run(d, ...objects).actions)).toEqual({});
  });

  test('scaled in the middle: each gets its share', () => {
    const wider = deployment({ replicas: 15 });
    const objects = both({ size: 8 }, { size: 5, available: 0 });
    expect(sizes(run(wider, ...objects).actions)).toEqual({ old: 11, new: 7 });
  });

  test('complete: says so, and tidies its history', () => {
    const limited = deployment({ revisionHistoryLimit: 1 }, { updatedReplicas: 1 });
    const olds = [1, 2, 3].flatMap(revision =>
      set(d, `old${revision}`, { image: `old${revision}`, size: 0, revision }),
    );
    const { actions } = run(limited, ...olds, ...set(d, 'new', { revision: 4 }));
    expect(actions.filter(action => action.do === 'delete').map(({ target }) => target.name)).toEqual(['old1', 'old2']);
    expect(conditionOf(actions, 'Progressing')).toMatchObject({
      status: 'True',
      reason: 'NewReplicaSetAvailable',
      message: 'ReplicaSet "new" has successfully progressed.',
    });
    expect(statusOf(actions)).toMatchObject({
      replicas: 10,
      updatedReplicas: 10,
      readyReplicas: 10,
      availableReplicas: 10,
    });
  });

  test('going back: the old ReplicaSet becomes the newest revision', () => {
    const { actions } = run(
      d,
      ...set(d, 'new', { size: 0, revision: 1 }),
      ...set(d, 'other', { image: 'other', revision: 2 }),
    );
    expect(actions[0]).toMatchObject({
      target: { name: 'new' },
      patch: {
        metadata: {
          annotations: {
            'deployment.kubernetes.io/revision': '3',
            'deployment.kubernetes.io/revision-history': '1',
          },
        },
      },
    });
  });
});

test('Recreate: the old go first, and all of them', () => {
  const d = deployment({ strategy: { type: 'Recreate' } });
  const old = set(d, 'old', { image: 'old' });
  expect(sizes(run(d, ...old).actions)).toEqual({ old: 0 });
  const stopped = set(d, 'old', { image: 'old', size: 0 });
  const last = { ...pod(stopped[0]!, 'last', true) };
  last.metadata = { ...last.metadata, deletionTimestamp: timestamp(start) };
  expect(sizes(run(d, ...stopped, last).actions)).toEqual({});
  expect(Object.values(sizes(run(d, ...stopped).actions))).toEqual([10]);
});

test('paused: nothing new, but it is scaled', () => {
  const paused = { type: 'Progressing', status: 'Unknown', reason: 'DeploymentPaused' };
  const d = deployment({ paused: true, replicas: 4 }, { conditions: [paused] });
  expect(sizes(run(d, ...set(d, 'old', { image: 'old' })).actions)).toEqual({ old: 4 });
});

test('a deadline that passes is told, and looked for', () => {
  const since = (seconds: number) => ({
    conditions: [
      {
        type: 'Progressing',
        status: 'True',
        reason: 'ReplicaSetUpdated',
        lastUpdateTime: timestamp(start - seconds * 1000),
      },
    ],
    replicas: 1,
    updatedReplicas: 1,
    readyReplicas: 0,
  });
  const objects = (d: Seen) => [d, ...set(d, 'new', { size: 1, available: 0, desired: 1, max: 4 })];
  const going = deployment({ replicas: 1 }, since(10));
  expect(run(...objects(going)).requeueAfterMs).toBe(591_000);
  const stuck = deployment({ replicas: 1 }, since(601));
  expect(conditionOf(run(...objects(stuck)).actions, 'Progressing')).toMatchObject({
    status: 'False',
    reason: 'ProgressDeadlineExceeded',
    message: 'ReplicaSet "new" has timed out progressing.',
  });
});

test('a name that is taken is counted, and the next one is another', () => {
  const d = deployment();
  const name = `w-${templateHash(template('new'), 0)}`;
  const { actions } = run(d, object('ReplicaSet', name, 'n', { spec: {}, metadata: { labels: { app: 'x' } } }));
  expect(statusOf(actions)).toMatchObject({ collisionCount: 1 });
  expect(templateHash(template('new'), 1)).not.toBe(templateHash(template('new'), 0));
});

test('hashes do not depend on the order of keys, and templates are the same but for the hash', () => {
  const other = { spec: { containers: [{ image: 'new', name: 'c' }] }, metadata: { labels } };
  expect(templateHash(other, 0)).toBe(templateHash(template('new'), 0));
  expect(templateHash(other, 0)).toMatch(/^[bcdfghjklmnpqrstvwxz2456789]{1,10}$/);
  const hashed = { ...other, metadata: { labels: { ...labels, 'pod-template-hash': 'x' } } };
  expect(isSameTemplate(hashed, template('new'))).toBe(true);
  expect(isSameTemplate(hashed, template('newer'))).toBe(false);
});

describe('a ReplicaSet', () => {
  const d = deployment();
  const reconcile = (objects: Seen[], more: object = {}) =>
    replicaSetController.reconcile({ ...facts(objects), ...more }, 'n/s');
  const [s, ...pods] = set(d, 's', { size: 3 }) as [Seen, ...Seen[]];

  test('at rest: nothing', () => {
    const quiet = {
      ...s,
      status: {
        replicas: 3,
        fullyLabeledReplicas: 3,
        readyReplicas: 3,
        availableReplicas: 3,
        terminatingReplicas: 0,
        observedGeneration: 1,
      },
    };
    expect(reconcile([quiet, ...pods])).toEqual({ actions: [] });
  });

  test('makes what is missing, and says what it sees', () => {
    const { actions } = reconcile([s, pods[0]!]);
    expect(actions.map(action => action.do)).toEqual(['create', 'create', 'patch']);
    expect(statusOf(actions)).toMatchObject({ replicas: 1, fullyLabeledReplicas: 1, readyReplicas: 1 });
  });

  test('removes what is too much, of one that is going nothing', () => {
    const extra = pod(s, 'extra', false);
    expect(reconcile([s, ...pods, extra]).actions[0]).toMatchObject({ do: 'delete', target: { name: 'extra' } });
    const going = { ...s, metadata: { ...s.metadata, deletionTimestamp: timestamp(start) } };
    expect(reconcile([going, ...pods, extra]).actions.filter(action => action.do !== 'patch')).toEqual([]);
  });

  test('tells why it cannot, and no longer when it can', () => {
    const refused = { message: 'exceeded quota', reason: 'Forbidden' };
    const failing = conditionOf(reconcile([s, pods[0]!], { refused }).actions, 'ReplicaFailure');
    expect(failing).toMatchObject({ status: 'True', reason: 'FailedCreate', message: 'exceeded quota' });
    const failed = { ...s, status: { replicas: 1, conditions: [failing] } };
    expect(statusOf(reconcile([failed, ...pods]).actions)).toMatchObject({ conditions: null });
  });

  test('looks again when the next pod becomes available', () => {
    const [late, ...their] = set(d, 's', { size: 3, minReadySeconds: 10 }) as [Seen, ...Seen[]];
    const outcome = reconcile([late, ...their]);
    expect(outcome.requeueAfterMs).toBe(1000);
    expect(statusOf(outcome.actions)).toMatchObject({ availableReplicas: null });
  });

  test('a hundred thousand: some at a time', () => {
    const huge = { ...s, spec: { ...(s.spec as object), replicas: 100_000 } };
    expect(reconcile([huge]).actions.filter(action => action.do === 'create')).toHaveLength(500);
  });
});
