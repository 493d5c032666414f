import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseJson, parseYaml, readObject } from '../../src/api/codec.js';
import { pod } from '../../src/api/kinds/pod.js';
import { PathError, parseRoute } from '../../src/api/route.js';
import { DecodeError, decodeObject } from '../../src/api/schema/decode.js';
import { decodeProtobuf, ProtobufError, readEnvelope } from '../../src/api/schema/protobuf.js';
import { findDuplicates, maxDepth } from '../../src/api/schema/scan.js';
import { StatusError } from '../../src/kube/status.js';

const json = (value: unknown) => Buffer.from(JSON.stringify(value));

describe('decoding', () => {
  test('unknown fields are dropped and named with their path', () => {
    const { object, unknown } = decodeObject('core.v1.Pod', {
      spec: { containers: [{ name: 'a', imge: 'x' }], foo: 1 },
      status: {},
    });
    expect(unknown).toEqual(['unknown field "spec.containers[0].imge"', 'unknown field "spec.foo"']);
    expect(object).toEqual({ spec: { containers: [{ name: 'a' }] }, status: {} });
  });
  test('nulls are absent, quantities and times canonical, inlined fields at home', () => {
    const { object } = decodeObject('core.v1.Pod', {
      metadata: { creationTimestamp: null, deletionTimestamp: '2026-01-01T01:00:00+01:00' },
      spec: {
        containers: [
          {
            name: 'a',
            resources: { limits: { cpu: 0.5, memory: '1024Mi' } },
            livenessProbe: { httpGet: { port: 'http' } },
          },
        ],
        volumes: [{ name: 'v', emptyDir: {} }],
      },
    });
    expect(object).toEqual({
      metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' },
      spec: {
        containers: [
          {
            name: 'a',
            resources: { limits: { cpu: '500m', memory: '1Gi' } },
            livenessProbe: { httpGet: { port: 'http' } },
          },
        ],
        volumes: [{ name: 'v', emptyDir: {} }],
      },
    });
  });
  test.each([
    [{ spec: [] }, 'cannot unmarshal array into Go struct field Pod.spec of type v1.PodSpec'],
    [
      { spec: { containers: {} } },
      'cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container',
    ],
    [
      { spec: { hostNetwork: 'yes' } },
      'cannot unmarshal string into Go struct field PodSpec.spec.hostNetwork of type bool',
    ],
    [
      { metadata: { labels: { a: 1 } } },
      'cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string',
    ],
    [{ spec: { terminationGracePeriodSeconds: 2 ** 60 } }, 'terminationGracePeriodSeconds of type int64'],
    [{ spec: { priority: 2 ** 31 } }, 'priority of type int32'],
    [[], 'cannot unmarshal array into Go value of type Pod'],
  ])('%j is refused', (value, message) => expect(() => decodeObject('core.v1.Pod', value)).toThrow(message));

  test('any JSON decodes or is refused with a DecodeError', () => {
    const field = fc.constantFrom(
      'metadata',
      'spec',
      'status',
      'containers',
      'name',
      'env',
      'limits',
      'labels',
      '__proto__',
      'kind',
    );
    const tree = fc.letrec(tie => ({
      value: fc.oneof(
        { depthSize: 'small' },
        fc.jsonValue({ maxDepth: 1 }),
        fc.dictionary(field, tie('value')),
        fc.array(tie('value'), { maxLength: 3 }),
      ),
    })).value;
    fc.assert(
      fc.property(tree, value => {
        try {
          decodeObject('core.v1.Pod', value);
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('bodies', () => {
  const status = (act: () => unknown): number => {
    try {
      act();
      return 200;
    } catch (error) {
      return error instanceof StatusError ? error.code : 500;
    }
  };
  test('strict, warn and ignore', () => {
    const body = Buffer.from('{"metadata":{"name":"a","name":"b"},"spec":{"containers":[],"x":1}}');
    expect(() => readObject(pod, body, undefined, 'Strict')).toThrow(
      'Pod in version "v1" cannot be handled as a Pod: strict decoding error: unknown field "spec.x", duplicate field "metadata.name"',
    );
    expect(readObject(pod, body, 'application/json', 'Warn').warnings).toEqual([
      'unknown field "spec.x"',
      'duplicate field "metadata.name"',
    ]);
    expect(readObject(pod, body, 'application/json', 'Ignore').warnings).toEqual([]);
  });
  test('wrong types, syntax and depth are the client’s fault', () => {
    expect(status(() => readObject(pod, json({ kind: 'Node' }), undefined, 'Ignore'))).toBe(400);
    expect(status(() => readObject(pod, json({ apiVersion: 'v2' }), undefined, 'Ignore'))).toBe(400);
    expect(status(() => readObject(pod, Buffer.from('{'), undefined, 'Ignore'))).toBe(400);
    expect(status(() => readObject(pod, json(1), undefined, 'Ignore'))).toBe(400);
    expect(status(() => readObject(pod, json({}), 'text/html', 'Ignore'))).toBe(415);
    const deep = '['.repeat(100_000) + ']'.repeat(100_000);
    expect(status(() => readObject(pod, Buffer.from(deep), undefined, 'Ignore'))).toBe(400);
    expect(status(() => readObject(pod, Buffer.from(deep), 'application/yaml', 'Ignore'))).toBe(400);
  });
  test('YAML as kubectl reads it, without bombs and odd tags', () => {
    expect(parseYaml('a: yes\nb: 0644\nc: 2001-01-01\n').value).toEqual({ a: true, b: 420, c: '2001-01-01' });
    expect(status(() => parseYaml('a: 1\na: 2\n'))).toBe(400);
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefgh'
      .split('')
      .map((c, i) => `${c}: &${c} [${Array(9).fill(`*${'abcdefgh'[i]}`).join(',')}]`)
      .join('\n')}\n`;
    expect(status(() => parseYaml(bomb))).toBe(400);
  });
  test('YAML that would nest until the process ends', () => {
    for (const body of [
      '['.repeat(3_000_000),
      '{'.repeat(100_000),
      '- '.repeat(100_000),
      '? '.repeat(100_000),
      Array.from({ length: 1500 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'),
    ])
      expect(status(() => parseYaml(body))).toBe(400);
    expect(status(() => parseYaml(`${'['.repeat(150)}${']'.repeat(150)}`))).toBe(200);
    expect(status(() => parseYaml('a: 1\n---\nb: 2\n'))).toBe(400);
  });
  test('any bytes of any type are read or refused, never a 500', () => {
    const types = fc.constantFrom(
      'application/json',
      'application/yaml',
      'application/vnd.kubernetes.protobuf',
      'text/plain',
      undefined,
    );
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 60 }),
        types,
        (bytes, type) => status(() => readObject(pod, Buffer.from(bytes), type, 'Strict')) < 500,
      ),
      { numRuns: 1000 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), bytes => {
        try {
          decodeProtobuf('core.v1.Pod', bytes);
          readEnvelope(Buffer.concat([Buffer.from('k8s\0'), bytes]));
        } catch (error) {
          expect(error).toBeInstanceOf(ProtobufError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe('duplicate fields', () => {
  test('are found with their path, also when escaped', () => {
    expect(findDuplicates('{"a":{"b":1,"b":2},"l":[{"x":1},{"x":1,"\\u0078":2}],"s":"{\\"a\\":1,\\"a\\":2}"}')).toEqual(
      ['a.b', 'l[1].x'],
    );
  });
  test('valid JSON without duplicates has none', () => {
    fc.assert(fc.property(fc.json(), text => findDuplicates(text).length === 0));
  });
  test('depth ends', () => {
    expect(() => parseJson('['.repeat(maxDepth + 1))).toThrow(/nested deeper/);
  });
});

describe('paths', () => {
  const core = { to: 'resource', group: '', version: 'v1' };
  test.each([
    ['/api/v1/pods', { ...core, plural: 'pods' }],
    ['/api/v1/namespaces/ns/pods/p/log', { ...core, namespace: 'ns', plural: 'pods', name: 'p', subresource: 'log' }],
    ['/api/v1/namespaces/ns', { ...core, plural: 'namespaces', name: 'ns' }],
    ['/api/v1/namespaces/ns/status', { ...core, plural: 'namespaces', name: 'ns', subresource: 'status' }],
    ['/api/v1/namespaces/ns/finalize', { ...core, plural: 'namespaces', name: 'ns', subresource: 'finalize' }],
    ['/api/v1/namespaces/', { ...core, plural: 'namespaces' }],
    [
      '/apis/coordination.k8s.io/v1/namespaces/a/leases/b',
      { to: 'resource', group: 'coordination.k8s.io', version: 'v1', namespace: 'a', plural: 'leases', name: 'b' },
    ],
    ['/apis/apps/v1', { to: 'discovery', path: ['apis', 'apps', 'v1'] }],
    ['/healthz', { to: 'health', check: 'healthz' }],
    ['/', { to: 'other' }],
  ])('%s', (path, route) => expect(parseRoute(path)).toEqual(route));
  test.each([
    '/api/v1/namespaces/../secrets',
    '/api/v1/pods/%2e%2e',
    '/api/v1/a%2fb',
    '/api//v1',
    '/api/v1/%zz',
    `/api/v1/${'x'.repeat(600)}`,
    '/api/v1/%00',
  ])('%s is refused', path => {
    expect(() => parseRoute(path)).toThrow(PathError);
  });
  test('any text is a route or refused', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('/', 'api', 'apis', 'v1', 'namespaces', 'x', '..', '%2f', '%', 'status'), {
          maxLength: 12,
        }),
        parts => {
          try {
            parseRoute(`/${parts.join('')}`);
          } catch (error) {
            expect(error).toBeInstanceOf(PathError);
          }
        },
      ),
    );
  });
});
