/** The cluster's DNS: what names mean, and what goes over the wire. */
import { createSocket, type Socket } from 'node:dgram';
import { type AddressInfo, createServer } from 'node:net';
import { type Answer, decode, encode, type Packet, type RecordType } from 'dns-packet';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { answerOf } from '../../agent/dns/answer.js';
import { encodeResponse, parseQuery, type Query, type Response, rcodes } from '../../agent/dns/message.js';
import { ServiceNames } from '../../agent/dns/names.js';
import { Resolver } from '../../agent/dns/resolver.js';
import { secondsToKeep, Upstream } from '../../agent/dns/upstream.js';
import type { KubeObject } from '../../src/kube/meta.js';

const domain = 'cluster.local';
let uid = 0;

const service = (name: string, spec: object, namespace = 'default'): KubeObject =>
  ({ apiVersion: 'v1', kind: 'Service', metadata: { name, namespace, uid: `s${uid++}` }, spec }) as KubeObject;

const slice = (of: string, endpoints: object[], ports: object[], addressType = 'IPv4'): KubeObject =>
  ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: of, namespace: 'default', uid: `e${uid++}`, labels: { 'kubernetes.io/service-name': of } },
    addressType,
    endpoints,
    ports,
  }) as unknown as KubeObject;

const http = { name: 'http', protocol: 'TCP', port: 80 };

function cluster(): ServiceNames {
  const names = new ServiceNames();
  names.sync([
    service('web', { clusterIP: '10.96.1.1', clusterIPs: ['10.96.1.1', 'fd00::1'], ports: [http] }),
    service('db', { clusterIP: 'None', clusterIPs: ['None'], ports: [{ name: 'sql', port: 5432 }] }),
    service('empty', { clusterIP: 'None', ports: [] }),
    service('out', { type: 'ExternalName', externalName: 'example.org' }),
    service('in', { type: 'ExternalName', externalName: 'web.default.svc.cluster.local' }),
    service('loop', { type: 'ExternalName', externalName: 'loop.default.svc.cluster.local' }),
    slice(
      'db',
      [
        { addresses: ['10.244.0.5'], hostname: 'db-0', conditions: { ready: true } },
        { addresses: ['10.244.1.6'], conditions: {} },
        { addresses: ['10.244.1.7'], hostname: 'db-2', conditions: { ready: false } },
      ],
      [{ name: 'sql', port: 5432, protocol: 'TCP' }],
    ),
    slice('db', [{ addresses: ['fd00::5'], hostname: 'db-0' }], [{ name: 'sql', port: 5432 }], 'IPv6'),
  ]);
  return names;
}

/** In short: `A 10.96.1.1`, `none` for no data, or what else it is. */
function ask(names: ServiceNames, name: string, type: RecordType = 'A'): string[] {
  const found = answerOf({ name, type }, names, domain);
  if (found.is === 'unknown' || found.is === 'elsewhere') return [found.is];
  return found.answers.length === 0 ? ['none'] : found.answers.map(brief);
}

function brief(record: Answer): string {
  const data = 'data' in record ? record.data : '';
  if (record.type === 'SRV')
    return `SRV ${record.data.priority} ${record.data.weight} ${record.data.port} ${record.data.target}`;
  return `${record.type} ${String(data)}`;
}

const svc = (rest: string): string => `${rest}.svc.cluster.local`;

