/** StatefulSet as tables: what there is, what is to be done. */
import { describe, expect, test } from 'vitest';
import type { Seen } from '../../src/controllers/contract.js';
import { historyOf } from '../../src/controllers/revisions/history.js';
import { hashLabel } from '../../src/controllers/statefulset/identity.js';
import { statefulSetController } from '../../src/controllers/statefulset/index.js';
import { plan } from '../../src/controllers/statefulset/plan.js';
import type { StatefulSet } from '../../src/kube/api/apps-v1.js';
import type { Pod } from '../../src/kube/pod.js';
import { facts, object, start } from '../helpers/facts.js';
import { deeds, ownerOf, type PodState, pod, statusOf } from '../helpers/workloads.js';

const template = (image = 'a') => ({
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'c', image }] },
});
const set = (spec: object = {}, more: object = {}) =>
  object('StatefulSet', 'web', 'd', {
    apiVersion: 'apps/v1',
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: 'web' } },
      serviceName: 'svc',
      template: template(),
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
      ...spec,
    },
    ...more,
  }) as unknown as StatefulSet & Seen;

const parallel = { podManagementPolicy: 'Parallel' };
const up: PodState = { ready: true };
/** One pod per word: `n` new and well, `o` old and well, `N`/`O` not ready, `x` failed, `t` terminating, `-` none. */
function pods(states: string, first = 0): Pod[] {
  const meanings: Record<string, PodState> = {
    n: up,
    o: up,
    N: {},
    O: {},
    x: { phase: 'Failed' },
    t: { ...up, deleted: true },
  };
  return [...states].flatMap((letter, i) => {
    const state = meanings[letter];
    const revision = letter === 'o' || letter === 'O' ? 'old' : 'new';
    return state ? [pod(`web-${first + i}`, { ...state, labels: { 'controller-revision-hash': revision } })] : [];
  });
}
const planned = (spec: object, states: string, first = 0) =>
  plan({ set: set(spec), pods: pods(states, first), update: 'new', now: start }).map(deed =>
    deed.do === 'create'
      ? `+${deed.ordinal}${deed.revision === 'current' ? ' old' : ''}`
      : `${deed.do} ${deed.pod.metadata.name}`,
  );
const rolling = (more: object) => ({ updateStrategy: { type: 'RollingUpdate', rollingUpdate: more } });

test.each<[string, object, string, string[]]>([
  ['the first comes first', {}, '---', ['+0']],
  ['the next waits until it is ready', {}, 'N--', []],
  ['and comes then', {}, 'n--', ['+1']],
  ['nothing to do', {}, 'nnn', []],
  ['a gap is filled', {}, 'n-n', ['+1']],
  ['a terminating pod blocks its successor', {}, 'nt-', []],
  ['one that failed is removed first', {}, 'nxn', ['recreate web-1']],
  ['parallel: all at once', parallel, '---', ['+0', '+1', '+2']],
  ['parallel: around what terminates', parallel, '-tN', ['+0']],
  ['scaled down from the top, one by one', { replicas: 1 }, 'nnn', ['delete web-2']],
  ['each only when the one above is gone', { replicas: 1 }, 'nnt', []],
  ['not while a lower one is unwell', { replicas: 1 }, 'Nnn', []],
  ['the lowest unwell one may go', { replicas: 1 }, 'nN-', ['delete web-1']],
  ['a higher unwell one waits for it', { replicas: 1 }, 'nNN', []],
  ['parallel: all that are too many', { ...parallel, replicas: 1 }, 'nNn', ['delete web-2', 'delete web-1']],
  ['to nothing', { replicas: 0 }, 'n--', ['delete web-0']],
  ['an update goes from the top', {}, 'ooo', ['delete web-2']],
  ['and waits for each', {}, 'ooN', []],
  ['and goes on', {}, 'oon', ['delete web-1']],
  ['down to the partition', rolling({ partition: 2 }), 'oon', []],
  ['what is made anew below the partition stays old', rolling({ partition: 2 }), 'o--', ['+1 old']],
  ['several at once', { ...parallel, ...rolling({ maxUnavailable: 2 }) }, 'ooo', ['delete web-2', 'delete web-1']],
  ['whoever is unavailable counts', { ...parallel, ...rolling({ maxUnavailable: 2 }) }, 'ooN', ['delete web-1']],
  [
    'percent, rounded down, at least one',
    { ...parallel, ...rolling({ maxUnavailable: '60%' }) },
    'ooo',
    ['delete web-2'],
  ],
  ['parallel: an unwell old one is replaced', parallel, 'ooO', ['delete web-2']],
  ['on delete: never by itself', { updateStrategy: { type: 'OnDelete' } }, 'ooo', []],
  ['on delete: anew is new', { updateStrategy: { type: 'OnDelete' } }, 'oo-', ['+2']],
  ['ready is not enough with minReadySeconds', { minReadySeconds: 5 }, 'n--', []],
])('%s', (_name, spec, states, expected) => expect(planned(spec, states)).toEqual(expected));

