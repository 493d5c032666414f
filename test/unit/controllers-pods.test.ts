/** What controllers of pods share: counting, ranking, owning, and how the runner carries out what they want. */
import { describe, expect, test } from 'vitest';
import type { Action, Seen } from '../../src/controllers/contract.js';
import { availableInMs, isPodActive, isPodTerminating } from '../../src/controllers/pods/condition.js';
import { resolveIntOrPercent } from '../../src/controllers/pods/int-or-percent.js';
import { claim } from '../../src/controllers/pods/ownership.js';
import { deletionCost, rankForDeletion } from '../../src/controllers/pods/rank.js';
import { podFromTemplate } from '../../src/controllers/pods/template.js';
import { Refusals } from '../../src/controllers/refusals.js';
import { type Creation, groupsOf, slowStart } from '../../src/controllers/runner-batches.js';
import type { Pod } from '../../src/kube/pod.js';
import { timestamp } from '../../src/kube/time.js';
import { facts, object, start } from '../helpers/facts.js';

const ready = (secondsAgo: number) => [
  { type: 'Ready', status: 'True', lastTransitionTime: timestamp(start - secondsAgo * 1000) },
];
const pod = (name: string, { spec = {}, status = {}, ...metadata }: Record<string, unknown> = {}) =>
  object('Pod', name, 'n', {
    metadata: { creationTimestamp: timestamp(start - 3_600_000), ...metadata },
    spec: { nodeName: 'a', containers: [], ...(spec as object) },
    status: { phase: 'Running', conditions: ready(3000), ...(status as object) },
  }) as unknown as Pod;

describe('which pod goes first', () => {
  const ordinary = pod('ordinary');
  test.each([
    ['unassigned', pod('x', { spec: { nodeName: undefined } })],
    ['pending', pod('x', { status: { phase: 'Pending' } })],
    ['of unknown phase', pod('x', { status: { phase: 'Unknown' } })],
    ['not ready', pod('x', { status: { conditions: [] } })],
    ['cheaper', pod('x', { annotations: { [deletionCost]: '-5' } })],
    ['ready for a shorter time', pod('x', { status: { conditions: ready(10) } })],
    ['restarted', pod('x', { status: { containerStatuses: [{ restartCount: 2 }] } })],
    ['younger', pod('x', { creationTimestamp: timestamp(start - 5000) })],
  ])('one that is %s', (_why, other) => {
    for (const pods of [
      [ordinary, other],
      [other, ordinary],
    ])
      expect(rankForDeletion(pods, pods, start).map(({ metadata }) => metadata.name)).toEqual(['x', 'ordinary']);
  });

  test('earlier reasons count more, and siblings share a node', () => {
    const [a, b, alone] = [pod('a'), pod('b'), pod('alone', { spec: { nodeName: 'other' } })];
    expect(rankForDeletion([alone, b, a], [a, b, alone], start).at(-1)).toBe(alone);
    const dear = pod('dear', { annotations: { [deletionCost]: '100' }, status: { conditions: [] } });
    expect(rankForDeletion([a, dear], [a, dear], start)[0]).toBe(dear);
  });

  test('a cost that is no int32 counts as none', () => {
    for (const text of ['1.5', '+3', '99999999999', 'x', '007']) {
      const odd = pod('odd', { annotations: { [deletionCost]: text }, creationTimestamp: timestamp(start - 1000) });
      expect(rankForDeletion([pod('a'), odd], [], start)[0]).toBe(odd);
    }
  });
});

test('pods that count', () => {
  const leaving = pod('x', { deletionTimestamp: timestamp(start) });
  const ended = pod('x', { status: { phase: 'Failed' } });
  expect([pod('x'), leaving, ended].map(isPodActive)).toEqual([true, false, false]);
  expect([pod('x'), leaving, ended].map(isPodTerminating)).toEqual([false, true, false]);
  expect(availableInMs(pod('x', { status: { conditions: ready(4) } }), 10, start)).toBe(6000);
  expect(availableInMs(pod('x', { status: { conditions: [] } }), 0, start)).toBeUndefined();
});

test.each([
  ['25%', 10, 'up', 3],
  ['25%', 10, 'down', 2],
  ['29%', 100, 'up', 29],
  ['150%', 4, 'down', 6],
  [3, 10, 'up', 3],
  ['0%', 10, 'up', 0],
  [undefined, 10, 'up', 0],
] as const)('%s of %i, rounded %s, is %i', (value, total, round, expected) =>
  expect(resolveIntOrPercent(value, total, round)).toBe(expected),
);

