/** Controllers as tables: what there is, what time it is, what is to be done. */
import { describe, expect, test } from 'vitest';
import type { Controller, Facts, Seen } from '../../src/controllers/contract.js';
import { eventTtlController, ttlMs } from '../../src/controllers/event-ttl.js';
import { controllers } from '../../src/controllers/index.js';
import { namespaceController } from '../../src/controllers/namespace.js';
import { graceMs, nodeLifecycleController } from '../../src/controllers/node-lifecycle.js';
import { podGcController, quarantineMs } from '../../src/controllers/pod-gc.js';
import { serviceAccountController } from '../../src/controllers/service-account.js';
import { timestamp } from '../../src/kube/time.js';
import { facts, object, start } from '../helpers/facts.js';

const deleted = (seen: Seen): Seen => ({
  ...seen,
  metadata: { ...seen.metadata, deletionTimestamp: timestamp(start) },
});
const deeds = (controller: Controller, given: Facts, key: string) =>
  controller
    .reconcile(given, key)
    .actions.map(
      action =>
        `${action.do} ${'target' in action ? `${action.target.kind}/${action.target.name}` : 'object' in action ? `${action.object.kind}/${action.object.metadata.name}` : action.reason}`,
    );

describe('namespace', () => {
  const doomed = deleted(object('Namespace', 'n'));
  const pod = object('Pod', 'p', 'n');
  const map = object('ConfigMap', 'c', 'n');
  test.each([
    ['a live one is left alone', [object('Namespace', 'n'), pod], []],
    ['pods go first', [doomed, pod, map], ['delete Pod/p']],
    ['and are waited for', [doomed, deleted(pod), map], []],
    ['then the rest', [doomed, map, object('ConfigMap', 'other', 'm')], ['delete ConfigMap/c']],
    ['then itself', [doomed], ['patch Namespace/n']],
    ['gone is gone', [pod], []],
  ])('%s', (_name, objects, expected) => expect(deeds(namespaceController, facts(objects), 'n')).toEqual(expected));
});

test('service account: made where it is missing in a live namespace', () => {
  const namespace = object('Namespace', 'n');
  expect(deeds(serviceAccountController, facts([namespace]), 'n')).toEqual(['create ServiceAccount/default']);
  expect(deeds(serviceAccountController, facts([namespace, object('ServiceAccount', 'default', 'n')]), 'n')).toEqual(
    [],
  );
  expect(deeds(serviceAccountController, facts([deleted(namespace)]), 'n')).toEqual([]);
});

describe('node lifecycle', () => {
  const ready = {
    status: {
      conditions: [
        { type: 'Ready', status: 'True' },
        { type: 'DiskPressure', status: 'False' },
        { type: 'Own', status: 'True' },
      ],
    },
  };
  const objects = [
    object('Node', 'n', undefined, ready),
    object('Lease', 'n', 'kube-node-lease'),
    object('Pod', 'p', 'd', { spec: { nodeName: 'n' }, ...ready }),
    object('Pod', 'elsewhere', 'd', { spec: { nodeName: 'm' }, ...ready }),
  ];
  test('in time: nothing, and a look again when it would be too late', () => {
    expect(nodeLifecycleController.reconcile(facts(objects, start + graceMs - 1), 'n')).toEqual({
      actions: [],
      requeueAfterMs: 1,
    });
  });
  test('too late: the node is unknown, its pods are not ready, at the revision that was read', () => {
    const { actions } = nodeLifecycleController.reconcile(facts(objects, start + graceMs), 'n');
    expect(actions[0]).toMatchObject({
      do: 'patch',
      at: '7',
      subresource: 'status',
      patch: {
        status: {
          conditions: [
            { type: 'Ready', status: 'Unknown', reason: 'NodeStatusUnknown' },
            { type: 'DiskPressure', status: 'Unknown' },
            { type: 'Own', status: 'True' },
          ],
        },
      },
    });
    expect(actions.filter(action => action.do === 'patch').map(action => action.target.name)).toEqual(['n', 'p']);
  });
  test('said once', () => {
    const known = [
      object('Node', 'n', undefined, {
        spec: { taints: [{ key: 'node.kubernetes.io/unreachable', effect: 'NoSchedule' }] },
        status: { conditions: [{ type: 'Ready', status: 'Unknown' }] },
      }),
    ];
    expect(deeds(nodeLifecycleController, facts(known, start + graceMs), 'n')).toEqual([]);
  });
});

test('pods of a node that is gone are removed after the quarantine', () => {
  const pod = object('Pod', 'p', 'd', { spec: { nodeName: 'n' } });
  expect(podGcController.reconcile(facts([pod]), 'n')).toEqual({ actions: [], requeueAfterMs: quarantineMs });
  expect(deeds(podGcController, facts([pod], start + quarantineMs), 'n')).toEqual(['patch Pod/p', 'delete Pod/p']);
  expect(deeds(podGcController, facts([pod, object('Node', 'n')], start + quarantineMs), 'n')).toEqual([]);
});

test('events are forgotten after an hour since they were last seen', () => {
  const old = object('Event', 'old', 'd', { lastTimestamp: timestamp(start - ttlMs) });
  const young = object('Event', 'young', 'd', {
    firstTimestamp: timestamp(start - 2 * ttlMs),
    lastTimestamp: timestamp(start - 1000),
  });
  expect(deeds(eventTtlController, facts([old, young]), 'sweep')).toEqual(['delete Event/old']);
});

test('every controller says what it writes, and names are unique', () => {
  expect(new Set(controllers.map(({ name }) => name)).size).toBe(controllers.length);
  for (const { writes } of controllers) expect(writes.length).toBeGreaterThan(0);
});
