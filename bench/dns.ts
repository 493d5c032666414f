/**
 * Queries a second that the cluster's DNS answers: the server in a process of its own, as many Services as are asked for, and
 * clients that keep some hundred queries on their way. What counts is the server's own processor time: "of one core".
 */
import { fork } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { encode } from 'dns-packet';
import { ServiceNames } from '../agent/dns/names.js';
import { Resolver } from '../agent/dns/resolver.js';
import { listen } from '../agent/dns/server.js';
import { createLogger } from '../src/base/log.js';
import type { KubeObject } from '../src/kube/meta.js';
import type { Row } from './report.js';

export interface DnsOptions {
  readonly services: number;
  readonly queries: number;
}

const target = 10_000;
const inFlight = 200;
const serveWord = 'serve-dns';

interface Report {
  /** Milliseconds of processor time, user and system, of all threads. */
  readonly processorMs: number;
}

export async function benchDns(options: DnsOptions): Promise<Row[]> {
  return [
    await run(options, 'the same few names', i => i % 50),
    await run(options, `${options.services} names in turn`, i => i % options.services),
  ];
}

async function run({ services, queries }: DnsOptions, what: string, which: (i: number) => number): Promise<Row> {
  const child = fork(fileURLToPath(import.meta.url), [serveWord, String(services)]);
  try {
    const [port] = (await once(child, 'message')) as [number];
    await load(port, queries / 10, which);
    const before = await ask(child);
    const began = performance.now();
    await load(port, queries, which);
    const seconds = (performance.now() - began) / 1000;
    const after = await ask(child);
    const perCore = queries / ((after.processorMs - before.processorMs) / 1000);
    return {
      part: 'dns',
      what: `A of Services by UDP, ${what}`,
      value: perCore,
      unit: 'queries/s of one core',
      note: `${(queries / seconds).toFixed(0)} a second with the client on the other core, n=${queries}`,
      target: { of: 'value', sense: 'at least', bound: target },
    };
  } finally {
    child.kill();
  }
}

async function ask(child: ReturnType<typeof fork>): Promise<Report> {
  child.send('report');
  return ((await once(child, 'message')) as [Report])[0];
}

const nameOf = (i: number): string => `service-${i}.default.svc.cluster.local`;

/** Each answer sends the next query. Lost ones would end the bench early: loopback loses none below the receive buffer. */
function load(port: number, count: number, which: (i: number) => number): Promise<void> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
  let sent = 0;
  let answered = 0;
  const next = (): void => {
    const questions = [{ type: 'A' as const, name: nameOf(which(sent)) }];
    socket.send(encode({ type: 'query', id: sent++ & 0xffff, flags: 256, questions }), port, '127.0.0.1');
  };
  return new Promise<void>(resolve => {
    socket.on('message', () => {
      answered++;
      if (sent < count) next();
      else if (answered >= count) resolve();
    });
    socket.bind(() => {
      for (let i = 0; i < Math.min(inFlight, count); i++) next();
    });
  }).finally(() => socket.close());
}

async function serve(services: number): Promise<void> {
  const names = new ServiceNames();
  names.sync(Array.from({ length: services }, (_, i) => serviceObject(i)));
  const upstream = { ask: () => Promise.reject(new Error('the bench asks for nothing of others')) };
  const port = 20_000 + (process.pid % 20_000);
  await listen('127.0.0.1', port, new Resolver(names, upstream, 'cluster.local'), createLogger('bench'));
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send?.({ processorMs: (user + system) / 1000 } satisfies Report);
  });
  process.send?.(port);
}

const serviceObject = (i: number): KubeObject => {
  const clusterIP = `10.${96 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`;
  const metadata = { namespace: 'default', name: `service-${i}`, uid: String(i) };
  const spec = { clusterIP, clusterIPs: [clusterIP], ports: [{ name: 'http', port: 80, protocol: 'TCP' }] };
  return { apiVersion: 'v1', kind: 'Service', metadata, spec } as KubeObject;
};

if (process.argv[2] === serveWord) await serve(Number(process.argv[3]));
