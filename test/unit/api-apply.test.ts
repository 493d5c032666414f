import { describe, expect, test } from 'vitest';
import { applyTo, trackUpdate } from '../../src/api/apply/apply.js';
import { fieldsOf } from '../../src/api/apply/fields.js';
import { readManagers, writeManagers } from '../../src/api/apply/managers.js';
import type { AnyObject } from '../../src/api/kind.js';
import { pod as podKind } from '../../src/api/kinds/pod.js';
import type { StatusError } from '../../src/kube/status.js';

const time = '2026-01-01T00:00:00Z';
const container = (name: string, more: object = {}) => ({ name, image: 'i', ...more });
const pod = (spec: object, metadata: object = {}): AnyObject =>
  ({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', namespace: 'd', ...metadata }, spec }) as never;
const as = (manager: string, force = false) => ({ manager, force, time });
const containersOf = (object: AnyObject) => (object.spec as { containers: object[] }).containers;

describe('fields of an object', () => {
  test('items by key, defaults of keys, atomic parts as a whole, server-owned metadata not at all', () => {
    const object = pod(
      {
        containers: [container('a', { command: ['x'], ports: [{ containerPort: 80 }] })],
        nodeSelector: { disk: 'ssd' },
        tolerations: [{ key: 'k' }],
      },
      { labels: { app: 'web' }, uid: 'u', finalizers: ['f/x'] },
    );
    expect([...fieldsOf('core.v1.Pod', object).values()].map(path => path.join(' '))).toEqual([
      'f:metadata f:labels f:app',
      'f:metadata f:finalizers v:"f/x"',
      'f:spec f:containers k:{"name":"a"}',
      'f:spec f:containers k:{"name":"a"} f:name',
      'f:spec f:containers k:{"name":"a"} f:image',
      'f:spec f:containers k:{"name":"a"} f:command',
      'f:spec f:containers k:{"name":"a"} f:ports k:{"containerPort":80,"protocol":"TCP"}',
      'f:spec f:containers k:{"name":"a"} f:ports k:{"containerPort":80,"protocol":"TCP"} f:containerPort',
      'f:spec f:nodeSelector',
      'f:spec f:tolerations',
    ]);
  });

  test('survive being written and read', () => {
    const fields = fieldsOf('core.v1.Pod', pod({ containers: [container('a')] }, { labels: { 'a/b': 'c' } }));
    const written = writeManagers([{ manager: 'm', operation: 'Apply', apiVersion: 'v1', time, fields }]);
    expect([...readManagers(JSON.parse(JSON.stringify(written)))[0]!.fields.keys()].sort()).toEqual(
      [...fields.keys()].sort(),
    );
  });

  test('what is no step is left out, whoever wrote it', () => {
    const fieldsV1 = JSON.parse('{"__proto__":{"polluted":{}},"f:a":{"constructor":{}},"k:no":{},"f:b":{}}');
    const [read] = readManagers([{ manager: 'm', operation: 'Update', apiVersion: 'v1', fieldsV1 }]);
    expect([...read!.fields.keys()]).toEqual(['f:b']);
    writeManagers([read!]);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });
});

describe('apply', () => {
  const first = applyTo(podKind, undefined, pod({ containers: [container('a'), container('b')] }), as('one'));

  test('two managers add to the same list; each takes away only what is its own', () => {
    const both = applyTo(podKind, first, pod({ containers: [container('c')] }), as('two'));
    expect(containersOf(both)).toEqual([container('a'), container('b'), container('c')]);
    const fewer = applyTo(podKind, both, pod({ containers: [container('a')] }), as('one'));
    expect(containersOf(fewer)).toEqual([container('a'), container('c')]);
    expect(containersOf(applyTo(podKind, fewer, pod({}), as('two')))).toEqual([container('a')]);
  });

  test('the same value is shared, and stays until nobody wants it', () => {
    const shared = applyTo(podKind, first, pod({ containers: [container('a')] }), as('two'));
    const left = applyTo(podKind, shared, pod({ containers: [container('b')] }), as('one'));
    expect(containersOf(left)).toEqual([container('a'), container('b')]);
  });

  test('another value is a conflict that names field and owner; force takes it', () => {
    const other = pod({ containers: [{ name: 'a', image: 'other' }] });
    const refused = () => applyTo(podKind, first, other, as('two'));
    expect(refused).toThrow('Apply failed with 1 conflict: conflict with "one": .spec.containers[name="a"].image');
    try {
      refused();
    } catch (error) {
      expect((error as StatusError).status).toMatchObject({
        code: 409,
        reason: 'Conflict',
        details: { causes: [{ reason: 'FieldManagerConflict', field: '.spec.containers[name="a"].image' }] },
      });
    }
    const forced = applyTo(podKind, first, other, as('two', true));
    expect(containersOf(forced)[0]).toEqual({ name: 'a', image: 'other' });
    expect(() => applyTo(podKind, forced, pod({ containers: [container('a')] }), as('one'))).toThrow(
      /conflict with "two"/,
    );
  });

  test('applying the same again changes nothing, not even times', () => {
    const again = applyTo(podKind, first, pod({ containers: [container('a'), container('b')] }), {
      ...as('one'),
      time: 'later',
    });
    expect(again).toEqual(first);
  });

  test('what was there before the first apply belongs to before-first-apply', () => {
    const unmanaged = pod({ containers: [container('a')] }, { creationTimestamp: time });
    expect(() => applyTo(podKind, unmanaged, pod({ containers: [{ name: 'a', image: 'x' }] }), as('one'))).toThrow(
      'conflict with "before-first-apply" using v1: .spec.containers[name="a"].image',
    );
  });

  test('other writes take over what they change, and free what they remove', () => {
    const next = structuredClone(first);
    containersOf(next)[0] = { name: 'a', image: 'patched' };
    containersOf(next).pop();
    const tracked = trackUpdate(podKind, first, next, { manager: 'editor', time });
    const managers = readManagers(tracked.metadata.managedFields);
    expect(managers.map(one => [one.manager, one.operation, [...one.fields.keys()].length])).toEqual([
      ['one', 'Apply', 2],
      ['editor', 'Update', 1],
    ]);
    expect(() => applyTo(podKind, tracked, pod({ containers: [container('a')] }), as('one'))).toThrow(
      /"editor" using v1/,
    );
  });

  test('objects that were never applied are not burdened', () => {
    const plain = pod({ containers: [container('a')] });
    const changed = pod({ containers: [container('b')] });
    expect(trackUpdate(podKind, plain, changed, { manager: 'm', time })).toBe(changed);
  });
});
