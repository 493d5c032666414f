/** What streams into a pod, with kubectl old and new: exec, cp, logs, port-forward, proxy, debug, run -i. */
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, eventually, type KubectlMinor, sleeper, startCluster } from '../helpers/cluster.js';

let cluster: Cluster;
const children: ChildProcess[] = [];
const minors: readonly KubectlMinor[] = [22, 26, 30, 33, 35];

const web = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', labels: { app: 'web' } },
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [
      {
        name: 'app',
        image: 'localhost/busybox:1',
        ports: [{ name: 'http', containerPort: 9090 }],
        command: [
          'sh',
          '-c',
          'mkdir -p /www; echo hello-web >/www/index.html; httpd -p 127.0.0.1:8080 -h /www; httpd -p 9090 -h /www; ' +
            'nc -ll -p 7070 -e cat & echo one; echo two; echo three; exec sleep 100000',
        ],
      },
      { name: 'side', image: 'localhost/busybox:1', command: ['sh', '-c', 'echo side; exec sleep 100000'] },
    ],
  },
};

beforeAll(async () => {
  cluster = await startCluster();
  await cluster.apply(web, sleeper('other'));
  await cluster.kubectl('wait', '--for=condition=Ready', 'pod/web', 'pod/other', '--timeout=60s');
});
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await cluster?.[Symbol.asyncDispose]();
});

/** Starts a kubectl that prints `Forwarding from 127.0.0.1:PORT`, and gives its local ports. */
async function forward(
  minor: KubectlMinor,
  ports: readonly string[],
): Promise<{ ports: number[]; said: () => string }> {
  const child = cluster.startKubectl(['port-forward', 'pod/web', ...ports.map(port => `:${port}`), '-v=7'], minor);
  children.push(child);
  let output = '';
  child.stdout?.on('data', text => (output += text));
  child.stderr?.on('data', text => (output += text));
  const found = await eventually('kubectl forwards', async () => {
    const local = [...output.matchAll(/Forwarding from 127\.0\.0\.1:(\d+)/g)].map(match => Number(match[1]));
    return local.length === ports.length && local;
  });
  return { ports: found, said: () => output };
}

function get(port: number, path = '/', method = 'GET'): Promise<{ code: number; body: string }> {
  return new Promise((resolve, reject) => {
    const call = request({ host: '127.0.0.1', port, path, method }, response => {
      let body = '';
      response.on('data', part => (body += part));
      response.on('end', () => resolve({ code: response.statusCode ?? 0, body }));
    });
    call.on('error', reject);
    call.end();
  });
}

