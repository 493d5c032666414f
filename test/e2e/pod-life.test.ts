/** The life of pods that go wrong in one way or another, as `kubectl get` and `kubectl get events` tell it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { KubeEvent } from '../../src/kube/node.js';
import type { Container, Pod } from '../../src/kube/pod.js';
import { type Cluster, eventually, groupsOf, startCluster } from '../helpers/cluster.js';

let cluster: Cluster;
const image = 'localhost/busybox:1';
const sleep = "trap 'exit 0' TERM; while :; do sleep 0.2; done";
const box = (name: string, script: string, more: Partial<Container> = {}) => ({
  name,
  image,
  command: ['sh', '-c', script],
  ...more,
});
const pod = (name: string, spec: object) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: { terminationGracePeriodSeconds: 2, ...spec },
});
const exec = (command: string) => ({ exec: { command: ['sh', '-c', command] } });
const every = { periodSeconds: 1, failureThreshold: 2 };

/** Name → what is asked for, and which STATUS `kubectl get pod` shows at some time. */
const shown: readonly (readonly [name: string, status: RegExp, spec: object])[] = [
  [
    'init-waits',
    /^Init:0\/2$/,
    { initContainers: [box('i1', sleep), box('i2', 'true')], containers: [box('app', sleep)] },
  ],
  [
    'init-fails',
    /^Init:Error$/,
    { restartPolicy: 'Never', initContainers: [box('i', 'exit 3')], containers: [box('app', sleep)] },
  ],
  [
    'init-crashes',
    /^Init:CrashLoopBackOff$/,
    { initContainers: [box('i', 'exit 3')], containers: [box('app', sleep)] },
  ],
  [
    'init-image',
    /^Init:ErrImageNeverPull$/,
    { initContainers: [{ name: 'i', image: 'no/image', imagePullPolicy: 'Never' }], containers: [box('app', sleep)] },
  ],
  ['crashes', /^CrashLoopBackOff$/, { containers: [box('app', 'exit 1')] }],
  ['no-program', /^RunContainerError$/, { containers: [{ name: 'app', image, command: ['/no/such'] }] }],
  ['not-a-program', /^RunContainerError$/, { containers: [{ name: 'app', image, command: ['/etc/passwd'] }] }],
  [
    'no-map',
    /^CreateContainerConfigError$/,
    { containers: [box('app', sleep, { envFrom: [{ configMapRef: { name: 'none' } }] })] },
  ],
  [
    'root',
    /^CreateContainerConfigError$/,
    { containers: [box('app', sleep, { securityContext: { runAsNonRoot: true } })] },
  ],
  ['no-image', /^ErrImagePull$/, { containers: [{ name: 'app', image: 'no/image:1' }] }],
  [
    'bad-hook',
    /^PostStartHookError$/,
    { containers: [box('app', sleep, { lifecycle: { postStart: exec('echo secret; exit 1') } })] },
  ],
  [
    'slow-hook',
    /^ContainerCreating$/,
    { containers: [box('app', sleep, { lifecycle: { postStart: exec('sleep 4') } })] },
  ],
  [
    'port-clash',
    /^NodePorts$/,
    { containers: [box('app', sleep, { ports: [{ containerPort: 1, hostPort: 18099 }] })] },
  ],
  [
    'sysctl',
    /^SysctlForbidden$/,
    { securityContext: { sysctls: [{ name: 'kernel.msgmax', value: '1' }] }, containers: [box('app', sleep)] },
  ],
];

beforeAll(async () => {
  cluster = await startCluster();
}, 60_000);
afterAll(async () => cluster?.[Symbol.asyncDispose](), 60_000);

const get = (name: string) => cluster.get<Pod>('pod', name);
const events = async (name: string) =>
  (await cluster.get<{ items: KubeEvent[] }>('events', '--field-selector', `involvedObject.name=${name}`)).items.map(
    ({ type, reason, message }) => `${type} ${reason} ${message}`,
  );
const says = (name: string, text: string) =>
  eventually(`${name}: ${text}`, async () => (await events(name)).some(event => event.includes(text)));