describe('owning', () => {
  const owner = object('ReplicaSet', 'o', 'n', { apiVersion: 'apps/v1' });
  const ref = (uid: string) => ({ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'o', uid, controller: true });
  const labelled = (name: string, app: string, owners: object[] = [], more: object = {}) =>
    object('Pod', name, 'n', {
      metadata: { labels: { app }, ...(owners.length > 0 && { ownerReferences: owners }), ...more },
    });
  const claimed = (...objects: Seen[]) => {
    const { mine, actions } = claim<Pod>(
      facts(objects).view,
      owner,
      'Pod',
      ({ metadata }) => metadata.labels?.app === 'w',
    );
    return { mine: mine.map(({ metadata }) => metadata.name), actions };
  };

  test('takes orphans, lets go of strangers, leaves the pods of others alone', () => {
    const uid = owner.metadata.uid!;
    const { mine, actions } = claimed(
      labelled('kept', 'w', [ref(uid)]),
      labelled('lost', 'v', [ref(uid)]),
      labelled('orphan', 'w'),
      labelled('theirs', 'w', [ref('another')]),
      labelled('going', 'w', [], { deletionTimestamp: timestamp(start) }),
    );
    expect(mine).toEqual(['kept', 'orphan']);
    expect(actions).toMatchObject([
      { do: 'patch', at: '7', target: { name: 'lost' }, patch: { metadata: { ownerReferences: null } } },
      {
        do: 'patch',
        target: { name: 'orphan' },
        patch: { metadata: { ownerReferences: [{ uid, controller: true }] } },
      },
    ]);
  });

  test('keeps other owners of a pod that it lets go', () => {
    const other = { apiVersion: 'v1', kind: 'ConfigMap', name: 'c', uid: 'c' };
    expect(claimed(labelled('lost', 'v', [other, ref(owner.metadata.uid!)])).actions).toMatchObject([
      { patch: { metadata: { ownerReferences: [other] } } },
    ]);
  });

  test('whoever is being deleted takes nothing', () => {
    const going = { ...owner, metadata: { ...owner.metadata, deletionTimestamp: timestamp(start) } };
    expect(claim<Pod>(facts([labelled('orphan', 'w')]).view, going, 'Pod', () => true)).toEqual({
      mine: [],
      actions: [],
    });
  });
});

test('a pod of a template: its name is decided here, and short enough for a host name', () => {
  const made = podFromTemplate(
    { metadata: { labels: { a: 'b' } }, spec: { containers: [] } },
    object('ReplicaSet', 'x'.repeat(80), 'n'),
    () => 0,
  );
  expect(made.metadata).toMatchObject({ labels: { a: 'b' }, namespace: 'n', generateName: `${'x'.repeat(80)}-` });
  expect(made.metadata.name).toBe(`${'x'.repeat(58)}bbbbb`);
});

describe('creating', () => {
  const creation = (name: string): Creation => ({ do: 'create', object: object('Pod', name) });
  const many = Array.from({ length: 20 }, (_, i) => creation(`p${i}`));

  test('neighbours go together', () => {
    const remove = (name: string): Action => ({ do: 'delete', target: { kind: 'Pod', name } });
    const event: Action = { do: 'event', about: { kind: 'Pod', name: 'x' }, type: 'Normal', reason: 'R', message: 'm' };
    const groups = groupsOf([...many, event, event, remove('a'), remove('b'), creation('z')]);
    expect(groups.map(group => [group.do, group.actions.length])).toEqual([
      ['create', 20],
      ['other', 1],
      ['other', 1],
      ['other', 2],
      ['create', 1],
    ]);
  });

  test('starts slowly: ever more at once', async () => {
    const batches: number[] = [];
    let pending = 0;
    await slowStart(many, async () => {
      pending++;
      await Promise.resolve();
      if (pending > 0) batches.push(pending);
      pending = 0;
      return undefined;
    });
    expect(batches).toEqual([1, 2, 4, 8, 5]);
  });

  test('and stops at the first refusal', async () => {
    let tries = 0;
    const refused = await slowStart(many, async () =>
      ++tries === 2 ? { message: 'no', reason: 'Forbidden' } : undefined,
    );
    expect([refused?.message, tries]).toEqual(['no', 3]);
  });

  test('what is refused is held back ever longer', () => {
    const refusals = new Refusals();
    const waits = Array.from({ length: 9 }, () => {
      refusals.add('k', { message: 'no', reason: 'Forbidden' }, start);
      return refusals.retryMs('k', start);
    });
    expect(waits).toEqual([200, 400, 800, 1600, 3200, 6400, 12_800, 15_000, 15_000]);
    refusals.delete('k');
    expect([refusals.of('k'), refusals.retryMs('k', start)]).toEqual([undefined, 0]);
  });
});