describe.each(minors)('kubectl 1.%i', minor => {
  const kubectl = (args: string[], input?: string) => cluster.tryKubectl(args, input, minor);

  test('exec: both outputs, the exit code, standard input to its end', async () => {
    const both = await kubectl(['exec', 'web', '-c', 'app', '--', 'sh', '-c', 'echo out; echo err >&2; exit 3']);
    expect(both).toMatchObject({ code: 3, stdout: 'out\n' });
    expect(both.stderr).toMatch(/^err\ncommand terminated with exit code 3/);
    const much = randomBytes(700_000).toString('hex');
    const echoed = await kubectl(['exec', '-i', 'web', '-c', 'app', '--', 'cat'], much);
    expect(echoed.stdout === much).toBe(true);
  });

  test('exec: what is wrong is said in words', async () => {
    const missing = await kubectl(['exec', 'web', '-c', 'nope', '--', 'true']);
    expect(missing.code).toBe(1);
    expect(missing.stderr).toContain('container nope is not valid for pod web');
  });

  test('cp there and back', async () => {
    const [there, back] = [join(cluster.directory, 'there'), join(cluster.directory, `back-${minor}`)];
    const bytes = randomBytes(2_000_000);
    await writeFile(there, bytes);
    await cluster.ok(kubectl(['cp', there, `web:/tmp/file-${minor}`, '-c', 'app']));
    await cluster.ok(kubectl(['cp', `web:/tmp/file-${minor}`, back, '-c', 'app']));
    expect((await readFile(back)).equals(bytes)).toBe(true);
  });

  test('logs', async () => {
    expect((await kubectl(['logs', 'web', '-c', 'app'])).stdout).toBe('one\ntwo\nthree\n');
    expect((await kubectl(['logs', 'web', '-c', 'app', '--tail=1'])).stdout).toBe('three\n');
  });

  test('port-forward: several ports, loopback listeners, many connections at once, a refused one', async () => {
    const { ports, said } = await forward(minor, ['8080', '9090', '7070', '81']);
    const [loopback = 0, open = 0, echo = 0, closed = 0] = ports;
    expect(await get(loopback)).toEqual({ code: 200, body: 'hello-web\n' });
    const answers = await Promise.all(Array.from({ length: 40 }, () => get(open)));
    expect(answers.every(({ body }) => body === 'hello-web\n')).toBe(true);
    expect(await half(echo)).toBe(400_000);
    await expect(get(closed)).rejects.toThrow();
    await eventually('the refusal is printed', async () =>
      /error forwarding port 81 to pod \S+, uid : .*connection refused/.test(said()),
    );
    // newer ones speak SPDY inside a WebSocket, and fall back in silence if that fails
    if (minor >= 31) expect(said()).toContain('negotiated protocol: portforward.k8s.io');
  });
});

/** Sends, closes its half, and counts what comes back until the end. */
function half(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    let bytes = 0;
    socket.on('data', part => (bytes += part.length));
    socket.on('end', () => resolve(bytes));
    socket.on('error', reject);
    socket.end(Buffer.alloc(400_000, 'x'));
  });
}

describe('logs with every flag', () => {
  const logs = (...flags: string[]) => cluster.kubectl('logs', ...flags);

  test('containers, selectors, prefixes', async () => {
    const prefixed = await logs('web', '--all-containers', '--prefix', '--tail=1');
    expect(prefixed.split('\n').sort()).toEqual(['', '[pod/web/app] three', '[pod/web/side] side']);
    expect((await logs('-l', 'app=web', '--all-containers')).split('\n').sort()).toEqual([
      '',
      'one',
      'side',
      'three',
      'two',
    ]);
  });

  test('time and size', async () => {
    expect(await logs('web', '-c', 'app', '--limit-bytes=6')).toBe('one\ntw');
    expect(await logs('web', '-c', 'side', '--timestamps')).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z side\n$/);
    expect(await logs('web', '-c', 'app', '--since-time=2099-01-01T00:00:00Z')).toBe('');
    expect(await logs('web', '-c', 'app', '--since=1h')).toBe('one\ntwo\nthree\n');
  });

  test('previous and follow', async () => {
    const none = await cluster.tryKubectl(['logs', 'web', '-c', 'app', '--previous']);
    expect(none.stderr).toContain('previous terminated container "app" in pod "web" not found');
    await cluster.apply({
      ...sleeper('short'),
      spec: {
        restartPolicy: 'Never',
        containers: [{ name: 'a', image: 'localhost/busybox:1', command: ['sh', '-c', 'echo a; sleep 1; echo b'] }],
      },
    });
    await eventually('it runs', async () => (await cluster.tryKubectl(['logs', 'short'])).code === 0);
    expect(await logs('-f', 'short')).toBe('a\nb\n');
  });
});