test('what kubectl shows of pods that do not come to run', { timeout: 60_000 }, async () => {
  await cluster.apply(
    pod('port-holder', { containers: [box('app', sleep, { ports: [{ containerPort: 1, hostPort: 18099 }] })] }),
  );
  await eventually('the port is held', async () => (await get('port-holder')).status?.phase === 'Running');
  const waiting = new Map(shown.map(([name, status]) => [name, status]));
  // past the scheduler, so that the node itself has to say no
  await cluster.apply(...shown.map(([name, , spec]) => pod(name, { nodeName: cluster.name, ...spec })));
  let table = '';
  await eventually('every status was shown', async () => {
    table = await cluster.kubectl('get', 'pods', '--no-headers');
    for (const [name, , status] of table.split('\n').map(line => line.split(/\s+/)))
      if (name && status && waiting.get(name)?.test(status)) waiting.delete(name);
    return waiting.size === 0;
  }).catch(() => {});
  expect([...waiting.keys()], table).toEqual([]);
  const scheduled = (await get('crashes')).status?.conditions?.find(c => c.type === 'PodScheduled');
  expect(scheduled?.status).toBe('True');
  expect((await get('init-fails')).status?.containerStatuses?.[0]?.state?.waiting?.reason).toBe('PodInitializing');
  await says('no-image', 'Warning Failed Failed to pull image "no/image:1": ');
  await says('no-image', 'Warning Failed Error: ErrImagePull');
  await says(
    'init-image',
    'Warning ErrImageNeverPull Container image "no/image" is not present with pull policy of Never',
  );
  await says('no-map', 'Warning Failed Error: configmap "none" not found');
  await says('bad-hook', 'Warning FailedPostStartHook PostStartHook failed');
  await says('bad-hook', 'Normal Killing FailedPostStartHook');
  expect((await events('bad-hook')).join()).not.toContain('secret');
  await eventually('the slow hook has ended', async () => (await get('slow-hook')).status?.phase === 'Running');
});

describe.concurrent('while they run', () => {
  test('a deadline ends the pod, with its event', async () => {
    await cluster.apply(pod('deadline', { activeDeadlineSeconds: 2, containers: [box('app', sleep)] }));
    await eventually('it has failed', async () => (await get('deadline')).status?.phase === 'Failed');
    expect((await get('deadline')).status).toMatchObject({
      reason: 'DeadlineExceeded',
      message: 'Pod was active on the node longer than the specified deadline',
    });
    await says('deadline', 'Normal DeadlineExceeded Pod was active on the node longer than the specified deadline');
    await says('deadline', 'Normal Killing Stopping container app');
  });

  test('sidecars start in order behind their startup probes, and stop last, in reverse', async () => {
    const volumeMounts = [{ name: 'v', mountPath: '/v' }];
    const side = (name: string) =>
      box(name, `echo +${name} >> /v/log; trap 'echo -${name} >> /v/log; exit 0' TERM; while :; do sleep 0.1; done`, {
        restartPolicy: 'Always',
        volumeMounts,
        startupProbe: { ...exec('true'), periodSeconds: 1 },
      });
    const app = box(
      'app',
      "echo +app >> /v/log; trap 'echo -app >> /v/log; exit 0' TERM; while :; do sleep 0.1; done",
      {
        volumeMounts,
      },
    );
    const path = `${cluster.directory}/shared`;
    await cluster.apply(
      pod('sidecars', {
        terminationGracePeriodSeconds: 10,
        volumes: [{ name: 'v', hostPath: { path, type: 'DirectoryOrCreate' } }],
        initContainers: [side('s1'), side('s2')],
        containers: [app],
      }),
    );
    await cluster.kubectl('wait', '--for=condition=Ready', 'pod/sidecars', '--timeout=30s');
    await cluster.kubectl('delete', 'pod', 'sidecars');
    const log = await cluster.enter('cat', `${path}/log`);
    expect(log.trim().split('\n')).toEqual(['+s1', '+s2', '+app', '-app', '-s2', '-s1']);
  });

  test('probes that cannot connect, in kubelet’s words', async () => {
    const { failureThreshold: _, ...readiness } = every;
    await cluster.apply(
      pod('grpc', { containers: [box('app', sleep, { readinessProbe: { grpc: { port: 79 }, ...readiness } })] }),
      pod('tcp', { containers: [box('app', sleep, { livenessProbe: { tcpSocket: { port: 79 }, ...every } })] }),
      pod('name', { containers: [box('app', sleep, { readinessProbe: { httpGet: { port: 'web' }, ...readiness } })] }),
    );
    await says('grpc', 'within 1s: context deadline exceeded');
    await says('tcp', 'connect: connection refused');
    await says('tcp', 'Normal Killing Container app failed liveness probe, will be restarted');
    await says(
      'name',
      'Readiness probe errored and resulted in unknown state: couldn\'t find port: "web" in container "app"',
    );
  });

  test('a sidecar that crashes says so whatever the policy of the pod', async () => {
    await cluster.apply(
      pod('side-crash', {
        restartPolicy: 'Never',
        initContainers: [box('s', 'exit 3', { restartPolicy: 'Always' })],
        containers: [box('app', sleep)],
      }),
    );
    await says('side-crash', 'Warning BackOff Back-off restarting failed container s in pod side-crash_default(');
  });

  test('delete with force takes the object at once, and the processes with it', async () => {
    await cluster.apply(pod('forced', { containers: [box('app', "trap '' TERM; while :; do sleep 0.2; done")] }));
    await cluster.kubectl('wait', '--for=condition=Ready', 'pod/forced', '--timeout=30s');
    const { uid } = (await get('forced')).metadata;
    await cluster.kubectl('delete', 'pod', 'forced', '--force', '--grace-period=0');
    expect((await cluster.tryKubectl(['get', 'pod', 'forced'])).code).not.toBe(0);
    await eventually('its group is gone', async () => {
      return ![...groupsOf(cluster).keys()].some(group => group.includes(uid ?? ''));
    });
  });
});
