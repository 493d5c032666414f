/**
 * A bounded load on a controller of its own, over TLS on loopback: durable creates, reads, updates, whole lists, how late
 * watchers hear, and what the controller holds. The anchors are a real kube-apiserver 1.35 with etcd on this kind of machine
 * under the same kind of client; they were measured elsewhere, so they are compared as figures, not in the same run.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { freePort, repository } from '../test/helpers/cluster.js';
import { clientOptions } from './api-client.js';
import { stateFolder } from './pods.js';
import type { Row } from './report.js';
import { median, quantile } from './statistics.js';

const concurrency = 8;
const namespace = '/api/v1/namespaces/default';

export interface LoadScale {
  /** Requests per phase; also, with the 500 of the warm-up, the length of the lists. */
  readonly requests: number;
  readonly watchers: number;
  readonly pods: number;
}

export async function benchApi({ requests, watchers, pods }: LoadScale): Promise<Row[]> {
  const server = await startServer();
  try {
    const client = new LoadClient(server.kubeconfig);
    await settled();
    const idle = rssOf(server.child);
    await warmUp(client);
    const map = (name: string, x: number) => ({ metadata: { name }, data: { x: String(x), pad: 'p'.repeat(256) } });
    const path = (k: number) => `${namespace}/configmaps/c-${k}`;
    const creates = await rate(requests, k => client.send('POST', `${namespace}/configmaps`, map(`c-${k}`, 0)));
    const gets = await rate(requests, k => client.send('GET', path((k * 7919) % requests)));
    const puts = await rate(requests, k => client.send('PUT', path(k), map(`c-${k}`, k)));
    const lists = await rate(200, () => client.send('GET', `${namespace}/configmaps`));
    const one = await fanOut(client, 1, 200);
    await rate(pods, k => client.send('POST', `${namespace}/pods`, pod(k)));
    await settled();
    const full = rssOf(server.child);
    // last: a thousand TLS connections leave their memory behind
    const many = await fanOut(client, watchers, 50);
    client.close();
    return [
      speed(`durable creates, ${concurrency} at once`, creates, 2500, 1250),
      speed(`GET, ${concurrency} at once`, gets, 6000, 2660),
      speed(`PUT, ${concurrency} at once`, puts, 2500, 1000),
      speed(`LIST of ${requests + 500} objects`, lists, 300, 71),
      late('PUT sent → its event at one watcher, median', median(one.last), 1, 2.2, one),
      late(`PUT sent → the last of ${watchers} watchers, median`, median(many.last), 5, 3.7, many),
      memory('controller idle, RSS', idle, 120, 309),
      memory(`controller with ${pods} pods, RSS`, full, 250, 612),
    ];
  } finally {
    await server.stop();
  }
}

const anchor = 'kube-apiserver';

const speed = (what: string, measured: Rate, bound: number, reference: number): Row => ({
  part: 'api',
  what,
  value: measured.perSecond,
  unit: '/s',
  reference: { name: anchor, value: reference },
  target: { of: 'value', sense: 'at least', bound },
  note: `median ${measured.medianMs.toFixed(2)} ms, p99 ${measured.p99Ms.toFixed(1)} ms, n=${measured.count}`,
});

const late = (what: string, value: number, bound: number, reference: number, { put }: Delays): Row => ({
  part: 'api',
  what,
  value,
  unit: 'ms',
  reference: { name: anchor, value: reference },
  target: { of: 'value', sense: 'at most', bound },
  note: `the PUT itself ${median(put).toFixed(2)} ms`,
});

const memory = (what: string, mebibytes: number, bound: number, reference: number): Row => ({
  part: 'api',
  what,
  value: mebibytes,
  unit: 'MiB',
  reference: { name: anchor, value: reference },
  target: { of: 'value', sense: 'at most', bound },
});

/** Nobody schedules it: only the API is measured. */
const pod = (k: number) => ({
  metadata: { name: `pod-${k}`, labels: { app: 'bench' } },
  spec: { schedulerName: 'nobody', containers: [{ name: 'c', image: 'localhost/busybox:1' }] },
});

interface Server {
  readonly child: ChildProcess;
  readonly kubeconfig: string;
  stop(): Promise<void>;
}

