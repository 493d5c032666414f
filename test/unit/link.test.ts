import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { createLogger } from '../../src/base/log.js';
import type { KubeObject } from '../../src/kube/meta.js';
import type { ConfigMap } from '../../src/kube/node.js';
import type { Pod } from '../../src/kube/pod.js';
import { failure } from '../../src/kube/status.js';
import { LinkClient, type LinkClientEvents, type Report } from '../../src/link/client.js';
import {
  channel,
  decodeStreamFrame,
  encodeStreamFrame,
  initialCredit,
  maxStreamPayload,
  maxStreamsPerNode,
} from '../../src/link/frames.js';
import { type HubChange, LinkHub } from '../../src/link/hub.js';
import { referencesOf } from '../../src/link/interest.js';
import { Outbox } from '../../src/link/outbox.js';
import { FrameError, parseDownFrame, parseUpFrame } from '../../src/link/parse.js';
import type { LinkStream } from '../../src/link/stream.js';
import { testContainer, testPod } from '../helpers/pods.js';

describe('outbox', () => {
  test('keeps only the newest state per key, one under way, and sends again after a reconnect', () => {
    const sent: [number, string][] = [];
    const box = new Outbox<string>((id, frame) => sent.push([id, frame]));
    box.put({ key: 'a', frame: 'a1' });
    expect(sent).toEqual([]);
    box.connected();
    for (const frame of ['a2', 'a3', 'a4']) box.put({ key: 'a', frame });
    expect(sent).toEqual([[1, 'a1']]);
    expect(box.acknowledged(1)).toEqual({ key: 'a', frame: 'a1' });
    expect(sent).toEqual([
      [1, 'a1'],
      [2, 'a4'],
    ]);
    box.disconnected();
    box.connected();
    expect(sent.at(-1)).toEqual([3, 'a4']);
    expect(box.acknowledged(2)).toBeUndefined();
    expect(box.acknowledged(3)).toEqual({ key: 'a', frame: 'a4' });
    expect(box.size).toBe(0);
  });

  test('whatever happens, the last state of every key is acknowledged in the end', () => {
    const step = fc.oneof(
      fc.record({ put: fc.constantFrom('a', 'b', 'c') }),
      fc.constant({ ack: true as const }),
      fc.constant({ cut: true as const }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), steps => {
        const flying: [number, string][] = [];
        const stored = new Map<string, string>();
        const last = new Map<string, string>();
        const box = new Outbox<string>((id, frame) => flying.push([id, frame]));
        const ack = () => {
          const next = flying.shift();
          if (!next) return;
          const done = box.acknowledged(next[0]);
          if (done) stored.set(done.key, done.frame);
        };
        box.connected();
        let n = 0;
        for (const s of steps) {
          if ('put' in s) {
            last.set(s.put, `${s.put}${n++}`);
            box.put({ key: s.put, frame: last.get(s.put) as string });
          } else if ('ack' in s) ack();
          else {
            flying.length = 0;
            box.disconnected();
            box.connected();
          }
        }
        while (flying.length > 0) ack();
        expect(stored).toEqual(last);
      }),
    );
  });
});

describe('frames', () => {
  test('a frame of the wrong shape says what is wrong', () => {
    expect(() => parseUpFrame('{')).toThrow('control frame is not JSON');
    expect(() => parseUpFrame('[]')).toThrow('not an object');
    expect(() => parseUpFrame('{"t":"__proto__"}')).toThrow('unknown type "__proto__"');
    expect(() => parseUpFrame('{"t":"podGone","id":1,"namespace":"a","name":"b"}')).toThrow(
      'podGone frame: uid must be string',
    );
    expect(() => parseUpFrame('{"t":"credit","stream":-1,"channel":0,"bytes":1}')).toThrow('stream must be number');
  });

  test('any text is a frame or a FrameError', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), text => {
        for (const parse of [parseUpFrame, parseDownFrame]) {
          try {
            parse(text);
          } catch (error) {
            expect(error).toBeInstanceOf(FrameError);
          }
        }
      }),
    );
  });

  test('stream frames survive the way there and back; wrong sizes are refused', () => {
    const frame = encodeStreamFrame(7, channel.stderr, Buffer.from('hi'));
    expect(decodeStreamFrame(frame)).toEqual({ stream: 7, channel: 2, payload: Buffer.from('hi') });
    expect(() => decodeStreamFrame(Buffer.alloc(4))).toThrow('at least 5');
    expect(() => decodeStreamFrame(Buffer.alloc(6 + maxStreamPayload))).toThrow('at most');
  });
});

