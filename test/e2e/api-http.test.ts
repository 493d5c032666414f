/** The wire itself, without kubectl: watches, limits, credentials, streams. */

import type { IncomingMessage } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { NodeStream, NodeStreamEvents, StreamRequest } from '../../src/api/streams.js';
import { controllers } from '../../src/controllers/index.js';
import { failure, type Status } from '../../src/kube/status.js';
import { startApiServer, type TestServer } from '../helpers/api-server.js';
import { kubectl } from '../helpers/kubectl.js';

let server: TestServer;
/** The node's side of the stream that was opened last. */
let node:
  | { request: StreamRequest; events: NodeStreamEvents; got: [number, string][]; closed: Status | true | undefined }
  | undefined;

const streams = {
  open: (name: string, request: StreamRequest): NodeStream | undefined => {
    if (name !== 'n1') return undefined;
    const opened = {
      request,
      events: undefined as unknown as NodeStreamEvents,
      got: [] as [number, string][],
      closed: undefined as Status | true | undefined,
    };
    node = opened;
    return {
      listen: events => {
        opened.events = events;
      },
      write: async (channel, data) => void opened.got.push([channel, Buffer.from(data).toString()]),
      end: channel => void opened.got.push([channel, '<end>']),
      close: status => {
        opened.closed ??= status ?? true;
      },
    };
  },
};

beforeAll(async () => {
  // the maps of a namespace are only ours here
  server = await startApiServer({ streams, running: controllers.filter(({ name }) => name !== 'root-ca-publisher') });
});
afterAll(() => server?.close());

interface Answer {
  readonly code: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
  readonly json: { [key: string]: unknown; kind?: string; message?: string; reason?: string };
}

