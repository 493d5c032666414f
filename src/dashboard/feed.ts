/**
 * The page's WebSocket: a login within five seconds, then a snapshot, then what changes. Per reader only the newest row
 * per key waits, so a slow browser costs no memory; one that does not read at all is closed.
 */
import type { WebSocket } from 'ws';
import type { KubeObject } from '../kube/meta.js';
import type { Pod } from '../kube/pod.js';
import type { NodeStats } from '../link/frames.js';
import { closeCodes, type FeedMessage, type Usage } from './rows.js';
import { type PodSummary, type Row, rowKey, rowOf, shownKinds } from './view.js';

export interface FeedOptions {
  readonly cluster: string;
  readonly list: (kind: (typeof shownKinds)[number]) => Iterable<KubeObject>;
  readonly subscribe: (listener: (object: KubeObject, deleted: boolean) => void) => { close(): void };
  readonly summarize: (pod: Pod) => PodSummary;
  /** True if the token's owner may see all pods, nodes and events. */
  readonly mayLook: (token: string) => Promise<boolean>;
}

const loginMs = 5000;
const flushMs = 100;
const maxReaders = 50;
/** A reader with this much unread for that long is closed. */
const stuckBytes = 4 * 1024 * 1024;
/** The newest events of a snapshot. */
const snapshotEvents = 200;

class Reader {
  readonly rows = new Map<string, Row | undefined>();
  constructor(readonly socket: WebSocket) {}
}

export class DashboardFeed {
  readonly #options: FeedOptions;
  readonly #readers = new Set<Reader>();
  readonly #subscription: { close(): void };
  readonly #timer: NodeJS.Timeout;
  #usage = new Map<string, FeedMessage>();

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#subscription = options.subscribe((object, deleted) => this.#changed(object, deleted));
    this.#timer = setInterval(() => this.#flush(), flushMs);
  }

  /** A socket whose Origin was checked, and whose owner is not known yet. */
  accept(socket: WebSocket): void {
    if (this.#readers.size >= maxReaders) return socket.close(1013, 'too many open dashboards');
    const timer = setTimeout(() => socket.close(closeCodes.unauthorized, 'no login in time'), loginMs);
    socket.on('error', () => socket.terminate());
    socket.once('close', () => clearTimeout(timer));
    socket.once('message', data => {
      clearTimeout(timer);
      void this.#login(socket, String(data));
    });
  }

  /** Newest usage of a node, from its agent. */
  usage(node: string, stats: NodeStats): void {
    const pods: Record<string, Usage> = {};
    for (const { uid, cpuCores, memoryWorkingSetBytes: memoryBytes, network } of stats.pods)
      pods[`Pod/${uid}`] = { cpuCores, memoryBytes, ...(network && { network }) };
    const message: FeedMessage = {
      t: 'usage',
      node,
      total: { cpuCores: stats.cpuCores, memoryBytes: stats.memoryWorkingSetBytes },
      pods,
    };
    this.#usage.set(node, message);
    for (const reader of this.#readers) if (reader.socket.bufferedAmount === 0) send(reader.socket, message);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#subscription.close();
    for (const { socket } of this.#readers) socket.close(1001, 'controller is stopping');
  }

  async #login(socket: WebSocket, text: string): Promise<void> {
    const token = tokenOf(text);
    if (token === undefined) return socket.close(closeCodes.badFrame, 'the first message must be {"token": "…"}');
    if (!(await this.#options.mayLook(token).catch(() => false)))
      return socket.close(closeCodes.unauthorized, 'this token may not look at the cluster');
    if (socket.readyState !== 1) return;
    const reader = new Reader(socket);
    this.#readers.add(reader);
    socket.on('close', () => this.#readers.delete(reader));
    socket.on('message', () => socket.close(closeCodes.badFrame, 'the dashboard only listens'));
    send(socket, { t: 'hello', cluster: this.#options.cluster });
    this.#snapshot(reader);
    for (const message of this.#usage.values()) send(socket, message);
  }

  #snapshot(reader: Reader): void {
    for (const kind of shownKinds) {
      const rows = [...this.#options.list(kind)].flatMap(o => rowOf(o, this.#options.summarize) ?? []);
      const shown = kind === 'Event' ? rows.sort(byTime).slice(-snapshotEvents) : rows;
      for (const row of shown) reader.rows.set(row.row.key, row);
    }
    this.#flushOne(reader);
  }

  #changed(object: KubeObject, deleted: boolean): void {
    if (this.#readers.size === 0) return;
    const row = rowOf(object, this.#options.summarize);
    if (!row) return;
    for (const reader of this.#readers) reader.rows.set(rowKey(object), deleted ? undefined : row);
  }

  #flush(): void {
    for (const reader of this.#readers) this.#flushOne(reader);
  }

  #flushOne(reader: Reader): void {
    const { socket, rows } = reader;
    if (rows.size === 0) return;
    if (socket.bufferedAmount > 0) {
      if (socket.bufferedAmount > stuckBytes) socket.close(closeCodes.tooSlow, 'not reading');
      return;
    }
    const of = <L extends Row['list']>(list: L) => [...rows.values()].flatMap(r => (r?.list === list ? [r.row] : []));
    const gone = [...rows].flatMap(([key, row]) => (row ? [] : [key]));
    send(socket, {
      t: 'rows',
      pods: of('pods') as never,
      nodes: of('nodes') as never,
      events: of('events') as never,
      gone,
    });
    rows.clear();
  }
}

const byTime = (a: Row, b: Row): number =>
  a.list === 'events' && b.list === 'events' ? a.row.at.localeCompare(b.row.at) : 0;

function send(socket: WebSocket, message: FeedMessage): void {
  if (socket.readyState === 1) socket.send(JSON.stringify(message));
}

function tokenOf(text: string): string | undefined {
  try {
    const token = (JSON.parse(text) as { token?: unknown }).token;
    return typeof token === 'string' && token.length <= 4096 ? token : undefined;
  } catch {
    return undefined;
  }
}
