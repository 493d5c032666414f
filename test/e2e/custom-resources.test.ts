/** CustomResourceDefinitions: custom resources behave as built-in kinds do under kubectl. No node is needed. */
import { once } from 'node:events';
import { get } from 'node:https';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startApiServer, type TestServer } from '../helpers/api-server.js';
import { type Kubectl, kubectl } from '../helpers/kubectl.js';

let server: TestServer;
let k: Kubectl;

const definition = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: crontabs.stable.example.com}
spec:
  group: stable.example.com
  scope: Namespaced
  names: {plural: crontabs, singular: crontab, kind: CronTab, shortNames: [ct], categories: [all]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources:
      status: {}
      scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas, labelSelectorPath: .status.labelSelector}
    additionalPrinterColumns:
    - {name: Spec, type: string, jsonPath: .spec.cronSpec, description: when it runs}
    - {name: Replicas, type: integer, jsonPath: .spec.replicas}
    - {name: Ready, type: string, jsonPath: '.status.conditions[?(@.type=="Ready")].status', priority: 1}
    - {name: Age, type: date, jsonPath: .metadata.creationTimestamp}
    schema:
      openAPIV3Schema:
        type: object
        description: CronTab runs something now and then.
        properties:
          spec:
            type: object
            required: [cronSpec]
            x-kubernetes-validations:
            - {rule: "self.replicas <= self.maxReplicas", message: "replicas must not pass maxReplicas"}
            - {rule: "self.cronSpec == oldSelf.cronSpec", message: "cronSpec is immutable"}
            properties:
              cronSpec: {type: string, pattern: '^(\\d+|\\*)(/\\d+)?(\\s+(\\d+|\\*)(/\\d+)?){4}$', description: When to run.}
              image: {type: string, minLength: 1}
              replicas: {type: integer, minimum: 1, maximum: 10, default: 1}
              maxReplicas: {type: integer, default: 10}
              mode: {type: string, enum: [Fast, Slow], default: Fast}
              port: {x-kubernetes-int-or-string: true}
              extra: {type: object, x-kubernetes-preserve-unknown-fields: true}
              labels: {type: object, additionalProperties: {type: string}}
              targets:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [name]
                items:
                  type: object
                  required: [name]
                  properties: {name: {type: string}, weight: {type: integer}}
          status:
            type: object
            x-kubernetes-preserve-unknown-fields: true
  - name: v1beta1
    served: true
    storage: false
    deprecated: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`;

const tab = (name: string, spec = 'cronSpec: "* * * * */5", image: i') => `apiVersion: stable.example.com/v1
kind: CronTab
metadata: {name: ${name}}
spec: {${spec}}
`;

beforeAll(async () => {
  server = await startApiServer();
  k = kubectl(server.kubeconfig);
  await k.ok('apply', '-f', k.file('crd.yaml', definition));
  await k.ok('wait', '--for=condition=Established', '--timeout=5s', 'crd/crontabs.stable.example.com');
});
afterAll(async () => {
  k?.close();
  await server?.close();
});

describe('a custom resource', () => {
  test('is found by discovery, short name and category', async () => {
    expect(await k.ok('api-resources', '--api-group=stable.example.com')).toMatch(
      /crontabs +ct +stable\.example\.com\/v1 +true +CronTab/,
    );
    await k.ok('apply', '-f', k.file('a.yaml', tab('a')));
    expect(await k.ok('get', 'ct', 'a')).toMatch(/NAME +SPEC +REPLICAS +AGE\na +\* \* \* \* \*\/5 +1 +\d+s\n/);
    expect(await k.ok('get', 'all')).toContain('crontab.stable.example.com/a');
    expect(
      await k.ok('get', 'crontabs.v1.stable.example.com', 'a', '-o', 'jsonpath={.spec.mode}{.spec.maxReplicas}'),
    ).toBe('Fast10');
  });

  test('is explained from its schema', async () => {
    const text = await k.ok('explain', 'crontab.spec.cronSpec');
    expect(text).toMatch(/FIELD: cronSpec <string>/);
    expect(text).toContain('When to run.');
  });

  test('applies twice, by client and by server, in parts', async () => {
    const file = k.file('b.yaml', tab('b', 'cronSpec: "1 * * * *", targets: [{name: x}, {name: w, weight: 3}]'));
    expect(await k.ok('apply', '-f', file)).toBe('crontab.stable.example.com/b created\n');
    expect(await k.ok('apply', '-f', file)).toBe('crontab.stable.example.com/b unchanged\n');
    const parts = [
      ['one', 'cronSpec: "1 * * * *", targets: [{name: x}]'],
      ['two', 'cronSpec: "1 * * * *", targets: [{name: z, weight: 3}]'],
    ] as const;
    for (const [manager, spec] of parts) {
      const part = k.file('part.yaml', tab('parts', spec));
      expect(await k.ok('apply', '--server-side', `--field-manager=${manager}`, '-f', part)).toBe(
        'crontab.stable.example.com/parts serverside-applied\n',
      );
    }
    expect(await k.ok('get', 'ct', 'parts', '-o', 'jsonpath={.spec.targets[*].name} {.spec.targets[*].weight}')).toBe(
      'x z 3',
    );
    await k.ok('patch', 'ct', 'b', '--type=merge', '-p', '{"spec":{"replicas":4}}');
    await k.ok('label', 'ct', 'b', 'x=y');
    expect(await k.ok('get', 'ct', '-l', 'x=y', '-o', 'name')).toBe('crontab.stable.example.com/b\n');
  });

  test('scales, and has a status of its own', async () => {
    await k.ok('apply', '-f', k.file('s.yaml', tab('s')));
    await k.ok('scale', 'ct/s', '--replicas=3');
    await k.ok(
      'patch',
      'ct',
      's',
      '--subresource=status',
      '--type=merge',
      '-p',
      '{"status":{"replicas":2},"spec":{"replicas":9}}',
    );
    expect(
      await k.ok('get', 'ct', 's', '-o', 'jsonpath={.spec.replicas} {.status.replicas} {.metadata.generation}'),
    ).toBe('3 2 2');
  });

  test('is served in its other version, with a warning', async () => {
    await k.ok('apply', '-f', k.file('v.yaml', tab('v')));
    const { stdout, stderr } = await k.run([
      'get',
      'crontabs.v1beta1.stable.example.com',
      'v',
      '-o',
      'jsonpath={.apiVersion}',
    ]);
    expect(stdout).toBe('stable.example.com/v1beta1');
    expect(stderr).toContain('Warning: stable.example.com/v1beta1 CronTab is deprecated');
  });

  test('that owns others takes them along', async () => {
    await k.ok('apply', '-f', k.file('o.yaml', tab('o')));
    const uid = await k.ok('get', 'ct', 'o', '-o', 'jsonpath={.metadata.uid}');
    await server.client.create('ConfigMap', {
      metadata: {
        name: 'owned',
        namespace: 'default',
        ownerReferences: [{ apiVersion: 'stable.example.com/v1', kind: 'CronTab', name: 'o', uid }],
      },
    });
    await k.ok('delete', 'ct', 'o');
    await k.ok('wait', '--for=delete', 'configmap/owned', '--timeout=5s');
  });
});

describe('bad input', () => {
  test.each([
    ['a required field', 'image: i', 'spec.cronSpec: Required value'],
    ['a pattern', 'cronSpec: "never"', "spec.cronSpec in body should match '^("],
    ['a bound', 'cronSpec: "1 * * * *", replicas: 11', 'spec.replicas in body should be less than or equal to 10'],
    ['a type', 'cronSpec: "1 * * * *", replicas: many', 'spec.replicas in body must be of type integer: "string"'],
    [
      'an enum',
      'cronSpec: "1 * * * *", mode: Odd',
      'spec.mode: Unsupported value: "Odd": supported values: "Fast", "Slow"',
    ],
    [
      'an int-or-string',
      'cronSpec: "1 * * * *", port: [1]',
      'spec.port in body must be of type integer,string: "array"',
    ],
    [
      'a list key twice',
      'cronSpec: "1 * * * *", targets: [{name: a}, {name: a}]',
      'spec.targets[1]: Duplicate value: {"name":"a"}',
    ],
    ['a rule', 'cronSpec: "1 * * * *", replicas: 5, maxReplicas: 2', 'replicas must not pass maxReplicas'],
    ['an unknown field', 'cronSpec: "1 * * * *", colour: red', 'unknown field "spec.colour"'],
  ])('%s', async (_name, spec, message) => {
    const { code, stderr } = await k.run(['create', '-f', k.file('bad.yaml', tab('bad', spec))]);
    expect(stderr).toContain(message);
    expect(code).toBe(1);
  });

  test('a rule about a change holds for updates', async () => {
    await k.ok('apply', '-f', k.file('t.yaml', tab('t', 'cronSpec: "1 * * * *"')));
    const { stderr } = await k.run(['apply', '-f', k.file('t.yaml', tab('t', 'cronSpec: "2 * * * *"'))]);
    expect(stderr).toContain('cronSpec is immutable');
  });

  test.each([
    [
      'a rule that cannot be compiled',
      'self.replicas <= self.maxReplicas',
      'self.noSuch(',
      'x-kubernetes-validations[0].rule: Invalid value',
    ],
    ['an unknown function', 'self.replicas <= self.maxReplicas', 'nope(self)', 'compilation failed'],
    [
      'another name',
      'crontabs.stable.example.com',
      'wrong.stable.example.com',
      'must be spec.names.plural+"."+spec.group',
    ],
    ['a column of no type', 'type: date', 'type: moon', 'Unsupported value: "moon"'],
    [
      'no storage version',
      'storage: true',
      'storage: false',
      'must have exactly one version marked as storage version',
    ],
  ])('a definition with %s', async (_name, from, to, message) => {
    const text = definition.replace(from, to).replaceAll('crontabs', 'tabs2').replaceAll('CronTab', 'Tab2');
    const { code, stderr } = await k.run(['create', '-f', k.file('bad-crd.yaml', text)]);
    expect(stderr).toContain(message.replaceAll('crontabs', 'tabs2'));
    expect(code).toBe(1);
  });
});

/** Resolves when the watch stands. */
function openWatch(path: string): Promise<{ readonly ended: Promise<unknown> }> {
  const headers = { authorization: `Bearer ${server.pki.adminToken}` };
  return new Promise((resolve, reject) => {
    get(`${server.url}${path}`, { ca: server.pki.ca, headers }, response => {
      resolve({ ended: once(response.resume(), 'end') });
    }).once('error', reject);
  });
}

test('a deleted definition takes its objects along and is gone from discovery', async () => {
  const text = definition.replaceAll('crontab', 'brief').replaceAll('CronTab', 'Brief').replace('[ct]', '[br]');
  await k.ok('apply', '-f', k.file('brief.yaml', text));
  await k.ok('wait', '--for=condition=Established', '--timeout=5s', 'crd/briefs.stable.example.com');
  await k.ok('apply', '-f', k.file('br.yaml', tab('x').replaceAll('CronTab', 'Brief')));
  const watch = await openWatch('/apis/stable.example.com/v1/namespaces/default/briefs?watch=1');
  await k.ok('delete', 'crd', 'briefs.stable.example.com');
  // a watch ends with its kind
  await watch.ended;
  expect((await k.run(['get', 'briefs'])).stderr).toMatch(
    /could not find the requested resource|doesn't have a resource type/,
  );
  expect(server.engine.view.list('Brief.stable.example.com')).toEqual([]);
});