async function startServer(): Promise<Server> {
  const folder = mkdtempSync(join(stateFolder, 'keelson-bench-'));
  const kubeconfig = join(folder, 'admin.kubeconfig');
  const child = spawn(
    join(repository, 'bin/keelson'),
    [
      'controller',
      '--data-dir',
      folder,
      '--run-dir',
      join(folder, 'run'),
      '--port',
      String(await freePort()),
      '--kubeconfig',
      kubeconfig,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let said = '';
  await new Promise<void>((resolve, reject) => {
    const listen = (text: string): void => {
      said += text;
      if (said.includes('controller started') || said.includes('ready https://')) resolve();
    };
    child.stdout.setEncoding('utf8').on('data', listen);
    child.stderr.setEncoding('utf8').on('data', listen);
    child.once('exit', code => reject(new Error(`The controller ended with ${code}: ${said}`)));
  });
  const stop = async (): Promise<void> => {
    const ended = new Promise(resolve => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  return { child, kubeconfig, stop };
}

class LoadClient {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: concurrency });
  readonly #options: ReturnType<typeof clientOptions>;

  constructor(kubeconfig: string) {
    this.#options = clientOptions(kubeconfig);
  }

  /** Resolves with the answer read to its end. Throws Error for a failure. */
  send(method: string, path: string, body?: object): Promise<void> {
    const text = body && JSON.stringify(body);
    const headers = text ? { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) } : {};
    return new Promise((resolve, reject) => {
      const sent = request({ ...this.#options, agent: this.#agent, method, path, headers }, answer => {
        answer.on('data', () => {});
        answer.once('end', () =>
          answer.statusCode! < 300
            ? resolve()
            : reject(new Error(`${method} ${path} was answered ${answer.statusCode}.`)),
        );
      });
      sent.once('error', reject);
      sent.end(text);
    });
  }

  /** Resolves when it stands. */
  watch(path: string, onData: (text: string) => void): Promise<{ close(): void }> {
    return new Promise((resolve, reject) => {
      const sent = request({ ...this.#options, path, agent: false }, answer => {
        if (answer.statusCode !== 200) return reject(new Error(`The watch was answered ${answer.statusCode}.`));
        answer.setEncoding('utf8').on('data', onData);
        answer.on('error', () => {});
        resolve({ close: () => void sent.destroy() });
      });
      sent.on('error', reject);
      sent.end();
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** Both sides compile what they run often; nobody's cluster is measured in its first second. */
async function warmUp(client: LoadClient): Promise<void> {
  await rate(500, k => client.send('POST', `${namespace}/configmaps`, { metadata: { name: `w-${k}` } }));
  await rate(500, k => client.send('GET', `${namespace}/configmaps/w-${k}`));
  await rate(500, k =>
    client.send('PUT', `${namespace}/configmaps/w-${k}`, { metadata: { name: `w-${k}` }, data: { k: `${k}` } }),
  );
}

interface Rate {
  readonly perSecond: number;
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly count: number;
}

async function rate(count: number, work: (index: number) => Promise<void>): Promise<Rate> {
  const times: number[] = [];
  let next = 0;
  const began = performance.now();
  const worker = async (): Promise<void> => {
    while (next < count) {
      const at = performance.now();
      await work(next++);
      times.push(performance.now() - at);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  const seconds = (performance.now() - began) / 1000;
  return { perSecond: count / seconds, medianMs: median(times), p99Ms: quantile(times, 0.99), count };
}

interface Delays {
  readonly last: number[];
  readonly put: number[];
}

/** So many watchers of one object; it is updated `rounds` times, each when all have heard of the one before. */
async function fanOut(client: LoadClient, watchers: number, rounds: number): Promise<Delays> {
  const path = `${namespace}/configmaps?watch=1&resourceVersion=0&fieldSelector=metadata.name%3Dc-0`;
  let word = '';
  let heard = 0;
  let allHeard: () => void = () => {};
  const listen = (text: string): void => {
    if (word && text.includes(word) && ++heard === watchers) allHeard();
  };
  const open = [];
  for (let i = 0; i < watchers; i++) open.push(await client.watch(path, listen));
  const delays: Delays = { last: [], put: [] };
  for (let round = 0; round < rounds; round++) {
    heard = 0;
    word = `round-${watchers}-${round}-`;
    const all = new Promise<void>(resolve => {
      allHeard = resolve;
    });
    const began = performance.now();
    const put = client
      .send('PUT', `${namespace}/configmaps/c-0`, { metadata: { name: 'c-0' }, data: { word } })
      .then(() => delays.put.push(performance.now() - began));
    await all;
    delays.last.push(performance.now() - began);
    await put;
  }
  for (const watch of open) watch.close();
  return delays;
}

/** In MiB. */
function rssOf({ pid }: ChildProcess): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)![1]) / 1024;
}

/** An idle process gives memory back for a while. */
const settled = (): Promise<void> => new Promise(resolve => setTimeout(resolve, 5000));