function open(path: string, options: RequestOptions = {}, body?: string | Buffer): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${server.pki.adminToken}`, ...options.headers };
    const request = httpsRequest(server.url + path, { ca: server.pki.ca, ...options, headers }, resolve);
    request.on('error', reject);
    request.end(body);
  });
}

async function call(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const bytes = body === undefined || Buffer.isBuffer(body) || typeof body === 'string' ? body : JSON.stringify(body);
  // Node's client leaves the length out for DELETE
  const length = bytes === undefined ? {} : { 'content-length': String(Buffer.byteLength(bytes as string | Buffer)) };
  const response = await open(
    path,
    { method, headers: { ...headers, ...length }, agent: false },
    bytes as string | Buffer | undefined,
  );
  let text = '';
  for await (const part of response.setEncoding('utf8')) text += part;
  let json = {};
  try {
    json = JSON.parse(text) as object;
  } catch {
    // not every answer is JSON
  }
  return { code: response.statusCode ?? 0, headers: response.headers, text, json };
}

interface Event {
  readonly type: string;
  readonly object: {
    kind: string;
    code?: number;
    rows?: unknown[];
    metadata: { name: string; resourceVersion: string; annotations?: Record<string, string> };
  };
}

/** A watch whose events can be awaited one by one. */
async function watch(path: string, headers: Record<string, string> = {}) {
  const response = await open(path, { headers, agent: false });
  expect(response.statusCode).toBe(200);
  const lines = (async function* () {
    let rest = '';
    for await (const part of response.setEncoding('utf8')) {
      const pieces = (rest + part).split('\n');
      rest = pieces.pop() ?? '';
      for (const piece of pieces) yield JSON.parse(piece) as Event;
    }
  })();
  const next = async (): Promise<Event | undefined> => (await lines.next()).value ?? undefined;
  return {
    next,
    names: async (n: number) =>
      Promise.all(
        Array.from({ length: n }, async () => next().then(event => `${event?.type} ${event?.object.metadata.name}`)),
      ),
    close: () => response.destroy(),
  };
}

const maps = '/api/v1/namespaces/default/configmaps';
const map = (name: string, labels: Record<string, string> = {}, data: object = {}) => ({
  metadata: { name, labels },
  data,
});

describe('watch', () => {
  test('from a revision: every change once, in order; then from there again', async () => {
    const since = server.engine.view.revision;
    const live = await watch(`${maps}?watch=1&resourceVersion=${since}`);
    await call('POST', maps, map('w1'));
    await call('PUT', `${maps}/w1`, map('w1', {}, { a: '1' }));
    await call('PUT', `${maps}/w1`, map('w1', {}, { a: '1' }));
    await call('DELETE', `${maps}/w1`);
    const seen = [await live.next(), await live.next(), await live.next()];
    expect(seen.map(event => event!.type)).toEqual(['ADDED', 'MODIFIED', 'DELETED']);
    const revisions = seen.map(event => Number(event!.object.metadata.resourceVersion));
    expect(revisions).toEqual([...revisions].sort((a, b) => a - b));
    expect(new Set(revisions).size).toBe(3);
    live.close();
    const again = await watch(`${maps}?watch=true&resourceVersion=${revisions[0]}`);
    expect(await again.names(2)).toEqual(['MODIFIED w1', 'DELETED w1']);
    again.close();
  });

  test('a selector sees objects come and go', async () => {
    await call('POST', maps, map('s1', { color: 'red' }));
    const live = await watch(
      `${maps}?watch=1&labelSelector=color%3Dred&resourceVersion=${server.engine.view.revision}`,
    );
    await call('PUT', `${maps}/s1`, map('s1', { color: 'blue' }));
    await call('PUT', `${maps}/s1`, map('s1', { color: 'blue' }, { x: '1' }));
    await call('PUT', `${maps}/s1`, map('s1', { color: 'red' }));
    await call('DELETE', `${maps}/s1`);
    expect(await live.names(3)).toEqual(['DELETED s1', 'ADDED s1', 'DELETED s1']);
    live.close();
  });

  test('initial events end with a marked bookmark', async () => {
    await call('POST', maps, map('i1'));
    const live = await watch(
      `${maps}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`,
    );
    expect((await live.next())!.type).toBe('ADDED');
    const mark = (await live.next())!;
    expect([mark.type, mark.object.metadata.annotations]).toEqual([
      'BOOKMARK',
      { 'k8s.io/initial-events-end': 'true' },
    ]);
    live.close();
    await call('DELETE', `${maps}/i1`);
  });

  test('as a table, and closed after timeoutSeconds', async () => {
    const live = await watch(`${maps}?watch=1&timeoutSeconds=1&resourceVersion=${server.engine.view.revision}`, {
      accept: 'application/json;as=Table;v=v1;g=meta.k8s.io',
    });
    await call('POST', maps, map('t1'));
    const event = (await live.next())!;
    expect([event.object.kind, event.object.rows?.length]).toEqual(['Table', 1]);
    expect(await live.next()).toBeUndefined();
    await call('DELETE', `${maps}/t1`);
  });

  test('too old and too new revisions are told apart', async () => {
    const future = await call('GET', `${maps}?watch=1&resourceVersion=999999`);
    expect([future.code, future.json.reason]).toEqual([504, 'Timeout']);
    expect((await call('GET', `${maps}?resourceVersion=999999`)).code).toBe(504);
    expect((await call('GET', `${maps}?watch=1&resourceVersion=x`)).code).toBe(400);
    expect((await call('GET', `${maps}?watch=1&sendInitialEvents=true`)).code).toBe(422);
    expect((await call('GET', `${maps}?resourceVersionMatch=Exact`)).code).toBe(422);
    expect((await call('GET', `${maps}?continue=nonsense`)).code).toBe(400);
  });
});

describe('lists', () => {
  test('pages show one revision, whatever happens between them', async () => {
    for (const name of ['a', 'b', 'c', 'd']) await call('POST', maps, map(`page-${name}`));
    const list = `${maps}?limit=2&labelSelector=`;
    const first = await call('GET', list);
    const meta = first.json.metadata as { continue: string; resourceVersion: string; remainingItemCount: number };
    expect(meta.remainingItemCount).toBe(2);
    await call('DELETE', `${maps}/page-d`);
    await call('POST', maps, map('page-c2'));
    await call('PUT', `${maps}/page-c`, map('page-c', {}, { changed: 'yes' }));
    const second = await call('GET', `${list}&continue=${meta.continue}`);
    const items = second.json.items as { metadata: { name: string }; data?: object }[];
    expect(items.map(item => item.metadata.name)).toEqual(['page-c', 'page-d']);
    expect(items[0]!.data).toEqual({});
    expect((second.json.metadata as { resourceVersion: string }).resourceVersion).toBe(meta.resourceVersion);
    await call('DELETE', maps);
    expect(((await call('GET', maps)).json.items as unknown[]).length).toBe(0);
  });
});

describe('limits and hostile input', () => {
  test('a body that is too large, whatever the verb', async () => {
    const large = Buffer.alloc(3 * 1024 * 1024 + 1, 'x');
    for (const [method, path] of [
      ['POST', maps],
      ['DELETE', `${maps}/x`],
      ['PATCH', `${maps}/x`],
    ] as const) {
      const { code, json } = await call(method, path, large, { 'content-type': 'application/json' });
      expect([method, code, json.reason]).toEqual([method, 413, 'RequestEntityTooLarge']);
    }
  });
  test('__proto__ in data and labels is data', async () => {
    const made = await call('POST', maps, '{"metadata":{"name":"proto"},"data":{"__proto__":"x","constructor":"y"}}');
    expect(made.code).toBe(201);
    expect(made.text).toContain('"__proto__":"x"');
    const patched = await call('PATCH', `${maps}/proto`, '{"data":{"__proto__":"z"}}', {
      'content-type': 'application/merge-patch+json',
    });
    expect(patched.text).toContain('"__proto__":"z"');
    expect((await call('DELETE', `${maps}/proto`)).code).toBe(200);
  });
  test('nothing that a client sends is a 500', async () => {
    const bodies = [
      '',
      '{',
      'null',
      '1',
      '"x"',
      '[]',
      '{"metadata":1}',
      '{"metadata":{"name":{}}}',
      '{"metadata":{"name":"x","labels":[]}}',
      '{"spec":{}}',
      '{"metadata":{"name":"x"},"spec":{"containers":[{}]}}',
      '{"metadata":{"name":"x"},"spec":{"containers":[null]}}',
      '{"metadata":{"name":"x"},"spec":null}',
      '{"metadata":null}',
      '['.repeat(5000),
      '{"metadata":{"name":"x","ownerReferences":[{}],"finalizers":[""]}}',
      '{"status":{"conditions":[{}]}}',
      '{"metadata":{"name":"x"},"spec":{"volumes":[{}],"containers":[{"name":"a","image":"b","env":[{}],"ports":[{}],"volumeMounts":[{}],"livenessProbe":{},"resources":{"limits":{"cpu":"-1"}}}]}}',
    ];
    await call('POST', '/api/v1/namespaces/default/pods', {
      metadata: { name: 'victim' },
      spec: { containers: [{ name: 'a', image: 'b' }] },
    });
    const types = [
      'application/json',
      'application/yaml',
      'application/vnd.kubernetes.protobuf',
      'application/json-patch+json',
      'application/merge-patch+json',
      'application/strategic-merge-patch+json',
      'application/apply-patch+yaml',
      'text/html',
    ];
    const targets = [
      ['POST', '/api/v1/namespaces/default/pods'],
      ['PUT', '/api/v1/namespaces/default/pods/victim'],
      ['PATCH', '/api/v1/namespaces/default/pods/victim'],
      ['PATCH', '/api/v1/namespaces/default/pods/victim/status'],
      ['POST', '/api/v1/namespaces/default/pods/victim/binding'],
      ['POST', '/api/v1/namespaces/default/pods/nope/eviction'],
      ['POST', '/api/v1/namespaces'],
      ['POST', '/api/v1/nodes'],
      ['POST', '/api/v1/namespaces/default/events'],
      ['PUT', '/api/v1/namespaces/default/finalize'],
    ] as const;
    const wrong: string[] = [];
    for (const body of bodies)
      for (const type of types)
        for (const [method, path] of targets) {
          const answer = await call(method, `${path}?dryRun=All`, body, { 'content-type': type });
          if (answer.code >= 500 || answer.code === 0)
            wrong.push(`${method} ${path} ${type} ${body.slice(0, 60)}: ${answer.text}`);
        }
    expect(wrong).toEqual([]);
    for (const path of [
      '/api/v1/pods/..%2f',
      '/api/v1/namespaces//pods',
      '/apis/x/y/z',
      '/%',
      '/api/v1/pods?labelSelector=%00',
      '/api/v1/pods?limit=-1',
      '/api/v1/namespaces/default/pods/victim/log?tailLines=x',
      '/api/v1/namespaces/default/pods/victim/exec?command=x',
      '/openapi/v3/nope',
      '/api/v2',
    ]) {
      const { code } = await call('GET', path);
      expect([path, code >= 400 && code < 500]).toEqual([path, true]);
    }
    await call('DELETE', '/api/v1/namespaces/default/pods/victim');
  }, 60_000);
});

describe('credentials', () => {
  test('none, wrong, and those of a node', async () => {
    const bare = { authorization: '' };
    const none = (path: string) =>
      new Promise<number>((resolve, reject) =>
        httpsRequest(server.url + path, { ca: server.pki.ca, agent: false }, response =>
          resolve(response.resume().statusCode ?? 0),
        )
          .on('error', reject)
          .end(),
      );
    for (const path of ['/healthz', '/readyz', '/livez', '/version']) expect(await none(path)).toBe(200);
    for (const path of ['/api', '/api/v1/pods', '/openapi/v3', '/nothing']) expect(await none(path)).toBe(403);
    expect((await call('GET', '/api/v1/pods', undefined, { authorization: 'Bearer wrong' })).code).toBe(401);
    expect((await call('GET', '/api/v1/pods', undefined, bare)).code).toBe(401);
    const { certificate, key } = await server.pki.nodeCertificate('n1');
    const asNode = (path: string, method = 'GET') =>
      new Promise<number>((resolve, reject) =>
        httpsRequest(server.url + path, { ca: server.pki.ca, cert: certificate, key, agent: false, method }, response =>
          resolve(response.resume().statusCode ?? 0),
        )
          .on('error', reject)
          .end(),
      );
    await server.client.registerNode('n1', { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } });
    expect(await asNode('/api/v1/nodes/n1')).toBe(200);
    expect(await asNode('/api/v1/nodes/n2')).toBe(403);
    expect(await asNode('/api/v1/pods')).toBe(403);
    expect(await asNode('/api/v1/secrets')).toBe(403);
    // a mirror of a static pod it may make, so only the body tells
    expect(await asNode('/api/v1/namespaces/default/pods', 'POST')).toBe(400);
    expect(await asNode('/api/v1/namespaces/default/secrets', 'POST')).toBe(403);
    expect(await asNode('/api/v1/namespaces/default/pods/x/exec?command=ls')).toBe(403);
  });
});

describe('streams', () => {
  const path = '/api/v1/namespaces/default/pods/streamed';
  beforeAll(async () => {
    await call('POST', '/api/v1/namespaces/default/pods', {
      metadata: { name: 'streamed' },
      spec: {
        containers: [
          { name: 'a', image: 'x' },
          { name: 'b', image: 'x' },
        ],
      },
    });
    const { object } = await server.client.bind({ namespace: 'default', name: 'streamed' }, 'n1');
    const running = (name: string) => ({
      name,
      image: 'x',
      imageID: '',
      restartCount: 0,
      ready: true,
      state: { running: { startedAt: '2026-01-01T00:00:00Z' } },
    });
    await server.client.updatePodStatus(
      'n1',
      { namespace: 'default', name: 'streamed', uid: object.metadata.uid! },
      {
        phase: 'Running',
        containerStatuses: [
          running('a'),
          { ...running('b'), ready: false, state: { waiting: { reason: 'ContainerCreating' } } },
        ],
      },
    );
  });

  test('logs: bytes as they come, options as asked, errors as kubectl expects', async () => {
    const answer = call('GET', `${path}/log?container=a&tailLines=5&timestamps=true&follow=true`);
    await expect.poll(() => node?.events).toBeDefined();
    expect(node!.request).toMatchObject({
      kind: 'logs',
      container: 'a',
      tailLines: 5,
      timestamps: true,
      follow: true,
      previous: false,
    });
    await node!.events.onData(1, Buffer.from('line 1\n'));
    await node!.events.onData(1, Buffer.from('line 2\n'));
    node!.events.onClose(undefined, false);
    expect((await answer).text).toBe('line 1\nline 2\n');
    expect((await call('GET', `${path}/log?container=b`)).json.message).toBe(
      'container "b" in pod "streamed" is waiting to start: ContainerCreating',
    );
    expect((await call('GET', `${path}/log?container=a&previous=true`)).json.message).toBe(
      'previous terminated container "a" in pod "streamed" not found',
    );
    expect((await call('GET', `${path}/log?container=c`)).json.message).toBe(
      'container c is not valid for pod streamed',
    );
    expect((await call('GET', `${path}/log`)).json.message).toBe(
      'a container name must be specified for pod streamed, choose one of: [a b]',
    );
  });

  test('exec over a WebSocket: both ways, half-close, resize, exit status', async () => {
    const socket = new WebSocket(
      `${server.url.replace('https', 'wss')}${path}/exec?command=sh&command=-c&container=a&stdin=true&stdout=true`,
      ['v5.channel.k8s.io', 'v4.channel.k8s.io'],
      { ca: server.pki.ca, headers: { authorization: `Bearer ${server.pki.adminToken}` } },
    );
    const messages: string[] = [];
    socket.on('message', data => messages.push(`${(data as Buffer)[0]}:${(data as Buffer).subarray(1).toString()}`));
    await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject));
    const closed = new Promise<number>(resolve => socket.on('close', resolve));
    expect(socket.protocol).toBe('v5.channel.k8s.io');
    expect(node!.request).toMatchObject({
      kind: 'exec',
      command: ['sh', '-c'],
      stdin: true,
      stdout: true,
      stderr: false,
      tty: false,
    });
    socket.send(Buffer.from('\0hello'));
    socket.send(Buffer.concat([Buffer.of(4), Buffer.from('{"Width":80,"Height":24}')]));
    socket.send(Buffer.of(255, 0));
    await expect
      .poll(() => node!.got)
      .toEqual([
        [0, 'hello'],
        [4, '{"Width":80,"Height":24}'],
        [0, '<end>'],
      ]);
    await node!.events.onData(1, Buffer.from('output'));
    node!.events.onClose(
      {
        kind: 'Status',
        apiVersion: 'v1',
        metadata: {},
        status: 'Failure',
        reason: 'NonZeroExitCode',
        message: 'exit status 3',
      },
      false,
    );
    expect(await closed).toBe(1000);
    expect(messages[0]).toBe('1:output');
    expect(messages[1]).toMatch(/^3:.*NonZeroExitCode/);
  });

  test('the real kubectl: logs, exec with input and an exit status', async () => {
    const k = kubectl(server.kubeconfig);
    try {
      node = undefined;
      const logs = k.run(['logs', 'streamed', '-c', 'a', '-f']);
      await expect.poll(() => node?.events, { timeout: 10_000 }).toBeDefined();
      await node!.events.onData(1, Buffer.from('from the node\n'));
      node!.events.onClose(undefined, false);
      expect(await logs).toMatchObject({ code: 0, stdout: 'from the node\n' });
      node = undefined;
      const exec = k.run(['exec', '-i', 'streamed', '-c', 'a', '--', 'cat'], { input: 'typed' });
      await expect
        .poll(() => node?.got, { timeout: 10_000 })
        .toEqual([
          [0, 'typed'],
          [0, '<end>'],
        ]);
      await node!.events.onData(1, Buffer.from('typed'));
      await node!.events.onData(2, Buffer.from('complaint'));
      const causes = [{ reason: 'ExitCode', message: '3' }];
      node!.events.onClose(
        failure(500, 'NonZeroExitCode', 'command terminated with exit code 3', { causes }).status,
        false,
      );
      expect(await exec).toMatchObject({ code: 3, stdout: 'typed', stderr: expect.stringContaining('complaint') });
      expect((await k.run(['exec', 'streamed', '-c', 'b', '--', 'ls'])).stderr).toContain('container not found ("b")');
    } finally {
      k.close();
    }
  });

  test('exec is refused before the handshake, with a Status', async () => {
    const refused = (query: string, headers: Record<string, string> = {}) =>
      new Promise<string>((resolve, reject) => {
        const socket = new WebSocket(`${server.url.replace('https', 'wss')}${query}`, 'v5.channel.k8s.io', {
          ca: server.pki.ca,
          headers: { authorization: `Bearer ${server.pki.adminToken}`, ...headers },
        });
        socket.on('unexpected-response', async (_request, response) => {
          let text = '';
          for await (const part of response.setEncoding('utf8')) text += part;
          resolve(`${response.statusCode} ${(JSON.parse(text) as Status).message}`);
        });
        socket.on('open', () => reject(new Error('was not refused')));
        socket.on('error', () => {});
      });
    expect(await refused(`${path}/exec?command=ls&stdout=true&container=b`)).toBe(
      '500 Internal error occurred: unable to upgrade connection: container not found ("b")',
    );
    expect(await refused(`${path}/exec?stdout=true&container=a`)).toBe(
      '400 you must specify at least one command for the container',
    );
    expect(await refused('/api/v1/namespaces/default/pods/nope/exec?command=ls&stdout=true')).toBe(
      '404 pods "nope" not found',
    );
    expect(
      await refused(`${path}/exec?command=ls&stdout=true&container=a`, { origin: 'https://evil.example' }),
    ).toMatch(/^403 /);
    expect(await refused(`${path}/exec?command=ls&stdout=true&container=a`, { authorization: 'Bearer wrong' })).toBe(
      '401 Unauthorized',
    );
  });
});