describe('sessions', () => {
  test('run -i --rm hands input over, prints output, and leaves nothing', async () => {
    const run = ['run', 'once', '--image=localhost/busybox:1', '-i', '--rm', '--restart=Never', '-q', '--', 'cat'];
    expect((await cluster.tryKubectl(run, 'through\n')).stdout).toContain('through');
    expect((await cluster.tryKubectl(['get', 'pod', 'once'])).stderr).toContain('NotFound');
  });

  test('attach -i to a container that reads', async () => {
    await cluster.apply({
      ...sleeper('reader'),
      spec: {
        terminationGracePeriodSeconds: 0,
        restartPolicy: 'Never',
        containers: [
          {
            name: 'app',
            image: 'localhost/busybox:1',
            stdin: true,
            stdinOnce: true,
            command: ['sh', '-c', 'while read l; do echo "got $l"; done'],
          },
        ],
      },
    });
    await cluster.kubectl('wait', '--for=condition=Ready', 'pod/reader', '--timeout=60s');
    expect((await cluster.tryKubectl(['attach', '-i', 'reader', '-q'], 'x\ny\n')).stdout).toContain('got x\ngot y\n');
  });
});

describe('debug', () => {
  test('an ephemeral container sees the processes of its target, and its status stays', async () => {
    const debug = ['debug', 'web', '--image=localhost/busybox:1', '--target=app', '-c', 'look', '-i', '-q', '--', 'sh'];
    const { stdout } = await cluster.tryKubectl(debug, 'ps; exit 0\n');
    expect(stdout).toMatch(/1 root +sleep 100000/);
    const state = await eventually('it has ended', async () =>
      cluster.kubectl(
        'get',
        'pod',
        'web',
        '-o',
        'jsonpath={.status.ephemeralContainerStatuses[0].state.terminated.reason}',
      ),
    );
    expect(state).toBe('Completed');
    expect(
      await cluster.kubectl('get', 'pod', 'web', '-o', 'jsonpath={.status.containerStatuses[*].restartCount}'),
    ).toBe('0 0');
  });

  test('one that runs can be attached to and outlives the agent', async () => {
    await cluster.kubectl('debug', 'other', '--image=localhost/busybox:1', '-c', 'stays', '--', 'sleep', '100000');
    const running = () =>
      cluster.kubectl(
        'get',
        'pod',
        'other',
        '-o',
        'jsonpath={.status.ephemeralContainerStatuses[0].state.running.startedAt}',
      );
    const since = await eventually('it runs', running);
    await cluster.crash('agent');
    expect(await eventually('it is known again', running)).toBe(since);
    await eventually(
      'exec works',
      async () => (await cluster.tryKubectl(['exec', 'other', '-c', 'stays', '--', 'true'])).code === 0,
    );
  });

  test('they may only be added', async () => {
    const patch = (value: object) =>
      cluster.tryKubectl([
        'patch',
        'pod',
        'other',
        '--subresource=ephemeralcontainers',
        '-p',
        JSON.stringify({ spec: value }),
        '--type=merge',
      ]);
    const gone = await patch({ ephemeralContainers: [] });
    expect(gone.stderr).toContain('existing ephemeral containers "stays" may not be removed');
    const wrong = await cluster.tryKubectl([
      'patch',
      'pod',
      'other',
      '--subresource=ephemeralcontainers',
      '-p',
      JSON.stringify({ spec: { ephemeralContainers: [{ name: 'p', image: 'x', ports: [{ containerPort: 1 }] }] } }),
    ]);
    expect(wrong.stderr).toContain('ephemeralContainers[1].ports: Forbidden: cannot be set for an Ephemeral Container');
  });

  test('a node: its processes and its files', async () => {
    const node = (await cluster.kubectl('get', 'nodes', '-o', 'name')).trim();
    const debug = ['debug', node, '--image=localhost/busybox:1', '-i', '-q', '--profile=general', '--', 'sh'];
    const { stdout } = await cluster.tryKubectl(debug, 'ls /host; ps | wc -l; sleep 1; exit 0\n');
    expect(stdout).toMatch(/^etc$/m);
  });

  test('a copy of a pod with one more container', async () => {
    await cluster.kubectl(
      'debug',
      'web',
      '--copy-to=copy',
      '--share-processes',
      '--image=localhost/busybox:1',
      '-c',
      'd',
      '--',
      'sleep',
      '1000',
    );
    await cluster.kubectl('wait', '--for=condition=Ready', 'pod/copy', '--timeout=60s');
    expect(await cluster.kubectl('exec', 'copy', '-c', 'd', '--', 'ps')).toContain('sleep 100000');
  });
});