describe('names', () => {
  const names = cluster();
  test.each<[string, RecordType, string[]]>([
    [svc('web.default'), 'A', ['A 10.96.1.1']],
    [svc('web.default'), 'AAAA', ['AAAA fd00::1']],
    [svc('WEB.Default'), 'A', ['A 10.96.1.1']],
    [svc('web.default'), 'TXT', ['none']],
    [svc('web.default'), 'SRV', ['SRV 0 100 80 web.default.svc.cluster.local']],
    [svc('_http._tcp.web.default'), 'SRV', ['SRV 0 100 80 web.default.svc.cluster.local']],
    [svc('_http._tcp.web.default'), 'A', ['none']],
    [svc('_http._udp.web.default'), 'SRV', ['unknown']],
    [svc('_tcp.web.default'), 'A', ['none']],
    [svc('db.default'), 'A', ['A 10.244.0.5', 'A 10.244.1.6']],
    [svc('db.default'), 'AAAA', ['AAAA fd00::5']],
    [svc('db-0.db.default'), 'A', ['A 10.244.0.5']],
    [svc('db-0.db.default'), 'AAAA', ['AAAA fd00::5']],
    [svc('10-244-1-6.db.default'), 'A', ['A 10.244.1.6']],
    [svc('db-2.db.default'), 'A', ['unknown']],
    [
      svc('_sql._tcp.db.default'),
      'SRV',
      [`SRV 0 50 5432 ${svc('db-0.db.default')}`, `SRV 0 50 5432 ${svc('10-244-1-6.db.default')}`],
    ],
    [svc('empty.default'), 'A', ['unknown']],
    [svc('nothing.default'), 'A', ['unknown']],
    [svc('web.other'), 'A', ['unknown']],
    [svc('default'), 'A', ['none']],
    [svc('other'), 'A', ['unknown']],
    ['svc.cluster.local', 'A', ['none']],
    ['cluster.local', 'A', ['none']],
    ['cluster.local', 'SOA', ['SOA [object Object]']],
    ['nothing.cluster.local', 'A', ['unknown']],
    [svc('out.default'), 'A', ['CNAME example.org']],
    [svc('out.default'), 'CNAME', ['CNAME example.org']],
    ['10-244-0-9.default.pod.cluster.local', 'A', ['A 10.244.0.9']],
    ['10-244-0-9.default.pod.cluster.local', 'AAAA', ['none']],
    ['fd00-10--9.default.pod.cluster.local', 'AAAA', ['AAAA fd00:10::9']],
    ['fd00-10--9.default.pod.cluster.local', 'A', ['none']],
    ['fd00-10.default.pod.cluster.local', 'AAAA', ['unknown']],
    ['10-244-0-999.default.pod.cluster.local', 'A', ['unknown']],
    ['dns-version.cluster.local', 'TXT', ['TXT 1.1.0']],
    ['1.1.96.10.in-addr.arpa', 'PTR', [`PTR ${svc('web.default')}`]],
    ['5.0.244.10.in-addr.arpa', 'PTR', [`PTR ${svc('db-0.db.default')}`]],
    ['6.1.244.10.in-addr.arpa', 'PTR', [`PTR ${svc('10-244-1-6.db.default')}`]],
    ['1.0.0.127.in-addr.arpa', 'PTR', ['elsewhere']],
    [`1.${'0.'.repeat(27)}0.0.d.f.ip6.arpa`, 'PTR', [`PTR ${svc('web.default')}`]],
    ['example.org', 'A', ['elsewhere']],
    ['notcluster.local', 'A', ['elsewhere']],
  ])('%s %s', (name, type, expected) => {
    expect(ask(names, name, type)).toEqual(expected);
  });

  test('what goes is forgotten, what changes is told anew', () => {
    const own = new ServiceNames();
    const web = service('web', { clusterIP: '10.96.1.1', ports: [http] });
    own.put(web);
    own.put({ ...web, spec: { clusterIP: '10.96.1.2', ports: [http] } } as KubeObject);
    expect(ask(own, svc('web.default'))).toEqual(['A 10.96.1.2']);
    expect(own.namesOf('10.96.1.1')).toEqual([]);
    own.remove('Service', web.metadata.uid ?? '');
    expect(ask(own, svc('web.default'))).toEqual(['unknown']);
    expect(ask(own, svc('default'))).toEqual(['unknown']);
    expect(own.namesOf('10.96.1.2')).toEqual([]);
  });

  test('whatever comes in whatever order, it is known as if it had come at once', () => {
    const kind = fc.constantFrom('a', 'b', 'c');
    const step = fc.record({ kind, slice: fc.boolean(), gone: fc.boolean(), number: fc.integer({ min: 1, max: 9 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), steps => {
        const told = new ServiceNames();
        const present = new Map<string, KubeObject>();
        for (const { kind: name, slice: isSlice, gone, number } of steps) {
          const id = `${isSlice ? 'slice' : 'service'}-${name}`;
          const made = isSlice
            ? slice(name, [{ addresses: [`10.244.0.${number}`] }], [http])
            : service(name, { clusterIP: number > 5 ? 'None' : `10.96.0.${number}`, ports: [http] });
          made.metadata.uid = id;
          if (gone) present.delete(id);
          else present.set(id, made);
          if (gone) told.remove(made.kind, id);
          else told.put(made);
        }
        const whole = new ServiceNames();
        whole.sync([...present.values()]);
        for (const name of ['a', 'b', 'c'])
          expect(ask(told, svc(`${name}.default`)).sort()).toEqual(ask(whole, svc(`${name}.default`)).sort());
        for (let n = 1; n <= 9; n++)
          for (const address of [`10.244.0.${n}`, `10.96.0.${n}`])
            expect(told.namesOf(address).sort()).toEqual(whole.namesOf(address).sort());
      }),
    );
  });
});

const queryBytes = (name: string, type: RecordType = 'A', more: Partial<Packet> = {}): Buffer =>
  encode({ type: 'query', id: 4711, flags: 256, questions: [{ name, type }], ...more });
const query = (bytes: Buffer): Query => parseQuery(bytes) as Query;
const many = (count: number): Answer[] =>
  Array.from({ length: count }, (_, i) => ({ type: 'A', name: svc('db.default'), ttl: 5, data: `10.244.0.${i}` }));
const plain: Omit<Response, 'answers'> = { rcode: rcodes.noError, authoritative: true };

describe('messages', () => {
  test('an answer repeats no name: 28 addresses fit into 512 bytes, and one more says that it is cut', () => {
    const asked = query(queryBytes(svc('db.default')));
    const whole = encodeResponse(asked, { ...plain, answers: many(28) }, asked.udpSize);
    expect(whole.length).toBeLessThanOrEqual(512);
    const read = decode(whole);
    expect(read.answers?.map(a => a.name)).toEqual(many(28).map(() => svc('db.default')));
    expect([read.id, read.flag_aa, read.flag_ra, read.flag_rd, read.flag_tc]).toEqual([4711, true, true, true, false]);
    const cut = decode(encodeResponse(asked, { ...plain, answers: many(40) }, asked.udpSize));
    expect([cut.flag_tc, cut.answers?.length]).toEqual([true, 0]);
    expect(decode(encodeResponse(asked, { ...plain, answers: many(200) }, 65_535)).answers?.length).toBe(200);
  });

  test('EDNS gives more room, at most 1,232 bytes, and is answered with EDNS', () => {
    const opt = { type: 'OPT', name: '.', udpPayloadSize: 4096, flags: 0, options: [] } as unknown as Answer;
    const asked = query(queryBytes(svc('db.default'), 'A', { additionals: [opt] }));
    expect(asked.udpSize).toBe(1232);
    const read = decode(encodeResponse(asked, { ...plain, answers: many(60) }, asked.udpSize));
    expect(read.answers?.length).toBe(60);
    expect(read.additionals?.map(a => a.type)).toEqual(['OPT']);
  });

  test('what is no query gets a code, or nothing', () => {
    expect(parseQuery(Buffer.alloc(3))).toBeUndefined();
    expect(parseQuery(encode({ type: 'response', id: 1, questions: [] }))).toBeUndefined();
    expect(parseQuery(encode({ type: 'query', id: 1, questions: [] }))).toBe(rcodes.formatError);
    const notify = queryBytes('a.b');
    notify.writeUInt16BE(notify.readUInt16BE(2) | 0x2000, 2);
    expect(parseQuery(notify)).toBe(rcodes.notImplemented);
  });

  test('no bytes make it throw', () => {
    const resolver = new Resolver(cluster(), { ask: async () => ({ ...plain, answers: [] }) }, domain);
    fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), bytes => void resolver.answer(Buffer.from(bytes), false)));
    const real = queryBytes(svc('web.default'));
    fc.assert(
      fc.property(fc.nat(real.length - 1), fc.nat(255), (at, value) => {
        const broken = Buffer.from(real);
        broken[at] = value;
        void resolver.answer(broken, false);
      }),
    );
  });
});