test('a node is told of every ConfigMap and Secret that a pod names', () => {
  const pod = testPod({
    volumes: [
      { name: 'v', configMap: { name: 'c1' } },
      { name: 's', secret: { secretName: 's1' } },
    ],
    initContainers: [testContainer('i', { envFrom: [{ secretRef: { name: 's2' } }] })],
    containers: [
      testContainer('a', { env: [{ name: 'X', valueFrom: { configMapKeyRef: { name: 'c2', key: 'k' } } }] }),
    ],
  });
  expect([...referencesOf(pod)].sort()).toEqual([
    'ConfigMap/default/c1',
    'ConfigMap/default/c2',
    'Secret/default/s1',
    'Secret/default/s2',
  ]);
});

/** A cache and a store of objects in memory, as the hub sees them. */
class Cluster {
  incarnation = 'one';
  revision = 10;
  readonly objects = new Map<string, KubeObject>();
  readonly listeners = new Set<(change: HubChange) => void>();
  readonly stored: [string, unknown][] = [];
  refuse = false;
  full = false;

  readonly view = {
    get: (kind: string, namespace: string | undefined, name: string) =>
      this.objects.get(`${kind}/${namespace ?? ''}/${name}`),
    list: (kind: string) => [...this.objects.values()].filter(o => o.kind === kind),
    subscribe: (listener: (change: HubChange) => void) => {
      this.listeners.add(listener);
      return { close: () => void this.listeners.delete(listener) };
    },
  };

  put(object: KubeObject): void {
    const key = `${object.kind}/${object.metadata.namespace ?? ''}/${object.metadata.name}`;
    const previous = this.objects.get(key);
    const next = { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.revision) } };
    this.objects.set(key, next);
    for (const l of this.listeners) l({ revision: this.revision, object: next, previous, deleted: false });
  }

  remove(kind: string, name: string): void {
    const object = this.objects.get(`${kind}/default/${name}`) as KubeObject;
    this.objects.delete(`${kind}/default/${name}`);
    this.revision++;
    for (const l of this.listeners) l({ revision: this.revision, object, deleted: true });
  }

  store = async (what: string, value: unknown): Promise<number> => {
    if (this.refuse) throw failure(409, 'Conflict', 'no');
    if (this.full) throw failure(507, 'InsufficientStorage', 'full');
    this.stored.push([what, value]);
    return ++this.revision;
  };
}