test('numbers begin where the set says', () => {
  const spec = { replicas: 2, ordinals: { start: 5 } };
  expect(planned(spec, '')).toEqual(['+5']);
  expect(planned(spec, 'n', 5)).toEqual(['+6']);
  expect(planned(spec, 'nn', 4)).toEqual(['+6']);
  expect(planned(spec, 'nnn', 4)).toEqual(['delete web-4']);
});

describe('reconcile', () => {
  const run = (objects: readonly unknown[], now = start) =>
    statefulSetController.reconcile(facts(objects as Seen[], now), 'd/web');
  const created = (objects: readonly unknown[], kind: string) =>
    run(objects).actions.flatMap(action =>
      action.do === 'create' && action.object.kind === kind ? [action.object] : [],
    );

  test('a new set gets a revision and its first pod, with all that makes it the one', () => {
    const objects = [set()];
    const [revision] = created(objects, 'ControllerRevision');
    const [first] = created(objects, 'Pod') as Pod[];
    expect(revision).toMatchObject({ revision: 1, metadata: { labels: { app: 'web' } } });
    expect(first).toMatchObject({
      metadata: {
        name: 'web-0',
        labels: {
          app: 'web',
          'statefulset.kubernetes.io/pod-name': 'web-0',
          'apps.kubernetes.io/pod-index': '0',
          'controller-revision-hash': revision!.metadata.name,
        },
        ownerReferences: [{ kind: 'StatefulSet', controller: true }],
      },
      spec: { hostname: 'web-0', subdomain: 'svc' },
    });
    expect(statusOf(run(objects).actions)).toMatchObject({
      currentRevision: revision!.metadata.name,
      updateRevision: revision!.metadata.name,
    });
  });

  const withClaims = (more: object = {}) =>
    set({ replicas: 1, volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: { accessModes: [] } }], ...more });
  const claimOf = (ordinal: number, more: object = {}) =>
    object('PersistentVolumeClaim', `data-web-${ordinal}`, 'd', { metadata: more });
  const member = (owner: StatefulSet, ordinal: number, state: PodState = up) =>
    pod(`web-${ordinal}`, {
      ...state,
      owner,
      labels: {
        app: 'web',
        'statefulset.kubernetes.io/pod-name': `web-${ordinal}`,
        'apps.kubernetes.io/pod-index': `${ordinal}`,
      },
    });

  test('claims come with the pod', () => {
    expect(deeds(run([withClaims()]).actions).filter(line => line.startsWith('create'))).toEqual([
      expect.stringMatching(/^create ControllerRevision/),
      'create PersistentVolumeClaim/data-web-0',
      'create Pod/web-0',
    ]);
    expect(created([withClaims()], 'Pod')[0]).toMatchObject({
      spec: { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data-web-0' } }] },
    });
  });
  test('one that is there is used, one that is leaving is waited for', () => {
    expect(created([withClaims(), claimOf(0)], 'PersistentVolumeClaim')).toEqual([]);
    expect(created([withClaims(), claimOf(0, { deletionTimestamp: 'x' })], 'Pod')).toEqual([]);
  });
  test('claims are kept when pods go, unless they are to go with them', () => {
    const keeps = withClaims({ replicas: 0 });
    expect(deeds(run([keeps, member(keeps, 0), claimOf(0)]).actions)).toContain('delete Pod/web-0');
    const gives = withClaims({ replicas: 0, persistentVolumeClaimRetentionPolicy: { whenScaled: 'Delete' } });
    const first = deeds(run([gives, member(gives, 0), claimOf(0)]).actions);
    expect(first).toContain('patch PersistentVolumeClaim/data-web-0');
    expect(first).not.toContain('delete Pod/web-0');
    const named = claimOf(0, { ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'web-0', uid: 'Pod-web-0' }] });
    expect(deeds(run([gives, member(gives, 0), named]).actions)).toContain('delete Pod/web-0');
  });
  test('with whenDeleted the set owns its claims', () => {
    const gives = withClaims({ persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Delete' } });
    expect(created([gives], 'PersistentVolumeClaim')[0]!.metadata.ownerReferences).toMatchObject([
      { kind: 'StatefulSet' },
    ]);
    const patch = run([gives, member(gives, 0), claimOf(0)]).actions.find(
      action => action.do === 'patch' && action.target.kind === 'PersistentVolumeClaim',
    );
    expect(patch).toMatchObject({ patch: { metadata: { ownerReferences: [ownerOf(gives)] } } });
  });
  test('adopts its own by name and label, and nobody else', () => {
    const own = set({ replicas: 1 });
    const orphan = pod('web-0', { ...up, labels: { app: 'web' } });
    const other = pod('other-0', { ...up, labels: { app: 'web' } });
    const lines = deeds(run([own, orphan, other]).actions);
    expect(lines.filter(line => line.includes('Pod/'))).toEqual([
      'patch Pod/web-0',
      'patch Pod/web-0',
      'delete Pod/web-0',
    ]);
  });
  test('a failed pod is recreated, said loudly', () => {
    const own = set({ replicas: 1 });
    expect(deeds(run([own, member(own, 0, { phase: 'Failed' })]).actions)).toEqual(
      expect.arrayContaining(['event Warning RecreatingFailedPod', 'delete Pod/web-0']),
    );
  });
  test('a set that goes is left to the garbage collector', () => {
    const going = set({}, { metadata: { deletionTimestamp: 'x' } });
    expect(run([going])).toEqual({ actions: [] });
  });
  test('rolled out: the new revision is the current one', () => {
    const own = set({ replicas: 1 }, { status: { replicas: 1, currentRevision: 'web-before' } });
    const update = historyOf(facts([own]).view, own, hashLabel).update;
    const stored = { ...update, metadata: { ...update.metadata, uid: 'r', ownerReferences: [ownerOf(own)] } };
    const there = member(own, 0);
    there.metadata.labels!['controller-revision-hash'] = update.metadata.name;
    expect(statusOf(run([own, stored, there]).actions)).toMatchObject({ currentRevision: update.metadata.name });
  });
  test('waits exactly until the next pod is available', () => {
    const own = set({ replicas: 2, minReadySeconds: 10 });
    const outcome = run([own, member(own, 0)], start + 4000);
    expect(outcome.requeueAfterMs).toBe(6000);
  });
});

