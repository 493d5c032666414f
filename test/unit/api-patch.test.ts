import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { applyJsonPatch, PatchApplyError, PatchSyntaxError } from '../../src/api/patch/json.js';
import { applyMergePatch } from '../../src/api/patch/merge.js';
import { applyStrategicPatch } from '../../src/api/patch/strategic.js';
import { deepEqual } from '../../src/kube/json.js';

describe('JSON patch', () => {
  const object = { a: 1, list: [1, 2, 3], deep: { 'x/y': { '~': true } } };
  test.each([
    [[{ op: 'add', path: '/b', value: 2 }], { ...object, b: 2 }],
    [[{ op: 'add', path: '/list/-', value: 4 }], { ...object, list: [1, 2, 3, 4] }],
    [[{ op: 'add', path: '/list/0', value: 0 }], { ...object, list: [0, 1, 2, 3] }],
    [[{ op: 'remove', path: '/list/1' }], { ...object, list: [1, 3] }],
    [[{ op: 'replace', path: '/deep/x~1y/~0', value: false }], { ...object, deep: { 'x/y': { '~': false } } }],
    [[{ op: 'move', from: '/a', path: '/z' }], { list: [1, 2, 3], deep: object.deep, z: 1 }],
    [[{ op: 'copy', from: '/list', path: '/again' }], { ...object, again: [1, 2, 3] }],
    [
      [
        { op: 'test', path: '/a', value: 1 },
        { op: 'remove', path: '/a' },
      ],
      { list: [1, 2, 3], deep: object.deep },
    ],
  ])('%j', (patch, expected) => expect(applyJsonPatch(object, patch)).toEqual(expected));

  test.each([
    [{}],
    [[{ op: 'jump', path: '/a' }]],
    [[{ op: 'add' }]],
    [[{ op: 'add', path: 'a' }]],
    [[{ op: 'move', path: '/a' }]],
    ['x'],
    [[null]],
  ])('%j is no patch', patch => {
    expect(() => applyJsonPatch(object, patch)).toThrow(PatchSyntaxError);
  });

  test.each([
    [{ op: 'remove', path: '/nope' }],
    [{ op: 'replace', path: '/nope', value: 1 }],
    [{ op: 'add', path: '/no/pe', value: 1 }],
    [{ op: 'add', path: '/list/9', value: 1 }],
    [{ op: 'remove', path: '/list/-1' }],
    [{ op: 'test', path: '/a', value: 2 }],
    [{ op: 'add', path: '/__proto__/polluted', value: 1 }],
    [{ op: 'move', from: '/deep', path: '/deep/inside' }],
  ])('%j does not apply', operation => {
    expect(() => applyJsonPatch(object, [operation])).toThrow(PatchApplyError);
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });

  test('copying over and over ends', () => {
    const doubling = Array.from({ length: 60 }, (_, i) => ({ op: 'copy', from: '', path: `/c${i}` }));
    expect(() => applyJsonPatch({ pad: 'x'.repeat(1000) }, doubling)).toThrow(/accumulated size/);
  });
});

test('merge patch of RFC 7386', () => {
  expect(applyMergePatch({ a: 'b', c: { d: 'e', f: 'g' } }, { a: 'z', c: { f: null } })).toEqual({
    a: 'z',
    c: { d: 'e' },
  });
  expect(applyMergePatch({ a: [1] }, { a: { b: { c: null } } })).toEqual({ a: { b: {} } });
  const hostile = JSON.parse('{"__proto__":{"polluted":1}}') as object;
  applyMergePatch({}, hostile);
  expect(({} as { polluted?: number }).polluted).toBeUndefined();
});