describe('proxy', () => {
  test('pods by number, by name and by their first port', async () => {
    const path = (name: string) => `/api/v1/namespaces/default/pods/${name}/proxy/index.html`;
    for (const name of ['web:8080', 'web:http', 'web'])
      expect(await cluster.kubectl('get', '--raw', path(name))).toBe('hello-web\n');
    const refused = await cluster.tryKubectl(['get', '--raw', path('web:81')]);
    expect(refused.stderr).toContain('error trying to reach service');
  });

  test('a service, by a pod that is ready behind it', async () => {
    const service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'front' },
      spec: { ports: [{ name: 'http', port: 80, targetPort: 9090 }] },
    };
    const slice = {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: 'front-1', labels: { 'kubernetes.io/service-name': 'front' } },
      addressType: 'IPv4',
      ports: [{ name: 'http', port: 9090 }],
      endpoints: [{ addresses: ['10.244.0.9'], targetRef: { kind: 'Pod', namespace: 'default', name: 'web' } }],
    };
    await cluster.apply(service, slice);
    for (const name of ['front', 'front:http', 'front:80'])
      expect(await cluster.kubectl('get', '--raw', `/api/v1/namespaces/default/services/${name}/proxy/`)).toBe(
        'hello-web\n',
      );
  });

  test('through kubectl proxy, with the status that the pod gives', async () => {
    const port = await new Promise<number>(resolve => {
      const server = createServer().listen(0, '127.0.0.1', () => {
        const { port } = server.address() as { port: number };
        server.close(() => resolve(port));
      });
    });
    const child = cluster.startKubectl(['proxy', `--port=${port}`]);
    children.push(child);
    await new Promise(resolve => child.stdout?.once('data', resolve));
    const base = '/api/v1/namespaces/default/pods/web:8080/proxy';
    expect(await get(port, `${base}/index.html`)).toEqual({ code: 200, body: 'hello-web\n' });
    expect((await get(port, `${base}/absent`)).code).toBe(404);
    expect((await get(port, base)).code).toBe(301);
  });
});

describe('resize', () => {
  const requests = (cpu: string) => ({ spec: { containers: [{ name: 'app', resources: { requests: { cpu } } }] } });
  const patch = (value: object) =>
    cluster.tryKubectl(['patch', 'pod', 'sized', '--subresource=resize', '-p', JSON.stringify(value)]);

  test('a running container is given more without a restart, and what may not change is refused', async () => {
    const pod = sleeper('sized') as { spec: { containers: object[] } };
    Object.assign(pod.spec.containers[0]!, { resources: { requests: { cpu: '10m' } } });
    await cluster.apply(pod);
    await cluster.kubectl('wait', '--for=condition=Ready', 'pod/sized', '--timeout=60s');
    await cluster.ok(patch(requests('20m')));
    const status = '{.status.containerStatuses[0].allocatedResources.cpu} {.status.containerStatuses[0].restartCount}';
    await eventually('it is in force', async () => {
      return (await cluster.kubectl('get', 'pod', 'sized', '-o', `jsonpath=${status}`)) === '20m 0';
    });
    const guaranteed = { limits: { cpu: '20m', memory: '8Mi' }, requests: { cpu: '20m', memory: '8Mi' } };
    const other = await patch({ spec: { containers: [{ name: 'app', resources: guaranteed }] } });
    expect(other.stderr).toContain('Pod QOS Class may not change as a result of resizing');
    const image = await patch({ spec: { containers: [{ name: 'app', image: 'other' }] } });
    expect(image.stdout).toContain('(no change)');
  });
});
