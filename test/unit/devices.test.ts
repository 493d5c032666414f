import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Allocations, allocateDevices, type Inventory, keepPods } from '../../agent/devices/allocate.js';
import { parsePlugin } from '../../agent/devices/plugin-file.js';
import type { Container, Pod } from '../../src/kube/pod.js';

const gpu = 'vendor.com/gpu';
const device = (id: string, healthy = true) => ({ id, nodes: [], mounts: [], env: {}, healthy });
const inventory = (...ids: string[]): Inventory => new Map([[gpu, ids.map(id => device(id))]]);
const wants = (name: string, count: number, more: Partial<Container> = {}): Container => ({
  name,
  resources: { limits: { [gpu]: String(count) } },
  ...more,
});
const podOf = (uid: string, containers: Container[], initContainers: Container[] = []): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: uid, uid },
  spec: { containers, initContainers },
});
const given = (answer: ReturnType<typeof allocateDevices>): Allocations => {
  if ('refused' in answer) throw new Error(answer.refused);
  return answer.allocations;
};

describe('a file that describes devices', () => {
  test('whole, with what may be left out', () => {
    const text = `
resource: vendor.com/gpu
devices:
  - id: a
    nodes: [{ hostPath: /dev/gpu0 }, { hostPath: /dev/x, containerPath: /dev/y, permissions: rwm }]
    mounts: [{ hostPath: /lib/gpu }]
    env: { MODE: 1 }
  - id: b
`;
    expect(parsePlugin('gpu.yaml', text)).toEqual({
      resource: gpu,
      devices: [
        {
          id: 'a',
          nodes: [
            { hostPath: '/dev/gpu0', containerPath: '/dev/gpu0', permissions: 'rw' },
            { hostPath: '/dev/x', containerPath: '/dev/y', permissions: 'rwm' },
          ],
          mounts: [{ hostPath: '/lib/gpu', containerPath: '/lib/gpu', readOnly: false }],
          env: { MODE: '1' },
        },
        { id: 'b', nodes: [], mounts: [], env: {} },
      ],
    });
  });

  const with_ = (extra: string) => `resource: vendor.com/gpu\ndevices: [{ id: a, ${extra} }]`;
  test.each([
    ['[', /^gpu\.yaml: /],
    ['null', /^gpu\.yaml: \(file\) null: must be a map with resource, devices$/],
    ['resource: gpu\ndevices: []', /resource "gpu": must be a name such as vendor\.com\/gpu/],
    ['resource: kubernetes.io/gpu\ndevices: []', /outside kubernetes\.io/],
    ['resource: vendor.com/gpu', /devices is missing: must be a list/],
    ['resource: vendor.com/gpu\ndevices: [{ id: a }, { id: a }]', /devices "a": every id must be there once/],
    ['resource: vendor.com/gpu\ndevices: [{ id: "a b" }]', /devices\[0\]\.id "a b": must be a text/],
    [with_('nodes: [{ hostPath: dev/x }]'), /nodes\[0\]\.hostPath "dev\/x": must be an absolute path/],
    [with_('nodes: [{ hostPath: /dev/../x }]'), /must be an absolute path without/],
    [with_('nodes: [{ hostPath: /dev/x, permissions: rr }]'), /permissions "rr": must be one or more of r, w and m/],
    [with_('mounts: [{ hostPath: /x, readOnly: yes please }]'), /readOnly "yes please": must be true or false/],
    [with_('env: { "A-B": x }'), /env\.A-B "x": must be a variable name/],
    [with_('colour: red'), /devices\[0\] "colour": unknown field; allowed: id, nodes, mounts, env/],
  ])('%j', (text, message) => {
    expect(() => parsePlugin('gpu.yaml', text)).toThrow(message);
  });
});

describe('who gets which', () => {
  test('each container its own', () => {
    const taken = given(allocateDevices(podOf('u', [wants('a', 1), wants('b', 2)]), inventory('x', 'y', 'z'), {}));
    expect(taken).toEqual({ u: { a: { [gpu]: ['x'] }, b: { [gpu]: ['y', 'z'] } } });
  });

  test('those of init containers are used again; those of sidecars are not', () => {
    const init = [wants('i', 2), wants('s', 1, { restartPolicy: 'Always' })];
    const taken = given(allocateDevices(podOf('u', [wants('a', 1)], init), inventory('x', 'y'), {}));
    expect(taken['u']).toEqual({ i: { [gpu]: ['x', 'y'] }, s: { [gpu]: ['x'] }, a: { [gpu]: ['y'] } });
  });

  test('sick and taken ones are not there', () => {
    const sick: Inventory = new Map([[gpu, [device('x', false), device('y'), device('z')]]]);
    const taken = { other: { c: { [gpu]: ['z'] } } };
    expect(allocateDevices(podOf('u', [wants('a', 2)]), sick, taken)).toEqual({
      refused: 'requested number of devices unavailable for vendor.com/gpu. Requested: 2, Available: 1',
    });
    expect(given(allocateDevices(podOf('u', [wants('a', 1)]), sick, taken))['u']).toEqual({ a: { [gpu]: ['y'] } });
  });

  test('what has been given stays, whatever happens to the devices; a pod that is gone holds nothing', () => {
    const taken = { u: { a: { [gpu]: ['x'] } } };
    expect(given(allocateDevices(podOf('u', [wants('a', 1)]), new Map(), taken))).toBe(taken);
    expect(keepPods(taken, new Set())).toEqual({});
  });

  test('a resource that no file describes is nobody’s', () => {
    expect(given(allocateDevices(podOf('u', [wants('a', 1)]), new Map(), {}))).toEqual({});
  });

  test('through any history nobody has what another has', () => {
    const step = fc.record({ pod: fc.integer({ min: 0, max: 4 }), counts: fc.array(fc.integer({ min: 0, max: 3 })) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), fc.integer({ min: 0, max: 6 }), (steps, size) => {
        const stock = inventory(...Array.from({ length: size }, (_, i) => `d${i}`));
        let taken: Allocations = {};
        for (const { pod, counts } of steps) {
          const uid = `u${pod}`;
          if (taken[uid]) taken = keepPods(taken, new Set(Object.keys(taken).filter(other => other !== uid)));
          const answer = allocateDevices(
            podOf(
              uid,
              counts.map((n, i) => wants(`c${i}`, n)),
            ),
            stock,
            taken,
          );
          if ('allocations' in answer) taken = answer.allocations;
          const all = Object.values(taken).flatMap(containers => Object.values(containers).flatMap(a => a[gpu] ?? []));
          expect(new Set(all).size).toBe(all.length);
          expect(all.length).toBeLessThanOrEqual(size);
        }
      }),
    );
  });
});
