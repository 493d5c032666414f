/** The official client for Node against a whole cluster: objects, informers, watch, exec, attach, port-forward, logs. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import {
  Attach,
  CoreV1Api,
  Exec,
  KubeConfig,
  KubernetesObjectApi,
  Log,
  Metrics,
  makeInformer,
  PortForward,
  type V1Pod,
  type V1Status,
  Watch,
} from '@kubernetes/client-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cluster, eventually, startCluster } from '../helpers/cluster.js';

let cluster: Cluster;
const config = new KubeConfig();
let core: CoreV1Api;

const web: V1Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', labels: { app: 'web' } },
  spec: {
    terminationGracePeriodSeconds: 0,
    restartPolicy: 'Never',
    containers: [
      { name: 'brief', image: 'localhost/busybox:1', command: ['sh', '-c', 'echo begun; sleep 3; echo over'] },
      {
        name: 'app',
        image: 'localhost/busybox:1',
        stdin: true,
        command: [
          'sh',
          '-c',
          'echo begun; nc -ll -p 7070 -e cat & while read l; do echo "got $l"; done; exec sleep 100000',
        ],
      },
    ],
  },
};

beforeAll(async () => {
  cluster = await startCluster();
  config.loadFromFile(cluster.kubeconfig);
  core = config.makeApiClient(CoreV1Api);
  await core.createNamespacedPod({ namespace: 'default', body: web });
  await eventually('the pod runs', async () => {
    const { status } = await core.readNamespacedPod({ namespace: 'default', name: 'web' });
    return status?.phase === 'Running';
  });
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

test('an informer hears of what comes, changes and goes', async () => {
  const heard: string[] = [];
  const list = () => core.listNamespacedConfigMap({ namespace: 'default' });
  const informer = makeInformer(config, '/api/v1/namespaces/default/configmaps', list);
  for (const verb of ['add', 'update', 'delete'] as const)
    informer.on(verb, object => heard.push(`${verb} ${object.metadata?.name}`));
  await informer.start();
  const body = { metadata: { name: 'seen' }, data: { a: '1' } };
  await core.createNamespacedConfigMap({ namespace: 'default', body });
  await core.replaceNamespacedConfigMap({ namespace: 'default', name: 'seen', body: { ...body, data: { a: '2' } } });
  await core.deleteNamespacedConfigMap({ namespace: 'default', name: 'seen' });
  await eventually('all three', async () => heard.includes('delete seen'));
  await informer.stop();
  expect(heard.filter(text => text.endsWith('seen'))).toEqual(['add seen', 'update seen', 'delete seen']);
});

test('a watch is told of changes, and can be ended', async () => {
  const seen: string[] = [];
  const controller = await new Watch(config).watch(
    '/api/v1/namespaces',
    {},
    (type, object) => seen.push(`${type} ${object.metadata.name}`),
    () => {},
  );
  await core.createNamespace({ body: { metadata: { name: 'watched' } } });
  await eventually('it was seen', async () => seen.includes('ADDED watched'));
  controller.abort();
});

test('any object by its manifest: create, patch, read, delete', async () => {
  const objects = KubernetesObjectApi.makeApiClient(config);
  const spec = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'any', namespace: 'default' },
    data: { a: '1' },
  };
  await objects.create(spec);
  await objects.patch({ ...spec, data: { b: '2' } });
  expect(await objects.read(spec)).toMatchObject({ data: { a: '1', b: '2' } });
  await objects.delete(spec);
});

test('exec: output, errors, input and the exit code', async () => {
  const [out, errors, input] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const status = new Promise<V1Status>(resolve => {
    const command = ['sh', '-c', 'read l; echo "out $l"; echo err >&2; exit 7'];
    void new Exec(config).exec('default', 'web', 'app', command, out, errors, input, false, resolve);
    input.end('word\n');
  });
  expect(await status).toMatchObject({
    status: 'Failure',
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: '7' }] },
  });
  out.end();
  errors.end();
  expect(await text(out)).toBe('out word\n');
  expect(await text(errors)).toBe('err\n');
});

test('attach: what is typed reaches the process', async () => {
  const [out, input] = [new PassThrough(), new PassThrough()];
  let said = '';
  out.on('data', part => (said += part));
  const socket = await new Attach(config).attach('default', 'web', 'app', out, null, input, false);
  input.write('typed\n');
  await eventually('it answers', async () => said.includes('got typed'));
  socket.close();
});

test('logs, once and followed', async () => {
  const log = new Log(config);
  const once = new PassThrough();
  await log.log('default', 'web', 'app', once, { tailLines: 100 });
  let said = '';
  once.on('data', part => (said += part));
  await eventually('the log', async () => said.startsWith('begun\n'));
  const followed = new PassThrough();
  await log.log('default', 'web', 'brief', followed, { follow: true });
  expect(await text(followed)).toBe('begun\nover\n');
});

test('port-forward over its channels, there and back', async () => {
  const forward = new PortForward(config);
  const sockets: Socket[] = [];
  const server: Server = createServer(socket => {
    sockets.push(socket);
    void forward.portForward('default', 'web', [7070], socket, null, socket);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const client = connect(port, '127.0.0.1');
  let echoed = '';
  client.on('data', part => (echoed += part));
  client.write('there and back');
  await eventually('the echo', async () => echoed === 'there and back');
  client.destroy();
  for (const socket of sockets) socket.destroy();
  server.close();
});

test('metrics of nodes and pods, once the node has reported', async () => {
  const metrics = new Metrics(config);
  await expect.poll(async () => (await metrics.getNodeMetrics()).items.length, { timeout: 30_000 }).toBe(1);
  await expect
    .poll(async () => (await metrics.getPodMetrics('default')).items.flatMap(pod => pod.containers), {
      timeout: 30_000,
    })
    .toContainEqual(
      expect.objectContaining({ name: 'app', usage: { cpu: expect.any(String), memory: expect.any(String) } }),
    );
});