describe('revisions', () => {
  const own = (image: string) => set({ template: template(image) });
  const stored = (image: string, revision: number, name: string) => {
    const { update } = historyOf(facts([own(image)]).view, own(image), hashLabel);
    return {
      ...update,
      revision,
      metadata: { ...update.metadata, name, namespace: 'd', uid: name, ownerReferences: [ownerOf(own(image))] },
    };
  };
  const history = (image: string, ...objects: unknown[]) =>
    historyOf(facts([own(image), ...objects] as Seen[]).view, own(image), hashLabel);

  test('the same template, the same revision', () => {
    const first = stored('a', 1, 'web-1');
    expect(history('a', first)).toMatchObject({ update: { metadata: { name: 'web-1' } }, actions: [] });
  });
  test('another template is the next revision', () => {
    const { update, actions } = history('b', stored('a', 1, 'web-1'));
    expect(update.revision).toBe(2);
    expect(deeds(actions)).toEqual([`create ControllerRevision/${update.metadata.name}`]);
  });
  test('one that comes back is given the next number', () => {
    const { update, actions } = history('a', stored('a', 1, 'web-1'), stored('b', 2, 'web-2'));
    expect(update).toMatchObject({ revision: 3, metadata: { name: 'web-1' } });
    expect(actions).toMatchObject([{ do: 'patch', patch: { revision: 3 } }]);
  });
  test('a taken name is passed over, and that is counted', () => {
    const free = history('a').update.metadata.name;
    const { update, collisionCount } = history('a', object('ControllerRevision', free, 'd', { data: {}, revision: 1 }));
    expect(update.metadata.name).not.toBe(free);
    expect(collisionCount).toBe(1);
  });
});
