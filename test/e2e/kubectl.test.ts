/** What people type, in all versions of kubectl that are around: each command must do it. One cluster with real pods. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, type KubectlMinor, startCluster } from '../helpers/cluster.js';

let cluster: Cluster;
const busybox = 'localhost/busybox:1';

beforeAll(async () => {
  cluster = await startCluster();
  await cluster.kubectl('run', 'p', `--image=${busybox}`, '--', 'sh', '-c', 'echo ready; exec sleep 10000');
  await cluster.kubectl('wait', '--for=condition=Ready', 'pod/p', '--timeout=30s');
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

/** Splits at spaces; `'…'` holds together. */
const words = (command: string): string[] =>
  [...command.matchAll(/(?:'[^']*'|[^\s'])+/g)].map(([word]) => word.replaceAll("'", ''));

async function type(command: string, input?: string): Promise<string> {
  return (await cluster.ok(cluster.tryKubectl(words(command), input))).stdout;
}

/** In order: later ones work on what earlier ones made. Then what the answer must contain. */
const commands: readonly (readonly [string, string | RegExp])[] = [
  ['version', /Server Version: v1\.35/],
  ['cluster-info', 'control plane'],
  ['cluster-info dump', '"kind": "NodeList"'],
  ['api-resources --namespaced=false', 'customresourcedefinitions'],
  ['api-versions', 'networking.k8s.io/v1'],
  ['explain deployment.spec.strategy --recursive', 'rollingUpdate'],
  [`create deployment web --image=${busybox} --replicas=1 -- sleep 1000`, 'created'],
  ['create service clusterip web --tcp=80:80', 'created'],
  ['create service nodeport np --tcp=80:80', 'created'],
  ['create service externalname out --external-name=example.com', 'created'],
  ['create configmap cm --from-literal=a=b', 'created'],
  ['create secret generic s --from-literal=a=b', 'created'],
  ['create secret docker-registry pull --docker-server=r --docker-username=u --docker-password=p', 'created'],
  ['create namespace other', 'created'],
  ['create serviceaccount bot', 'created'],
  ['create role reader --verb=get,list --resource=pods', 'created'],
  ['create rolebinding bot-reads --role=reader --serviceaccount=default:bot', 'created'],
  ['create clusterrole nodes --verb=get --resource=nodes', 'created'],
  ['create clusterrolebinding jane --clusterrole=nodes --user=jane', 'created'],
  ['create quota few -n other --hard=pods=3', 'created'],
  ['create poddisruptionbudget one --selector=app=web --min-available=1', 'created'],
  ['create priorityclass urgent --value=10', 'created'],
  ['create ingress i --rule=a.example/x=web:80', 'created'],
  [`create job once --image=${busybox} -- true`, 'created'],
  [`create cronjob often --image=${busybox} --schedule='*/5 * * * *' -- true`, 'created'],
  ['create job again --from=cronjob/often', 'created'],
  ['create token bot', /^ey/],
  ['wait --for=condition=complete job/once job/again --timeout=30s', 'condition met'],
  ["wait --for=jsonpath='{.status.phase}'=Running pod/p --timeout=30s", 'condition met'],
  ['rollout status deployment/web --timeout=30s', 'successfully rolled out'],
  ['get pods -o wide', /p +1\/1 +Running/],
  ['get pods -o json', '"kind": "List"'],
  ['get pods -o yaml', 'kind: List'],
  ['get pods -o name', 'pod/p'],
  ["get pod p -o jsonpath='{.spec.containers[0].name}'", 'p'],
  ['get pods -o custom-columns=N:.metadata.name,P:.status.phase', /p +Running/],
  ["get pods -o go-template='{{range .items}}{{.metadata.name}} {{end}}'", 'p '],
  ['get pods --sort-by=.metadata.creationTimestamp', 'p '],
  ['get pods --chunk-size=1', 'p '],
  ['get pods -l run=p --show-labels', 'run=p'],
  ['get pods --field-selector=status.phase=Running,metadata.name=p', 'p '],
  ['get all', 'deployment.apps/web'],
  ['get events --sort-by=.lastTimestamp', 'Started'],
  ['events --for pod/p', 'Started'],
  ['get --raw /readyz', 'ok'],
  [
    'describe deploy/web svc/web cm/cm secret/s ns/other sa/bot role/reader rolebinding/bot-reads ingress/i job/once cronjob/often pdb/one',
    'Name:',
  ],
  ['describe node', /Non-terminated Pods/],
  ['describe pod p', /Container ID: +keelson:\/\//],
  ['scale deployment web --replicas=2', 'scaled'],
  ['autoscale deployment web --min=1 --max=3 --cpu=50%', 'autoscaled'],
  ['describe hpa web', 'Min replicas:'],
  ['expose deployment web --name=web2 --port=80 --target-port=8080', 'exposed'],
  ['set env deployment/web A=B', 'updated'],
  ['set selector svc/web2 app=other', 'updated'],
  ['set serviceaccount deployment/web bot', 'updated'],
  ['set subject rolebinding/bot-reads --user=bob', 'updated'],
  ['rollout history deployment/web', 'REVISION'],
  ['rollout pause deployment/web', 'paused'],
  ['rollout resume deployment/web', 'resumed'],
  ['rollout restart deployment/web', 'restarted'],
  ['rollout status deployment/web --timeout=60s', 'successfully rolled out'],
  ['rollout undo deployment/web', 'rolled back'],
  ['label pod p a=b', 'labeled'],
  ['label pod p a-', 'unlabeled'],
  ['annotate pod p note=x', 'annotated'],
  [`patch pod p -p '{"metadata":{"labels":{"q":"1"}}}'`, 'patched'],
  [`patch pod p --type=json -p '[{"op":"add","path":"/metadata/labels/z","value":"1"}]'`, 'patched'],
  [`patch configmap cm --type=merge -p '{"data":{"z":"1"}}'`, 'patched'],
  ['logs p', 'ready'],
  ['exec p -- echo inside', 'inside'],
  ['auth can-i get pods', 'yes'],
  ['auth can-i --list', 'Resources'],
  ['auth whoami', 'kubernetes-admin'],
  ['taint node --all a=b:PreferNoSchedule', 'tainted'],
  ['taint node --all a-', 'untainted'],
  [
    'get pv,pvc,sc,hpa,ingress,netpol,ep,endpointslices,rs,rc,sts,ds,limits,quota,csr,leases,crd',
    'replicaset.apps/web',
  ],
  ['config view', 'clusters:'],
  ['config get-contexts', 'CURRENT'],
  ['delete deployment web --cascade=foreground', 'deleted'],
  ['delete svc -l app=web', 'deleted'],
  ['delete job,cronjob --all', 'deleted'],
];

test.each(commands)('kubectl %s', async (command, expected) => {
  expect(await type(command)).toMatch(expected);
});

describe('files', () => {
  const manifest = 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: filed\n  labels: {kept: here}\ndata:\n  a: b\n';

  test('apply, diff, replace, prune, server side', async () => {
    expect(await type('apply -f -', manifest)).toContain('created');
    const { code, stdout } = await cluster.tryKubectl(['diff', '-f', '-'], manifest.replace('a: b', 'a: c'));
    expect(code).toBe(1);
    expect(stdout).toContain('+  a: c');
    expect(await type('replace -f -', manifest.replace('a: b', 'a: d'))).toContain('replaced');
    expect(await type('replace --force -f -', manifest)).toContain('replaced');
    const other = manifest.replace('name: filed', 'name: second');
    expect(await type('apply -f - --prune -l kept=here', other)).toContain('second created');
    expect(await type('apply --server-side --force-conflicts -f -', other)).toContain('serverside-applied');
    expect(await type('apply view-last-applied configmap second')).toContain('a: b');
  });

  test('edit, with an editor that is a script', async () => {
    const editor = join(cluster.directory, 'editor');
    writeFileSync(editor, '#!/bin/sh\nsed -i "s/^  a: b$/  a: edited/" "$1"\n');
    chmodSync(editor, 0o755);
    await type('create configmap edited --from-literal=a=b');
    await cluster.ok(cluster.tryKubectl(['edit', 'configmap', 'edited'], undefined, 35, { EDITOR: editor }));
    expect(await type("get configmap edited -o jsonpath='{.data.a}'")).toBe('edited');
  });

  test('kustomize', async () => {
    const folder = join(cluster.directory, 'kustomize');
    mkdirSync(folder);
    writeFileSync(join(folder, 'kustomization.yaml'), 'resources: [cm.yaml]\nnamePrefix: pre-\n');
    writeFileSync(join(folder, 'cm.yaml'), manifest);
    expect(await type(`apply -k ${folder}`)).toContain('configmap/pre-filed created');
    expect(await type(`delete -k ${folder}`)).toContain('deleted');
  });
});

test('top, once the node has reported', async () => {
  await expect
    .poll(async () => (await cluster.tryKubectl(['top', 'node'])).stdout, { timeout: 30_000 })
    .toMatch(/NAME +CPU\(cores\)/);
  await expect
    .poll(async () => (await cluster.tryKubectl(['top', 'pod', 'p', '--containers'])).stdout, { timeout: 30_000 })
    .toMatch(/p +p +\d+m/);
});

describe.each<KubectlMinor>([22, 26, 30, 33])('kubectl 1.%i', minor => {
  const old = async (command: string, input?: string): Promise<string> =>
    (await cluster.ok(cluster.tryKubectl(words(command), input, minor))).stdout;
  const name = `old-${minor}`;

  test('applies, rolls out, waits, reads logs and deletes', async () => {
    const deployment = (word: string) => `apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}}
spec:
  replicas: 1
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: c, image: '${busybox}', command: [sh, -c, 'echo ${word}; exec sleep 1000']}]
`;
    expect(await old('apply -f -', deployment('one'))).toContain('created');
    expect(await old(`rollout status deployment/${name} --timeout=30s`)).toContain('successfully rolled out');
    expect(await old('apply -f -', deployment('two'))).toContain('configured');
    await old(`rollout status deployment/${name} --timeout=30s`);
    await old(`wait --for=condition=Available deployment/${name} --timeout=30s`);
    expect(await old(`get deployment ${name}`)).toMatch(/1\/1/);
    expect(await old(`rollout history deployment/${name}`)).toContain('2');
    expect(await old(`rollout undo deployment/${name}`)).toContain('rolled back');
    await old(`rollout status deployment/${name} --timeout=30s`);
    expect(await old(`logs deployment/${name}`)).toContain('one');
    expect(await old(`delete deployment ${name}`)).toContain('deleted');
  });
});