describe('strategic merge patch', () => {
  const container = (name: string, image: string, more = {}) => ({ name, image, ...more });
  const pod = {
    metadata: { name: 'p', finalizers: ['a', 'b'] },
    spec: {
      containers: [container('one', 'i1', { env: [{ name: 'A', value: '1' }] }), container('two', 'i2')],
      tolerations: [{ key: 'x' }],
      volumes: [{ name: 'v', emptyDir: {} }],
    },
  };
  const patch = (patch: object) => applyStrategicPatch('core.v1.Pod', pod, patch) as typeof pod;

  test('lists merge by key, and keep what the patch does not name', () => {
    const { containers } = patch({
      spec: {
        containers: [
          { name: 'two', image: 'new' },
          { name: 'three', image: 'i3' },
        ],
      },
    }).spec;
    expect(containers).toEqual([pod.spec.containers[0], container('two', 'new'), container('three', 'i3')]);
  });
  test('nested lists too', () => {
    const { containers } = patch({
      spec: {
        containers: [
          {
            name: 'one',
            env: [
              { name: 'B', value: '2' },
              { name: 'A', $patch: 'delete' },
            ],
          },
        ],
      },
    }).spec;
    expect(containers[0]!).toEqual(container('one', 'i1', { env: [{ name: 'B', value: '2' }] }));
  });
  test('$patch: delete and replace', () => {
    expect(
      patch({ spec: { containers: [{ name: 'one', $patch: 'delete' }] } }).spec.containers.map(c => c.name),
    ).toEqual(['two']);
    expect(patch({ spec: { containers: [{ name: 'x', image: 'y' }, { $patch: 'replace' }] } }).spec.containers).toEqual(
      [container('x', 'y')],
    );
    expect(patch({ spec: { $patch: 'replace', containers: [] } }).spec).toEqual({ containers: [] });
  });
  test('$setElementOrder puts items in order', () => {
    const { containers } = patch({
      spec: {
        '$setElementOrder/containers': [{ name: 'two' }, { name: 'one' }],
        containers: [{ name: 'one', image: 'z' }],
      },
    }).spec;
    expect(containers.map(c => c.name)).toEqual(['two', 'one']);
  });
  test('$deleteFromPrimitiveList, set union, atomic lists', () => {
    expect(patch({ metadata: { '$deleteFromPrimitiveList/finalizers': ['a'] } }).metadata.finalizers).toEqual(['b']);
    expect(patch({ metadata: { finalizers: ['b', 'c'] } }).metadata.finalizers).toEqual(['a', 'b', 'c']);
    expect(patch({ spec: { tolerations: [{ key: 'y' }] } }).spec.tolerations).toEqual([{ key: 'y' }]);
  });
  test('$retainKeys empties the other members of a union', () => {
    expect(
      patch({ spec: { volumes: [{ name: 'v', $retainKeys: ['name', 'hostPath'], hostPath: { path: '/x' } }] } }).spec
        .volumes,
    ).toEqual([{ name: 'v', hostPath: { path: '/x' } }]);
  });
  test('what cannot be meant is refused', () => {
    expect(() => patch({ spec: { containers: [{ image: 'nameless' }] } })).toThrow(
      /does not contain declared merge key: name/,
    );
    expect(() => patch({ spec: { $patch: 'explode' } })).toThrow(/Unknown patch directive/);
  });
  test('any JSON is merged or refused, and the original is not touched', () => {
    const before = JSON.stringify(pod);
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.constantFrom('metadata', 'spec', '$patch', '$retainKeys', '$setElementOrder/x'),
          fc.jsonValue(),
        ),
        value => {
          try {
            applyStrategicPatch('core.v1.Pod', pod, value);
          } catch (error) {
            expect(error).toBeInstanceOf(PatchSyntaxError);
          }
          expect(JSON.stringify(pod)).toBe(before);
        },
      ),
    );
  });
});

test('patches agree: what a merge patch makes of disjoint keys, a JSON patch makes too', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string({ minLength: 1, maxLength: 5 }), fc.integer()), fields => {
      const patch = Object.keys(fields).map(key => ({
        op: 'add',
        path: `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`,
        value: fields[key],
      }));
      expect(deepEqual(applyJsonPatch({}, patch), applyMergePatch({}, fields))).toBe(true);
    }),
  );
});
