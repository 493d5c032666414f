import { readdirSync } from 'node:fs';
import { join } from 'node:path';
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

/** The row of one object, and its heading, each cut at two spaces. */
async function row(...args: string[]): Promise<Record<string, string>> {
  const [head = '', line = ''] = (await k.ok('get', ...args)).split('\n');
  const starts = [...head.matchAll(/\S+(?: \S+)*/g)].map(match => ({ name: match[0], at: match.index }));
  return Object.fromEntries(
    starts.map(({ name, at }, i) => [name, line.slice(at, starts[i + 1]?.at ?? undefined).trim()]),
  );
}

describe("kubectl's generators make every kind, and get shows it", () => {
  test('deployment, with its scale', async () => {
    await k.ok('create', 'deployment', 'web', '--image=nginx:1.27', '--replicas=2', '--port=80');
    expect(await row('deployment', 'web', '-o', 'wide')).toMatchObject({
      NAME: 'web',
      READY: expect.stringMatching(/\/2$/),
      CONTAINERS: 'nginx',
      IMAGES: 'nginx:1.27',
      SELECTOR: 'app=web',
    });
  });
  test('services of every type', async () => {
    await k.ok('create', 'service', 'clusterip', 'c', '--tcp=80:8080');
    await k.ok('create', 'service', 'nodeport', 'n', '--tcp=80:8080', '--node-port=30123');
    await k.ok('create', 'service', 'loadbalancer', 'l', '--tcp=80');
    await k.ok('create', 'service', 'externalname', 'e', '--external-name=example.com');
    await k.ok('expose', 'deployment', 'web', '--name=exposed', '--port=80');
    expect(await row('service', 'n')).toMatchObject({
      TYPE: 'NodePort',
      'EXTERNAL-IP': '<none>',
      'PORT(S)': '80:30123/TCP',
    });
    expect(await row('service', 'l')).toMatchObject({ 'EXTERNAL-IP': '<pending>' });
    expect(await row('service', 'e')).toMatchObject({
      'CLUSTER-IP': '<none>',
      'EXTERNAL-IP': 'example.com',
      'PORT(S)': '<none>',
    });
    expect(await row('service', 'exposed', '-o', 'wide')).toMatchObject({ 'PORT(S)': '80/TCP', SELECTOR: 'app=web' });
    expect(await row('service', 'kubernetes')).toMatchObject({ 'CLUSTER-IP': '10.96.0.1', 'PORT(S)': '443/TCP' });
  });
  test('job and cronjob', async () => {
    await k.ok('create', 'job', 'once', '--image=busybox:1.36', '--', 'true');
    await k.ok('create', 'cronjob', 'often', '--image=busybox:1.36', '--schedule=*/5 * * * *', '--', 'true');
    await k.ok('create', 'job', 'manual', '--from=cronjob/often');
    expect(await row('job', 'once')).toMatchObject({ STATUS: 'Running', COMPLETIONS: '0/1' });
    expect(await row('cronjob', 'often')).toMatchObject({
      SCHEDULE: '*/5 * * * *',
      TIMEZONE: '<none>',
      SUSPEND: 'False',
    });
  });
  test('autoscaler, in both versions', async () => {
    await k.ok('autoscale', 'deployment', 'web', '--min=1', '--max=3', '--cpu=70%');
    expect(await row('hpa', 'web')).toMatchObject({
      REFERENCE: 'Deployment/web',
      TARGETS: expect.stringMatching(/^cpu: .*\/70%$/),
      MINPODS: '1',
      MAXPODS: '3',
    });
    const v1 = JSON.parse(await k.ok('get', 'horizontalpodautoscalers.v1.autoscaling', 'web', '-o', 'json'));
    expect(v1).toMatchObject({ apiVersion: 'autoscaling/v1', spec: { targetCPUUtilizationPercentage: 70 } });
  });
  test('policy, ingress, quota, priority', async () => {
    await k.ok('create', 'pdb', 'p', '--selector=app=web', '--min-available=50%');
    await k.ok('create', 'ingress', 'i', '--class=nginx', '--rule=example.com/*=web:80,tls=cert');
    await k.ok('create', 'quota', 'q', '--hard=pods=10,requests.cpu=2,limits.memory=1Gi');
    await k.ok('create', 'priorityclass', 'high', '--value=1000', '--description=x');
    expect(await row('pdb', 'p')).toMatchObject({ 'MIN AVAILABLE': '50%', 'MAX UNAVAILABLE': 'N/A' });
    expect(await row('ingress', 'i')).toMatchObject({ CLASS: 'nginx', HOSTS: 'example.com', PORTS: '80, 443' });
    expect(await row('priorityclass', 'high')).toMatchObject({ VALUE: '1000', 'GLOBAL-DEFAULT': 'false' });
    expect(await k.ok('get', 'priorityclasses', '-o', 'name')).toContain('system-node-critical');
    await k.ok('get', 'quota', 'q');
  });
});

test('every listed resource can be listed, described and explained', async () => {
  const names = (await k.ok('api-resources', '--verbs=list', '-o', 'name')).trim().split('\n');
  expect(names.length).toBeGreaterThan(30);
  await k.ok('get', names.join(','), '-A');
  for (const name of [
    'deployment.spec.strategy',
    'statefulset.spec',
    'service.spec.ports',
    'ingress.spec.rules',
    'pvc.spec',
  ])
    expect(await k.ok('explain', name)).toMatch(/FIELDS?:/);
  expect(await k.ok('describe', 'deployment,service,job,cronjob,hpa,pdb,ingress,quota')).toContain('Name:');
  // what follows does not say what it needs
  await k.ok('delete', 'quota', 'q');
});

const corpus = 'test/cases/corpus';
test.each(readdirSync(corpus))('a manifest as people write them: %s', async file => {
  const applied = await k.run(['apply', '-f', join(corpus, file)]);
  if (file.includes('-legacy')) {
    expect(applied.code).toBe(1);
    expect(applied.stderr).toMatch(/no matches for kind "\w+" in version "autoscaling\/v2beta\d"/);
    return;
  }
  expect(applied.stderr).toBe('');
  // kubectl itself says "configured" of a pod that got one more volume, and sends a patch that changes nothing
  const revisions = () => k.ok('get', '-f', join(corpus, file), '-o', 'jsonpath={..resourceVersion}');
  const before = await revisions();
  const again = await k.ok('apply', '-f', join(corpus, file));
  if (again.startsWith('pod/')) expect(await revisions()).toBe(before);
  else expect(again).toMatch(/unchanged/);
  // two of them have the same name
  await k.ok('delete', '-f', join(corpus, file));
});
