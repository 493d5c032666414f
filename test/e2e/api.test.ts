import { chmodSync } from 'node:fs';
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
    expect(await k.ok('api-versions')).toMatch(/coordination\.k8s\.io\/v1\n(.+\n)*v1\n/);
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

  test('create of every kind without a file (protobuf bodies)', async () => {
    expect(await k.ok('create', 'namespace', 'made')).toBe('namespace/made created\n');
    expect(await k.ok('create', 'configmap', 'c', '-n', 'made', '--from-literal=a=1', '--from-literal=b=two')).toBe(
      'configmap/c created\n',
    );
    expect(await k.ok('create', 'secret', 'generic', 's', '-n', 'made', '--from-literal=password=geheim')).toBe(
      'secret/s created\n',
    );
    expect(await k.ok('create', 'serviceaccount', 'robot', '-n', 'made')).toBe('serviceaccount/robot created\n');
    expect(await k.ok('get', 'configmap', 'c', '-n', 'made', '-o', 'jsonpath={.data}')).toBe('{"a":"1","b":"two"}');
    expect(await k.ok('get', 'secret', 's', '-n', 'made')).toMatch(/s +Opaque +1 +/);
    expect(
      Buffer.from(
        await k.ok('get', 'secret', 's', '-n', 'made', '-o', 'jsonpath={.data.password}'),
        'base64',
      ).toString(),
    ).toBe('geheim');
    expect(await k.ok('get', 'sa', '-n', 'made', '-o', 'name')).toBe('serviceaccount/default\nserviceaccount/robot\n');
    expect(await k.ok('create', 'namespace', 'dry', '--dry-run=server')).toBe(
      'namespace/dry created (server dry run)\n',
    );
    expect((await k.run(['get', 'ns', 'dry'])).stderr).toBe(
      'Error from server (NotFound): namespaces "dry" not found\n',
    );
  });

  test('run, label, annotate, patch of three kinds, edit, replace', async () => {
    expect(await k.ok('run', 'edited', '--image=busybox', '--', 'sleep', '1')).toBe('pod/edited created\n');
    expect(await k.ok('label', 'pod', 'edited', 'tier=front')).toBe('pod/edited labeled\n');
    expect(await k.ok('label', 'pod', 'edited', 'tier-')).toBe('pod/edited unlabeled\n');
    expect(await k.ok('annotate', 'pod', 'edited', 'note=hello')).toBe('pod/edited annotated\n');
    await k.ok('patch', 'pod', 'edited', '-p', '{"spec":{"containers":[{"name":"edited","image":"busybox:2"}]}}');
    await k.ok(
      'patch',
      'pod',
      'edited',
      '--type=json',
      '-p',
      '[{"op":"replace","path":"/spec/containers/0/image","value":"busybox:3"}]',
    );
    await k.ok('patch', 'pod', 'edited', '--type=merge', '-p', '{"metadata":{"labels":{"by":"merge"}}}');
    expect(
      await k.ok(
        'get',
        'pod',
        'edited',
        '-o',
        'jsonpath={.spec.containers[0].image} {.metadata.labels.by} {.metadata.annotations.note}',
      ),
    ).toBe('busybox:3 merge hello');
    expect(await k.ok('patch', 'pod', 'edited', '-p', '{"metadata":{"labels":{"by":"merge"}}}')).toBe(
      'pod/edited patched (no change)\n',
    );
    await k.ok('create', 'configmap', 'editable', '--from-literal=a=1');
    k.file('editor.sh', '#!/bin/sh\nsed -i "s/a: \\"1\\"/a: \\"2\\"/" "$1"\n');
    chmodSync(`${k.home}/editor.sh`, 0o700);
    k.env.KUBE_EDITOR = `${k.home}/editor.sh`;
    expect(await k.ok('edit', 'configmap', 'editable')).toBe('configmap/editable edited\n');
    const yaml = k.file(
      'cm.yaml',
      (await k.ok('get', 'configmap', 'editable', '-o', 'yaml')).replace('a: "2"', 'a: "3"'),
    );
    expect(await k.ok('replace', '-f', yaml)).toBe('configmap/editable replaced\n');
    expect((await k.run(['replace', '-f', yaml])).stderr).toMatch(
      /Error from server \(Conflict\).*the object has been modified/,
    );
    await k.ok('delete', 'pod/edited', 'configmap/editable');
  });

  test('mistakes are told as Kubernetes tells them', async () => {
    const refused = async (yaml: string): Promise<string> => {
      const { code, stderr } = await k.run(['create', '-f', '-'], { input: yaml });
      expect(code).toBe(1);
      return stderr;
    };
    expect(await refused(pod('x', '    imge: typo\n'))).toMatch(
      /Error from server \(BadRequest\).*strict decoding error: unknown field "spec\.containers\[0\]\.imge"/,
    );
    expect(await refused(pod('x').replace('    image: busybox:1.36\n', ''))).toMatch(
      /The Pod "x" is invalid: spec\.containers\[0\]\.image: Required value/,
    );
    expect(await refused(pod('Wrong_Name'))).toMatch(
      /The Pod "Wrong_Name" is invalid: metadata\.name: Invalid value: "Wrong_Name": a lowercase RFC 1123 subdomain/,
    );
    expect(await refused(pod('x', '    ports: [{containerPort: "eighty"}]\n'))).toMatch(
      /cannot unmarshal string into Go struct field ContainerPort\.spec\.containers\.ports\.containerPort of type int32/,
    );
    expect(await refused(pod('x', '    resources: {limits: {memory: 1Q}}\n'))).toMatch(
      /quantities must match the regular expression/,
    );
    expect(await refused(pod('x', '    resources: {limits: {cpu: 1}, requests: {cpu: 2}}\n'))).toMatch(
      /must be less than or equal to cpu limit of 1/,
    );
    expect(await refused(pod('x', '    volumeMounts: [{name: nope, mountPath: /m}]\n'))).toMatch(
      /spec\.containers\[0\]\.volumeMounts\[0\]\.name: Not found: "nope"/,
    );
    expect((await k.run(['create', '-n', 'nowhere', '-f', '-'], { input: pod('x') })).stderr).toMatch(
      /namespaces "nowhere" not found/,
    );
    expect((await k.run(['get', 'nonsense'])).stderr).toMatch(/the server doesn't have a resource type "nonsense"/);
    expect((await k.run(['get', 'pods', '--field-selector', 'spec.color=red'])).stderr).toMatch(
      /field label not supported: spec\.color/,
    );
    await k.ok('create', 'configmap', 'twice');
    expect((await k.run(['create', 'configmap', 'twice'])).stderr).toBe(
      'error: failed to create configmap: configmaps "twice" already exists\n',
    );
    expect((await k.run(['delete', 'ns', 'default'])).stderr).toMatch(
      /namespaces "default" is forbidden: this namespace may not be deleted/,
    );
    await k.ok('run', 'fixed', '--image=busybox');
    expect((await k.run(['patch', 'pod', 'fixed', '-p', '{"spec":{"restartPolicy":"Never"}}'])).stderr).toMatch(
      /spec: Forbidden: pod updates may not change fields other than/,
    );
    await k.ok('delete', 'pod/fixed', 'configmap/twice');
  });

  test('describe, explain, events, wait, -w, selectors, output formats', async () => {
    await k.ok('run', 'seen', '--image=busybox', '--labels=app=seen');
    await server.client.event(
      'test',
      {
        apiVersion: 'v1',
        kind: 'Pod',
        namespace: 'default',
        name: 'seen',
        uid: server.engine.view.get('Pod', 'default', 'seen')!.metadata.uid!,
      },
      'Normal',
      'Tested',
      'something happened',
    );
    expect(await k.ok('describe', 'pod', 'seen')).toMatch(
      /Name: +seen[\s\S]*QoS Class: +BestEffort[\s\S]*Tested +\d+s +test +something happened/,
    );
    expect(await k.ok('get', 'events')).toMatch(
      /LAST SEEN +TYPE +REASON +OBJECT +MESSAGE\n\S+ +Normal +Tested +pod\/seen +something happened/,
    );
    expect(await k.ok('events', '--for', 'pod/seen')).toMatch(/Tested/);
    expect(await k.ok('explain', 'pod.spec.containers')).toMatch(
      /KIND: +Pod[\s\S]*image\t<string>[\s\S]*name\t<string> -required-/,
    );
    expect(await k.ok('explain', 'node.status', '--recursive')).toMatch(/capacity/);
    expect(await k.ok('get', 'pods', '-l', 'app in (seen,other)', '-o', 'name')).toBe('pod/seen\n');
    expect(await k.ok('get', 'pods', '--field-selector', 'metadata.name=seen,status.phase=Pending', '-o', 'name')).toBe(
      'pod/seen\n',
    );
    expect(await k.ok('get', 'pods', '-A', '--show-labels')).toMatch(/default +seen +0\/1 +Pending +0 +\S+ +app=seen/);
    expect(JSON.parse(await k.ok('get', 'pods', '-o', 'json')).items).toHaveLength(1);
    expect(await k.ok('get', 'pods', '--sort-by=.metadata.name')).toMatch(/seen/);
    expect((await k.run(['get', 'nodes'])).stderr).toBe('No resources found\n');
    expect(await k.ok('wait', '--for=jsonpath={.status.phase}=Pending', 'pod/seen', '--timeout=5s')).toMatch(
      /condition met/,
    );
    const wait = k.run(['wait', '--for=condition=Ready', 'pod/seen', '--timeout=10s']);
    const watch = k.run(['get', 'pods', '-w', '--request-timeout=3s']);
    await server.client.updateStatus(
      'Pod',
      { namespace: 'default', name: 'seen' },
      {
        phase: 'Running',
        conditions: [{ type: 'Ready', status: 'True' }],
        containerStatuses: [
          { name: 'seen', ready: true, restartCount: 2, image: 'busybox', imageID: '', state: { running: {} } },
        ],
      },
    );
    expect((await wait).stdout).toMatch(/pod\/seen condition met/);
    expect((await watch).stdout).toMatch(/seen +1\/1 +Running +2/);
    await k.ok('delete', 'pod', 'seen');
  });

  test('deleting a namespace takes its content along; deleting a bound pod waits for its node', async () => {
    await k.ok('create', 'namespace', 'doomed');
    await k.ok('create', 'configmap', 'c', '-n', 'doomed');
    await k.ok('run', 'bound', '-n', 'doomed', '--image=busybox');
    await server.client.bind({ namespace: 'doomed', name: 'bound' }, 'nowhere-1');
    const deletion = k.run(['delete', 'namespace', 'doomed', '--timeout=20s']);
    await expect
      .poll(() => server.engine.view.get('Pod', 'doomed', 'bound')?.metadata.deletionTimestamp, { timeout: 5000 })
      .toBeDefined();
    expect(await k.ok('get', 'pods', '-n', 'doomed')).toMatch(/bound +0\/1 +Terminating/);
    expect(await k.ok('get', 'ns', 'doomed')).toMatch(/doomed +Terminating/);
    expect((await k.run(['create', 'configmap', 'late', '-n', 'doomed'])).stderr).toMatch(
      /unable to create new content in namespace doomed because it is being terminated/,
    );
    await server.client.removePod('nowhere-1', {
      namespace: 'doomed',
      name: 'bound',
      uid: server.engine.view.get('Pod', 'doomed', 'bound')!.metadata.uid!,
    });
    expect((await deletion).stdout).toBe('namespace "doomed" deleted\n');
    expect(server.engine.view.list('ConfigMap', 'doomed')).toEqual([]);
  });

  test('nodes: register, cordon, taint, drain by eviction', async () => {
    await server.client.registerNode('n1', {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'n1', labels: { 'node-role.kubernetes.io/control-plane': '', rack: 'r1' } },
      status: { conditions: [{ type: 'Ready', status: 'True' }] },
    });
    await server.client.heartbeat('n1');
    // a node may not give itself a role
    expect(await k.ok('get', 'nodes', '-L', 'rack')).toMatch(/n1 +Ready +<none> +\S+ +r1/);
    expect(await k.ok('label', 'node', 'n1', 'node-role.kubernetes.io/worker=')).toBe('node/n1 labeled\n');
    expect(await k.ok('get', 'nodes')).toMatch(/n1 +Ready +worker/);
    expect(await k.ok('cordon', 'n1')).toBe('node/n1 cordoned\n');
    expect(await k.ok('get', 'nodes')).toMatch(/n1 +Ready,SchedulingDisabled/);
    expect(await k.ok('uncordon', 'n1')).toBe('node/n1 uncordoned\n');
    expect(await k.ok('taint', 'node', 'n1', 'a=b:NoSchedule')).toBe('node/n1 tainted\n');
    expect(await k.ok('describe', 'node', 'n1')).toMatch(/Taints: +a=b:NoSchedule/);
    await k.ok('run', 'evicted', '--image=busybox', '--restart=Never');
    const { object } = await server.client.bind({ namespace: 'default', name: 'evicted' }, 'n1');
    const drain = k.run(['drain', 'n1', '--force', '--timeout=20s']);
    await expect
      .poll(() => server.engine.view.get('Pod', 'default', 'evicted')?.metadata.deletionTimestamp, { timeout: 5000 })
      .toBeDefined();
    await server.client.removePod('n1', { namespace: 'default', name: 'evicted', uid: object.metadata.uid! });
    expect((await drain).stdout).toMatch(/pod\/evicted evicted\nnode\/n1 drained/);
    await k.ok('delete', 'node', 'n1');
  });

  test('server-side apply: creates, leaves alone, conflicts, forces, lets go', async () => {
    const manifest = (data: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ssa}\ndata: {${data}}\n`;
    const file = k.file('ssa.yaml', manifest('a: "1", b: "2"'));
    const apply = (...more: string[]) => k.run(['apply', '--server-side', '-f', file, ...more]);
    const data = () => k.ok('get', 'configmap', 'ssa', '-o', 'jsonpath={.data}');
    const version = () => k.ok('get', 'configmap', 'ssa', '-o', 'jsonpath={.metadata.resourceVersion}');
    expect((await apply()).stdout).toBe('configmap/ssa serverside-applied\n');
    const before = await version();
    expect((await apply()).stdout).toBe('configmap/ssa serverside-applied\n');
    expect(await version()).toBe(before);
    await k.ok(
      'patch',
      'configmap',
      'ssa',
      '--type=merge',
      '--field-manager=other',
      '-p',
      '{"data":{"a":"9","c":"3"}}',
    );
    const refused = await apply();
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('Apply failed with 1 conflict: conflict with "other" using v1: .data.a');
    expect((await apply('--force-conflicts')).code).toBe(0);
    expect(await data()).toBe('{"a":"1","b":"2","c":"3"}');
    k.file('ssa.yaml', manifest('a: "1"'));
    expect((await apply()).code).toBe(0);
    expect(await data()).toBe('{"a":"1","c":"3"}');
    expect(await k.ok('get', 'configmap', 'ssa', '-o', 'yaml', '--show-managed-fields')).toMatch(
      /f:data:\n +f:c: \{\}\n +manager: other\n +operation: Update/,
    );
    // an object of client-side apply belongs to nobody in particular
    const podFile = k.file('ssa-pod.yaml', pod('ssa'));
    await k.ok('apply', '-f', podFile);
    expect((await k.run(['apply', '--server-side', '-f', podFile])).stdout).toBe('pod/ssa serverside-applied\n');
    k.file('ssa-pod.yaml', pod('ssa').replace('busybox:1.36', 'busybox:1.37'));
    expect((await k.run(['apply', '--server-side', '-f', podFile])).stdout).toBe('pod/ssa serverside-applied\n');
    expect(await k.ok('get', 'pod', 'ssa', '-o', 'jsonpath={.spec.containers[0].image}')).toBe('busybox:1.37');
    await k.ok('delete', 'pod/ssa', 'configmap/ssa');
  });

  test('pages of a list add up', async () => {
    for (let i = 0; i < 7; i++)
      await server.client.create('ConfigMap', {
        metadata: { name: `page-${i}`, namespace: 'kube-public', labels: { page: 'yes' } },
      });
    expect(
      (await k.ok('get', 'configmap', '-n', 'kube-public', '-l', 'page=yes', '--chunk-size=2', '-o', 'name'))
        .trim()
        .split('\n'),
    ).toHaveLength(7);
    await k.ok('delete', 'configmap', '-n', 'kube-public', '-l', 'page=yes');
    expect(server.engine.view.list('ConfigMap', 'kube-public').map(({ metadata }) => metadata.name)).toEqual([
      'kube-root-ca.crt',
    ]);
  });
});
