import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startApiServer, type TestServer } from '../helpers/api-server.js';
import { type Kubectl, kubectl } from '../helpers/kubectl.js';

let server: TestServer;
let k: Kubectl;

beforeAll(async () => {
  server = await startApiServer();
  k = kubectl(server.kubeconfig);
});
afterAll(async () => {
  k?.close();
  await server?.close();
});

const pod = (name: string, more = '') => `apiVersion: v1
kind: Pod
metadata:
  name: ${name}
  labels: {app: web}
spec:
  containers:
  - name: main
    image: busybox:1.36
    command: [sleep, "1000"]
${more}`;

describe('kubectl 1.35 without any node', () => {
  test('version, api-resources, api-versions', async () => {
    expect(await k.ok('version')).toMatch(/Server Version: v1\.35/);
    expect(await k.ok('api-resources')).toMatch(/pods +po +v1 +true +Pod/);
    expect(await k.ok('api-versions')).toMatch(/coordination\.k8s\.io\/v1\nv1/);
  });

  test('the system namespaces are there', async () => {
    const names = await k.ok('get', 'namespaces', '-o', 'name');
    expect(names.trim().split('\n').sort()).toEqual(
      ['default', 'kube-node-lease', 'kube-public', 'kube-system'].map(name => `namespace/${name}`),
    );
    expect(await k.ok('get', 'sa', '-A')).toMatch(/kube-system +default +0/);
  });

  test('apply creates, then leaves alone, then changes', async () => {
    const file = k.file('pod.yaml', pod('applied'));
    expect(await k.ok('apply', '-f', file)).toBe('pod/applied created\n');
    expect(await k.ok('apply', '-f', file)).toBe('pod/applied unchanged\n');
    k.file('pod.yaml', pod('applied').replace('busybox:1.36', 'busybox:1.37').replace('app: web', 'app: web2'));
    expect(await k.ok('apply', '-f', file)).toBe('pod/applied configured\n');
    expect(
      await k.ok(
        'get',
        'pod',
        'applied',
        '-o',
        'jsonpath={.spec.containers[0].image} {.metadata.labels.app} {.metadata.generation}',
      ),
    ).toBe('busybox:1.37 web2 2');
    expect(await k.ok('get', 'pods', '-l', 'app=web2')).toMatch(
      /NAME +READY +STATUS +RESTARTS +AGE\napplied +0\/1 +Pending +0 +/,
    );
    expect(await k.ok('get', 'pods', '-o', 'wide')).toMatch(/IP +NODE +NOMINATED NODE +READINESS GATES/);
    expect(await k.ok('delete', 'pod', 'applied')).toBe('pod "applied" deleted from default namespace\n');
  });
});