describe('hub and client over a real WebSocket', () => {
  let cluster: Cluster;
  let hub: LinkHub;
  let server: Server;
  let client: LinkClient;
  let desired: Map<string, KubeObject>;
  let syncs: number;
  let streams: ((stream: LinkStream) => void) | undefined;
  let refused: string[];
  let links: WebSocket[];
  const log = createLogger('test');
  log.level = 'silent';

  const bound = (name: string, node = 'n1', more: Partial<Pod['spec']> = {}) =>
    testPod({ ...more, nodeName: node }, name, `uid-${name}`);
  const settled = async (holds: () => boolean) => {
    for (let i = 0; i < 400 && !holds(); i++) await new Promise(resolve => setTimeout(resolve, 5));
    expect(holds()).toBe(true);
  };

  beforeEach(async () => {
    cluster = new Cluster();
    const view = Object.defineProperties({ ...cluster.view } as never, {
      revision: { get: () => cluster.revision },
      incarnation: { get: () => cluster.incarnation },
    }) as ConstructorParameters<typeof LinkHub>[0]['view'];
    const { store } = cluster;
    hub = new LinkHub({
      view,
      log,
      sink: {
        node: (n, node) => store('node', [n, node]),
        heartbeat: n => store('heartbeat', n),
        podStatus: (_, pod, status) => store('podStatus', [pod.name, status.phase]),
        podGone: (_, pod) => store('podGone', pod.name),
        mirror: (_, pod) => store('mirror', pod.metadata.name),
        event: (_, event) => store('event', event),
        token: async (n, { name }) => `${n}/${name}`,
      },
    });
    const sockets = new WebSocketServer({ noServer: true });
    server = createServer();
    server.on('upgrade', (request, socket, head) =>
      sockets.handleUpgrade(request, socket, head, ws => {
        links.push(ws);
        hub.accept(ws, 'n1');
      }),
    );
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    links = [];
    desired = new Map();
    syncs = 0;
    refused = [];
    streams = undefined;
    const events: LinkClientEvents = {
      onSync: objects => {
        syncs++;
        desired = new Map(objects.map(o => [`${o.kind}/${o.metadata.name}`, o]));
      },
      onPut: object => desired.set(`${object.kind}/${object.metadata.name}`, object),
      onGone: (kind, _uid, key) => desired.delete(`${kind}/${key.split('/').at(-1)}`),
      onStream: stream => streams?.(stream),
      onRefused: (key: string, _report: Report) => refused.push(key),
    };
    client = new LinkClient({
      url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
      socket: () => ({}),
      version: 't',
      bootID: 'b',
      log,
      events,
    });
  });

  afterEach(async () => {
    client.close();
    hub.close();
    for (const link of links) link.terminate();
    await new Promise(resolve => server.close(resolve));
  });

  test('sync gives this node its own pods and what they name, then ordered changes', async () => {
    cluster.put({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c', namespace: 'default', uid: 'uc' } });
    cluster.put(bound('mine', 'n1', { volumes: [{ name: 'v', configMap: { name: 'c' } }] }));
    cluster.put(bound('other', 'n2'));
    client.start();
    await settled(() => syncs === 1);
    expect([...desired.keys()].sort()).toEqual(['ConfigMap/c', 'Pod/mine']);
    cluster.put(bound('late'));
    cluster.put({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'c', namespace: 'default', uid: 'uc' },
      data: { k: 'v' },
    } as ConfigMap);
    await settled(() => desired.has('Pod/late'));
    expect((desired.get('ConfigMap/c') as ConfigMap).data).toEqual({ k: 'v' });
    // nobody names the ConfigMap any more: it goes, or a later pod would see it as it was
    cluster.remove('Pod', 'mine');
    await settled(() => !desired.has('ConfigMap/c'));
    expect([...desired.keys()].sort()).toEqual(['Pod/late']);
  });

  test('a status echo of its own pod is not sent back to the node', async () => {
    cluster.put(bound('mine'));
    client.start();
    await settled(() => syncs === 1);
    const before = desired.get('Pod/mine');
    cluster.put({ ...bound('mine'), status: { phase: 'Running' } } as Pod);
    cluster.put(bound('next'));
    await settled(() => desired.has('Pod/next'));
    expect(desired.get('Pod/mine')).toBe(before);
  });

  test('after a break only the difference comes, and the set is the same as a full one', async () => {
    for (let i = 0; i < 5; i++) cluster.put(bound(`p${i}`));
    client.start();
    await settled(() => syncs === 1);
    const before = desired.get('Pod/p1');
    links[0]?.terminate();
    cluster.remove('Pod', 'p0');
    cluster.put(bound('p9'));
    await settled(() => syncs === 2);
    expect([...desired.keys()].sort()).toEqual(['Pod/p1', 'Pod/p2', 'Pod/p3', 'Pod/p4', 'Pod/p9']);
    // kept, not sent again
    expect(desired.get('Pod/p1')).toBe(before);
  });

  test('another database means a full resync', async () => {
    cluster.put(bound('old'));
    client.start();
    await settled(() => syncs === 1);
    cluster.incarnation = 'two';
    cluster.objects.clear();
    cluster.put(bound('new'));
    links[0]?.terminate();
    await settled(() => syncs === 2);
    expect([...desired.keys()]).toEqual(['Pod/new']);
  });

  test('what the controller could not store is sent again until it can; what is newer goes instead', async () => {
    client.start();
    await settled(() => syncs === 1);
    cluster.full = true;
    const report = (name: string, phase: 'Running' | 'Failed') =>
      client.report(`pod/${name}`, { t: 'podStatus', namespace: 'default', name, uid: name, status: { phase } });
    report('a', 'Running');
    report('b', 'Running');
    await settled(() => refused.length >= 2);
    cluster.full = false;
    report('b', 'Failed');
    const stored = () => cluster.stored.filter(([what]) => what === 'podStatus').map(([, value]) => value);
    await expect.poll(stored, { timeout: 5000 }).toEqual([
      ['b', 'Failed'],
      ['a', 'Running'],
    ]);
    // the old state of b must not come after the new one
    await new Promise(resolve => setTimeout(resolve, 100));
    expect(stored()).toHaveLength(2);
  });

  test('reports are kept while the link is down and acknowledged once stored; refused ones are told', async () => {
    client.report('pod/a', {
      t: 'podStatus',
      namespace: 'default',
      name: 'a',
      uid: 'ua',
      status: { phase: 'Pending' },
    });
    client.report('pod/a', {
      t: 'podStatus',
      namespace: 'default',
      name: 'a',
      uid: 'ua',
      status: { phase: 'Running' },
    });
    client.start();
    await settled(() => cluster.stored.length === 1);
    expect(cluster.stored).toEqual([['podStatus', ['a', 'Running']]]);
    cluster.refuse = true;
    client.report('pod/b', { t: 'podGone', namespace: 'default', name: 'b', uid: 'ub' });
    await settled(() => refused.length === 1);
    expect(refused).toEqual(['pod/b']);
  });

  test('a stream carries megabytes both ways with bounded buffers, and ends with a status', async () => {
    client.start();
    await settled(() => syncs === 1);
    const total = 4 * initialCredit;
    streams = stream => {
      let got = 0;
      stream.listen({
        onData: async (number, data) => {
          got += data.length;
          await stream.write(channel.stdout, data);
          if (number === channel.stdin && got === total) stream.close(failure(400, 'Done', 'done').status);
        },
        onEnd: () => {},
        onClose: () => {},
      });
    };
    const stream = hub.open('n1', {
      kind: 'exec',
      namespace: 'd',
      pod: 'p',
      uid: 'u',
      container: 'c',
      command: ['cat'],
      stdin: true,
      stdout: true,
      stderr: false,
      tty: false,
    }) as LinkStream;
    let received = 0;
    const closed = new Promise<string | undefined>(resolve =>
      stream.listen({
        onData: (_, d) => void (received += d.length),
        onEnd: () => {},
        onClose: s => resolve(s?.message),
      }),
    );
    await stream.write(channel.stdin, Buffer.alloc(total, 1));
    expect(await closed).toBe('done');
    expect(received).toBe(total);
  });

  test('a node serves so many streams and no more; one that ends makes room', async () => {
    client.start();
    await settled(() => syncs === 1);
    streams = stream => stream.listen({ onData: () => {}, onEnd: () => {}, onClose: () => {} });
    const request = { kind: 'connect', namespace: 'd', pod: 'p', uid: 'u', port: 80 } as const;
    const opened = Array.from({ length: maxStreamsPerNode }, () => hub.open('n1', request) as LinkStream);
    expect(() => hub.open('n1', request)).toThrow('node "n1" serves 1000 streams, the most allowed');
    opened[0]!.close();
    expect(hub.open('n1', request)).toBeDefined();
  });

  test('the end of a channel is told after everything written to it, however little credit there was', async () => {
    client.start();
    await settled(() => syncs === 1);
    let got = 0;
    let atEnd = -1;
    streams = stream =>
      stream.listen({
        onData: async (_, data) => {
          await new Promise(resolve => setImmediate(resolve));
          got += data.length;
        },
        onEnd: () => {
          atEnd = got;
          stream.close();
        },
        onClose: () => {},
      });
    const stream = hub.open('n1', {
      kind: 'exec',
      namespace: 'd',
      pod: 'p',
      uid: 'u',
      container: 'c',
      command: ['cat'],
      stdin: true,
      stdout: true,
      stderr: false,
      tty: false,
    }) as LinkStream;
    const closed = new Promise<void>(resolve =>
      stream.listen({ onData: () => {}, onEnd: () => {}, onClose: () => resolve() }),
    );
    for (let i = 0; i < 40; i++) void stream.write(channel.stdin, Buffer.alloc(32_768));
    stream.end(channel.stdin);
    await closed;
    expect(got).toBe(40 * 32_768);
    expect(atEnd).toBeGreaterThan(39 * 32_768 - initialCredit);
  });

  test('what came before anybody listened is heard in order: input may be quicker than the start of a command', async () => {
    client.start();
    await settled(() => syncs === 1);
    let opened: LinkStream | undefined;
    streams = stream => {
      opened = stream;
    };
    const stream = hub.open('n1', {
      kind: 'attach',
      namespace: 'd',
      pod: 'p',
      uid: 'u',
      container: 'c',
      stdin: true,
      stdout: true,
      stderr: false,
      tty: false,
    }) as LinkStream;
    stream.listen({ onData: () => {}, onEnd: () => {}, onClose: () => {} });
    for (const text of ['a', 'b', 'c']) await stream.write(channel.stdin, Buffer.from(text));
    stream.end(channel.stdin);
    // the link keeps its order: once this has come, all before it has
    cluster.put(bound('later'));
    await settled(() => desired.has('Pod/later'));
    const heard: string[] = [];
    opened?.listen({
      onData: async (_, data) => {
        await new Promise(resolve => setImmediate(resolve));
        heard.push(String(data));
      },
      onEnd: () => heard.push('end'),
      onClose: () => heard.push('close'),
    });
    await settled(() => heard.includes('end'));
    stream.close();
    await settled(() => heard.includes('close'));
    expect(heard).toEqual(['a', 'b', 'c', 'end', 'close']);
  });

  test('a peer that says nonsense is closed with a reason, and others live on', async () => {
    client.start();
    await settled(() => syncs === 1);
    const rogue = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const closing = new Promise<[number, string]>(resolve =>
      rogue.on('close', (code, reason) => resolve([code, String(reason)])),
    );
    rogue.on('open', () => rogue.send('{"t":"podStatus","id":1}'));
    expect(await closing).toEqual([1008, 'podStatus frame: namespace must be string']);
  });
});
