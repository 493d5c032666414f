/** Volumes as their users see them: what they hold, how they follow their objects, what is said when they cannot be. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, eventually, startCluster } from '../helpers/cluster.js';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ images: ['busybox'] });
});
afterAll(async () => cluster?.[Symbol.asyncDispose]());

interface Mounted {
  readonly volume: object;
  readonly mount?: object;
}
const podOf = (name: string, { volume, mount = {} }: Mounted, more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels: { app: name } },
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [
      {
        name: 'app',
        image: 'localhost/busybox:1',
        command: ['sleep', '1000'],
        volumeMounts: [{ name: 'v', mountPath: '/v', ...mount }],
      },
    ],
    volumes: [{ name: 'v', ...volume }],
    ...more,
  },
});
const configMap = (name: string, data: Record<string, string>) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  data,
});
const ready = (name: string) => cluster.kubectl('wait', '--for=condition=Ready', `pod/${name}`, '--timeout=30s');
const sh = (name: string, script: string) => cluster.kubectl('exec', name, '--', 'sh', '-c', script);
const said = (name: string, text: string) =>
  eventually(`${name}: event ${text}`, async () =>
    (await cluster.kubectl('get', 'events', '--field-selector', `involvedObject.name=${name}`)).includes(text),
  );

describe.concurrent('what shows objects', () => {
  test('follows a ConfigMap: changed, added and removed keys; a subPath stays as it was', async () => {
    await cluster.apply(configMap('live', { a: 'one', b: 'two' }));
    const mounts = [
      { name: 'v', mountPath: '/v' },
      { name: 'v', mountPath: '/fixed', subPath: 'a' },
    ];
    const pod = podOf('live', { volume: { configMap: { name: 'live' } } });
    pod.spec.containers[0]!.volumeMounts = mounts;
    await cluster.apply(pod);
    await ready('live');
    expect(await sh('live', 'cat /v/a; readlink /v/a')).toBe('one..data/a\n');
    await cluster.kubectl('patch', 'configmap', 'live', '-p', '{"data":{"a":"uno","b":null,"c":"tres"}}');
    await eventually('new content', async () => (await sh('live', 'cat /v/a')) === 'uno');
    expect(await sh('live', 'ls /v; cat /fixed')).toBe('a\nc\none');
  });

  test('follows the labels of its pod', async () => {
    const items = [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }];
    await cluster.apply(podOf('labels', { volume: { downwardAPI: { items } } }));
    await ready('labels');
    await cluster.kubectl('label', 'pod', 'labels', 'more=1');
    await eventually('new label', async () => (await sh('labels', 'cat /v/labels')) === 'app="labels"\nmore="1"');
  });

  test('an optional object that comes later is shown', async () => {
    await cluster.apply(podOf('optional', { volume: { secret: { secretName: 'later', optional: true } } }));
    await ready('optional');
    expect(await sh('optional', 'ls /v')).toBe('');
    await cluster.kubectl('create', 'secret', 'generic', 'later', '--from-literal=k=v');
    await eventually('the key', async () => (await sh('optional', 'cat /v/k 2>/dev/null || true')) === 'v');
  });

  test('a pod waits for what is missing, says so, and starts when it is there', async () => {
    await cluster.apply(podOf('waits', { volume: { configMap: { name: 'missing' } } }));
    await said('waits', 'MountVolume.SetUp failed for volume "v" : configmap "missing" not found');
    await cluster.apply(configMap('missing', { a: '1' }));
    await ready('waits');
  });

  test('a pod of a former name does not see what its ConfigMap was', async () => {
    await cluster.apply(
      configMap('reborn', { a: 'old' }),
      podOf('reborn', { volume: { configMap: { name: 'reborn' } } }),
    );
    await ready('reborn');
    await cluster.kubectl('delete', 'pod', 'reborn', '--wait');
    await cluster.apply(configMap('reborn', { a: 'new' }));
    await cluster.apply(podOf('reborn', { volume: { configMap: { name: 'reborn' } } }));
    await ready('reborn');
    expect(await sh('reborn', 'cat /v/a')).toBe('new');
  });
});

describe.concurrent('other volumes', () => {
  test('an emptyDir in memory has its size, and a group that may write', async () => {
    const volume = { emptyDir: { medium: 'Memory', sizeLimit: '8Mi' } };
    await cluster.apply(podOf('memory', { volume }, { securityContext: { runAsUser: 1000, fsGroup: 2000 } }));
    await ready('memory');
    expect(await sh('memory', 'grep " /v " /proc/mounts; touch /v/x; stat -c %u:%g /v/x')).toMatch(
      /^tmpfs .*size=8192k.*\n1000:2000\n$/,
    );
  });

  test('a directory for a subPath can be written by whoever may write the volume', async () => {
    const mounted = { volume: { emptyDir: {} }, mount: { subPath: 'a/b' } };
    await cluster.apply(podOf('sub', mounted, { securityContext: { runAsUser: 1000 } }));
    await ready('sub');
    expect(await sh('sub', 'touch /v/x && ls /v')).toBe('x\n');
  });

  test.each([
    ['Directory', '/etc/passwd', 'is not a directory'],
    ['File', '/etc', 'is not a file'],
    ['Socket', '/etc', 'is not a socket file'],
    ['Directory', '/not-there', 'is not a directory'],
  ])('hostPath of type %s at %s', async (type, path, why) => {
    const name = `host-${type}-${path.replaceAll('/', '')}`.toLowerCase();
    await cluster.apply(podOf(name, { volume: { hostPath: { path, type } } }));
    await said(name, `hostPath type check failed: ${path} ${why}`);
  });

  test('a mount spreads from a privileged container to the node, and on to who listens', async () => {
    const hostPath = { path: `${cluster.directory}/spread`, type: 'DirectoryOrCreate' };
    const listener = podOf('listens', { volume: { hostPath }, mount: { mountPropagation: 'HostToContainer' } });
    const talker = podOf('spreads', { volume: { hostPath }, mount: { mountPropagation: 'Bidirectional' } });
    Object.assign(talker.spec.containers[0]!, { securityContext: { privileged: true } });
    await cluster.apply(listener, talker);
    await ready('listens');
    await ready('spreads');
    await sh('spreads', 'mkdir /v/m && mount -t tmpfs t /v/m && touch /v/m/x');
    expect(await sh('listens', 'ls /v/m')).toBe('x\n');
    await sh('spreads', 'umount /v/m');
    expect(await sh('listens', 'ls /v/m')).toBe('');
  });

  test('an image as a volume cannot be written', async () => {
    await cluster.apply(podOf('image', { volume: { image: { reference: 'localhost/busybox:1' } } }));
    await ready('image');
    expect(await sh('image', 'ls -d /v/bin; touch /v/x 2>&1 || true')).toMatch(/^\/v\/bin\n.*Read-only file system/);
  });

  test('nothing stays mounted behind a pod', async () => {
    await cluster.apply(podOf('leaves', { volume: { emptyDir: { medium: 'Memory' } } }));
    await ready('leaves');
    const { metadata } = await cluster.get<{ metadata: { uid: string } }>('pod', 'leaves');
    await cluster.kubectl('delete', 'pod', 'leaves', '--wait');
    await eventually('all of it is gone', async () => {
      const mounts = await cluster.enter('cat', '/proc/self/mountinfo');
      return !mounts.includes(metadata.uid);
    });
  });
});

test('variables of Services', async () => {
  await cluster.kubectl('create', 'service', 'clusterip', 'my-redis', '--tcp=6379:6379', '--clusterip=10.96.7.7');
  await eventually('the node knows of it', async () => {
    await cluster.apply(podOf('env', { volume: { emptyDir: {} } }));
    await ready('env');
    const found = (await sh('env', 'env')).includes('MY_REDIS_PORT_6379_TCP_ADDR=10.96.7.7');
    if (!found) await cluster.kubectl('delete', 'pod', 'env', '--wait');
    return found;
  });
  expect(await sh('env', 'env')).toMatch(/^KUBERNETES_SERVICE_HOST=/m);
});
