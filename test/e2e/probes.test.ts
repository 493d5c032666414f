/** Probes and hooks of real containers, as kubectl shows them. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Pod } from '../../src/kube/pod.js';
import { type Cluster, eventually, startCluster } from '../helpers/cluster.js';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ images: ['busybox'] });
});
afterAll(async () => cluster?.[Symbol.asyncDispose]());

const forever = "trap 'exit 0' TERM; while :; do sleep 0.1; done";
const sh = (script: string) => ({ exec: { command: ['sh', '-c', script] } });
const box = (name: string, script: string, more: object = {}) => ({
  name,
  image: 'localhost/busybox:1',
  command: ['sh', '-c', script],
  ...more,
});
const podOf = (name: string, containers: object[], more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: { terminationGracePeriodSeconds: 5, containers, ...more },
});
const pod = (name: string) => cluster.get<Pod>('pod', name);
const appOf = async (name: string) => (await pod(name)).status?.containerStatuses?.[0];
const events = (name: string) =>
  cluster.kubectl('get', 'events', '--field-selector', `involvedObject.name=${name}`, '-o', 'wide');
const ready = (name: string, value = 'true') =>
  cluster.kubectl('wait', `--for=condition=Ready=${value}`, `pod/${name}`, '--timeout=30s');
const said = (name: string, text: RegExp) =>
  eventually(`${name}: event like ${text}`, async () => text.test(await events(name)));
const gone = (name: string) => cluster.kubectl('delete', 'pod', name, '--wait');

describe.concurrent('probes', () => {
  test('readiness follows a file; events are counted up', async () => {
    const readinessProbe = { ...sh('cat /tmp/ok'), periodSeconds: 1, failureThreshold: 1 };
    await cluster.apply(podOf('readiness', [box('app', forever, { readinessProbe })]));
    await said('readiness', /Unhealthy.*Readiness probe failed: cat: can't open '\/tmp\/ok'/);
    expect(await appOf('readiness')).toMatchObject({ ready: false, started: true });
    await cluster.kubectl('exec', 'readiness', '--', 'touch', '/tmp/ok');
    await ready('readiness');
    await cluster.kubectl('exec', 'readiness', '--', 'rm', '/tmp/ok');
    await ready('readiness', 'false');
    expect((await appOf('readiness'))?.restartCount).toBe(0);
    await eventually('one event, counted', async () => {
      const { items } = JSON.parse(
        await cluster.kubectl(
          'get',
          'events',
          '--field-selector',
          'involvedObject.name=readiness,reason=Unhealthy',
          '-o',
          'json',
        ),
      ) as { items: { count: number }[] };
      return items.length === 1 && (items[0]?.count ?? 0) > 1;
    });
    await gone('readiness');
  });

  test('a container whose liveness probe fails is restarted, after its preStop hook', async () => {
    const more = {
      livenessProbe: { ...sh('test -e /tmp/ok'), periodSeconds: 1, failureThreshold: 2 },
      lifecycle: { preStop: sh('echo stopped > /shared/prestop') },
      volumeMounts: [{ name: 'shared', mountPath: '/shared' }],
    };
    const script = `test -e /shared/prestop && touch /tmp/ok; ${forever}`;
    await cluster.apply(podOf('liveness', [box('app', script, more)], { volumes: [{ name: 'shared', emptyDir: {} }] }));
    await eventually('restarted', async () => (await appOf('liveness'))?.restartCount === 1);
    await said('liveness', /Killing.*Container app failed liveness probe, will be restarted/);
    expect(await cluster.kubectl('exec', 'liveness', '--', 'cat', '/shared/prestop')).toBe('stopped\n');
    await gone('liveness');
  });

  test('a startup probe holds the others back', async () => {
    const more = {
      startupProbe: { ...sh('test -e /tmp/started'), periodSeconds: 1, failureThreshold: 60 },
      livenessProbe: { ...sh('test -e /tmp/started'), periodSeconds: 1, failureThreshold: 1 },
    };
    await cluster.apply(podOf('startup', [box('app', forever, more)]));
    await said('startup', /Unhealthy.*Startup probe failed/);
    expect(await appOf('startup')).toMatchObject({ ready: false, started: false, restartCount: 0 });
    await cluster.kubectl('exec', 'startup', '--', 'touch', '/tmp/started');
    await ready('startup');
    expect(await appOf('startup')).toMatchObject({ started: true, restartCount: 0 });
    await gone('startup');
  });

  test('HTTP by the name of a port, and TCP', async () => {
    const serve = 'mkdir -p /www; echo fine > /www/index.html; exec httpd -f -p 8080 -h /www';
    const ports = [{ name: 'web', containerPort: 8080 }];
    const quick = { periodSeconds: 1, failureThreshold: 1 };
    await cluster.apply(
      podOf('http', [
        box('http', serve, { ports, readinessProbe: { httpGet: { port: 'web', path: '/' }, ...quick } }),
        box('tcp', forever, { readinessProbe: { tcpSocket: { port: 8080 }, ...quick } }),
      ]),
      podOf('http-missing', [
        box('http', serve, { ports, readinessProbe: { httpGet: { port: 8080, path: '/no' }, ...quick } }),
      ]),
      podOf('tcp-closed', [box('app', forever, { readinessProbe: { tcpSocket: { port: 9 }, ...quick } })]),
    );
    await ready('http');
    await said('http-missing', /Readiness probe failed: HTTP probe failed with statuscode: 404/);
    await said('tcp-closed', /Readiness probe failed: dial tcp 10\.\S+:9: connect: connection refused/);
    await Promise.all(['http', 'http-missing', 'tcp-closed'].map(gone));
  });

  test('a command that overruns its time is killed', async () => {
    const readinessProbe = { exec: { command: ['sleep', '4321'] }, periodSeconds: 30, timeoutSeconds: 1 };
    await cluster.apply(podOf('slow', [box('app', forever, { readinessProbe })]));
    await said('slow', /Readiness probe failed: command timed out: "sleep 4321" timed out after 1s/);
    await eventually(
      'sleep is gone',
      async () => !(await cluster.kubectl('exec', 'slow', '--', 'ps')).includes('sleep 4321'),
    );
    await gone('slow');
  });

  test('Ready waits for its gates', async () => {
    await cluster.apply(
      podOf('gated', [box('app', forever)], { readinessGates: [{ conditionType: 'example.com/go' }] }),
    );
    await cluster.kubectl('wait', '--for=condition=ContainersReady', 'pod/gated', '--timeout=30s');
    expect((await pod('gated')).status?.conditions).toContainEqual(
      expect.objectContaining({ type: 'Ready', status: 'False', reason: 'ReadinessGatesNotReady' }),
    );
    const patch = { status: { conditions: [{ type: 'example.com/go', status: 'True' }] } };
    await cluster.kubectl('patch', 'pod', 'gated', '--subresource=status', '-p', JSON.stringify(patch));
    await ready('gated');
    await gone('gated');
  });
});

describe.concurrent('hooks', () => {
  const volumes = [{ name: 'shared', emptyDir: {} }];
  const volumeMounts = [{ name: 'shared', mountPath: '/shared' }];

  test('the next container starts after the postStart hook of the one before it', async () => {
    const lifecycle = { postStart: sh('sleep 1; echo hook > /shared/order') };
    await cluster.apply(
      podOf(
        'order',
        [
          box('first', forever, { lifecycle, volumeMounts }),
          box('second', `cat /shared/order; ${forever}`, { volumeMounts }),
        ],
        { volumes },
      ),
    );
    await ready('order');
    expect(await cluster.kubectl('logs', 'order', '-c', 'second')).toBe('hook\n');
    await gone('order');
  });

  test('a failed postStart hook ends the container', async () => {
    const lifecycle = { postStart: sh('echo no luck; exit 3') };
    await cluster.apply(podOf('failed-hook', [box('app', forever, { lifecycle })]));
    await said('failed-hook', /FailedPostStartHook.*PostStartHook failed/);
    await eventually('restarted', async () => ((await appOf('failed-hook'))?.restartCount ?? 0) > 0);
    await gone('failed-hook');
  });

  test('preStop runs before the signal, within the grace; one that overruns gets the signal two seconds before the end', async () => {
    const trap = "trap 'cat /shared/hook; exit 0' TERM; while :; do sleep 0.1; done";
    const script = `touch /shared/up; ${trap}`;
    await cluster.apply(
      podOf(
        'prestop',
        [box('app', script, { lifecycle: { preStop: sh('echo before > /shared/hook') }, volumeMounts })],
        {
          volumes,
        },
      ),
      podOf('overrun', [box('app', forever, { lifecycle: { preStop: { sleep: { seconds: 3 } } } })], {
        terminationGracePeriodSeconds: 4,
      }),
    );
    await ready('prestop');
    await ready('overrun');
    const log = cluster.kubectl('logs', 'prestop', '-f');
    await gone('prestop');
    expect(await log).toBe('before\n');
    await cluster.kubectl('delete', 'pod', 'overrun', '--grace-period=1', '--wait');
    await said('overrun', /FailedPreStopHook/);
  });
});

describe('the agent is killed', () => {
  const killAgent = async (): Promise<void> => {
    const before = cluster.pidOf('agent');
    process.kill(before, 'SIGKILL');
    await eventually('a new agent', async () => ![0, before].includes(cluster.pidOf('agent')));
  };

  test('in a hook: postStart is not run again, a preStop hook does not keep the pod; what was ready stays so', async () => {
    const lifecycle = { postStart: sh('echo once >> /tmp/hook; sleep 30') };
    const readinessProbe = { ...sh('true'), periodSeconds: 60 };
    await cluster.apply(
      podOf('cut', [box('app', forever, { lifecycle })]),
      podOf('kept', [box('app', forever, { readinessProbe })]),
      podOf('leaving', [box('app', forever, { lifecycle: { preStop: { sleep: { seconds: 30 } } } })]),
    );
    await ready('kept');
    await ready('leaving');
    await eventually('in its hook', async () => (await events('cut')).includes('Started'));
    await cluster.kubectl('wait', '--for=jsonpath={.status.phase}=Running', 'pod/cut', '--timeout=30s');
    await eventually('hook has written', async () => {
      const { stdout } = await cluster.tryKubectl(['exec', 'cut', '--', 'cat', '/tmp/hook']);
      return stdout === 'once\n';
    });
    await cluster.kubectl('delete', 'pod', 'leaving', '--grace-period=3', '--wait=false');
    const since = (await pod('kept')).status?.conditions?.find(({ type }) => type === 'Ready')?.lastTransitionTime;
    await killAgent();
    await ready('cut');
    expect(await cluster.kubectl('exec', 'cut', '--', 'cat', '/tmp/hook')).toBe('once\n');
    await cluster.kubectl('wait', '--for=delete', 'pod/leaving', '--timeout=20s');
    expect((await pod('kept')).status?.conditions).toContainEqual(
      expect.objectContaining({ type: 'Ready', status: 'True', lastTransitionTime: since }),
    );
    await Promise.all(['cut', 'kept'].map(gone));
  });
});