describe('resolver', () => {
  const elsewhere: string[] = [];
  const upstream = {
    ask: async ({ name }: { name: string }): Promise<Response> => {
      elsewhere.push(name);
      return { rcode: 0, authoritative: false, answers: [{ type: 'A', name, ttl: 9, data: '192.0.2.1' }] };
    },
  };
  const names = cluster();
  const resolver = new Resolver(names, upstream, domain);
  const resolve = async (name: string, type: RecordType = 'A') => {
    const bytes = await resolver.answer(queryBytes(name, type), false);
    const packet = decode(bytes as Buffer);
    return { ...packet, code: (bytes as Buffer).readUInt16BE(2) & 0xf, brief: packet.answers?.map(brief) };
  };

  test('an alias is followed, in the cluster and outside; one that leads to itself ends', async () => {
    expect((await resolve(svc('in.default'))).brief).toEqual(['CNAME web.default.svc.cluster.local', 'A 10.96.1.1']);
    expect((await resolve(svc('out.default'))).brief).toEqual(['CNAME example.org', 'A 192.0.2.1']);
    expect((await resolve(svc('loop.default'))).code).toBe(rcodes.serverFailure);
  });

  test('negative answers carry the SOA that says how long they hold', async () => {
    const missing = await resolve(svc('nothing.default'));
    expect([missing.code, missing.authorities?.map(a => a.type)]).toEqual([rcodes.nameError, ['SOA']]);
    const noData = await resolve(svc('web.default'), 'TXT');
    expect([noData.code, noData.authorities?.map(a => a.type)]).toEqual([0, ['SOA']]);
  });

  test('a remembered answer has the id of its query, and goes when a name changes', async () => {
    const again = queryBytes(svc('web.default'));
    again.writeUInt16BE(99, 0);
    await resolve(svc('web.default'));
    expect(decode(resolver.answer(again, false) as Buffer).id).toBe(99);
    names.put(service('new', { clusterIP: '10.96.9.9', ports: [http] }));
    expect((await resolve(svc('new.default'))).code).toBe(rcodes.noError);
    resolver.changed();
    expect((await resolve(svc('new.default'))).brief).toEqual(['A 10.96.9.9']);
  });

  test('others are asked for what is not ours', async () => {
    expect((await resolve('example.com')).brief).toEqual(['A 192.0.2.1']);
    expect(elsewhere).toContain('example.com');
  });
});

describe('upstream', () => {
  const close: (() => void)[] = [];
  afterEach(() => {
    for (const end of close.splice(0)) end();
  });

  /** A server on loopback. @param reply what it says to a decoded query */
  async function server(reply: (query: Packet, udp: boolean) => Packet): Promise<{ port: number; asked: number[] }> {
    const asked: number[] = [];
    const udp: Socket = createSocket('udp4');
    await new Promise<void>(resolve => udp.bind(0, '127.0.0.1', resolve));
    const { port } = udp.address();
    udp.on('message', (bytes, from) => {
      asked.push(1);
      udp.send(encode(reply(decode(bytes), true)), from.port, from.address);
    });
    const tcp = createServer(socket =>
      socket.on('data', bytes => {
        const answer = encode(reply(decode(bytes.subarray(2)), false));
        const length = Buffer.from([answer.length >> 8, answer.length & 255]);
        // in pieces, as a network may deliver it
        socket.write(Buffer.concat([length, answer.subarray(0, 5)]));
        socket.write(answer.subarray(5));
      }),
    );
    await new Promise<void>(resolve => tcp.listen(port, '127.0.0.1', resolve));
    expect((tcp.address() as AddressInfo).port).toBe(port);
    close.push(
      () => udp.close(),
      () => tcp.close(),
    );
    return { port, asked };
  }
  const address = (name: string, ttl: number): Answer => ({ type: 'A', name, ttl, data: '192.0.2.7' });
  const answering =
    (ttl: number) =>
    ({ id, questions = [] }: Packet): Packet => ({
      type: 'response',
      id,
      questions,
      answers: [address(questions[0]?.name ?? '', ttl)],
    });

  test('an answer is kept as long as it says, growing older; two who ask at once ask once', async () => {
    const { port, asked } = await server(answering(20));
    let now = 0;
    const upstream = new Upstream([{ address: '127.0.0.1', port }], () => now);
    const question = { name: 'example.org', type: 'A' } as const;
    const [first] = await Promise.all([upstream.ask(question), upstream.ask(question)]);
    expect([first?.answers.map(brief), asked.length]).toEqual([['A 192.0.2.7'], 1]);
    now = 15_000;
    const [kept] = (await upstream.ask(question)).answers;
    expect(kept && 'ttl' in kept && kept.ttl).toBe(5);
    now = 21_000;
    await upstream.ask(question);
    expect(asked.length).toBe(2);
  });

  test('an answer that was cut is asked for again by TCP', async () => {
    const whole = (q: Packet): Packet => ({
      ...answering(20)(q),
      answers: Array.from({ length: 50 }, () => address(q.questions?.[0]?.name ?? '', 20)),
    });
    const { port } = await server((q, udp) => (udp ? { ...answering(20)(q), flags: 512, answers: [] } : whole(q)));
    const found = await new Upstream([{ address: '127.0.0.1', port }]).ask({ name: 'example.org', type: 'A' });
    expect(found.answers.length).toBe(50);
  });

  test('the next server is asked where one does not answer the question; nobody is a failure', async () => {
    const { port } = await server(answering(20));
    const refusing = await server(({ id, questions }) => ({ type: 'response', id: (id ?? 0) + 1, questions }));
    const both = new Upstream([
      { address: '127.0.0.1', port: refusing.port },
      { address: '127.0.0.1', port },
    ]);
    expect((await both.ask({ name: 'example.org', type: 'A' })).answers.length).toBe(1);
    const none = await new Upstream([]).ask({ name: 'example.org', type: 'A' });
    expect(none.rcode).toBe(rcodes.serverFailure);
  });

  test('failures are not kept, negative answers as long as their SOA says, nothing longer than half a minute', () => {
    const soa: Answer = {
      type: 'SOA',
      name: 'org',
      ttl: 900,
      data: { mname: 'a', rname: 'b', serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 12 },
    };
    expect(secondsToKeep({ rcode: rcodes.serverFailure, authoritative: false, answers: [] })).toBe(0);
    expect(secondsToKeep({ rcode: rcodes.nameError, authoritative: false, answers: [], authorities: [soa] })).toBe(12);
    expect(secondsToKeep({ ...plain, answers: [address('a', 3600)] })).toBe(30);
    expect(secondsToKeep({ ...plain, answers: [address('a', 60), address('a', 7)] })).toBe(7);
  });
});
