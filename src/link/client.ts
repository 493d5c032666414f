/**
 * The node's end of the link: dials the controller, says what it knows, keeps the desired objects, sends reports until
 * they are acknowledged, serves streams. Everything goes on while the link is down; it reconnects with jittered back-off.
 */
import { type ClientOptions, type RawData, WebSocket } from 'ws';
import { backoffDelay, jittered } from '../base/backoff.js';
import { describe } from '../base/errors.js';
import type { Logger } from '../base/log.js';
import type { KubeObject } from '../kube/meta.js';
import type { Status } from '../kube/status.js';
import { Desired } from './desired.js';
import {
  type DesiredChange,
  type DownFrame,
  decodeStreamFrame,
  maxControlBytes,
  protocolVersion,
  type StreamRequest,
  type TokenRequest,
  type UpFrame,
} from './frames.js';
import { objectName } from './interest.js';
import { Outbox } from './outbox.js';
import { FrameError, parseDownFrame } from './parse.js';
import { LinkStream } from './stream.js';

/** An up frame that is acknowledged, without its id. */
export type Report =
  | Omit<Extract<UpFrame, { t: 'node' }>, 'id'>
  | Omit<Extract<UpFrame, { t: 'heartbeat' }>, 'id'>
  | Omit<Extract<UpFrame, { t: 'podStatus' }>, 'id'>
  | Omit<Extract<UpFrame, { t: 'podGone' }>, 'id'>
  | Omit<Extract<UpFrame, { t: 'mirror' }>, 'id'>
  | Omit<Extract<UpFrame, { t: 'event' }>, 'id'>;

export interface LinkClientEvents {
  /** Everything desired, after a (re)connect. Called only when the set is complete. */
  onSync(objects: readonly KubeObject[]): void;
  onPut(object: KubeObject): void;
  onGone(kind: string, uid: string, key: string): void;
  onStream(stream: LinkStream, request: StreamRequest): void;
  /** A report was refused: it is not sent again, unless the refusal is the controller's own trouble (5xx, 429). */
  onRefused(key: string, report: Report, status: Status): void;
  onAcknowledged?(key: string, report: Report, revision: number): void;
  onConnected?(): void;
  onDisconnected?(): void;
}

export interface LinkClientOptions {
  readonly url: string;
  /** TLS and socket options for `ws`. */
  readonly socket: () => ClientOptions;
  readonly version: string;
  readonly bootID: string;
  readonly log: Logger;
  readonly events: LinkClientEvents;
}

/** So long a token is waited for. */
const tokenMs = 10_000;

interface Waiting {
  readonly resolve: (token: string) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

const reconnect = { initialMs: 200, maxMs: 30_000, factor: 2 } as const;
/** A report that could not be stored is sent again after this. */
const retryReportMs = 2000;
const isPassing = ({ code = 0 }: Status): boolean => code >= 500 || code === 429;
/** Events of a dead link must not fill memory. */
const maxWaitingReports = 10_000;

export class LinkClient {
  readonly #options: LinkClientOptions;
  readonly #outbox: Outbox<Report>;
  readonly #streams = new Map<number, LinkStream>();
  /** What the controller wants here. */
  #desired = new Desired();
  #collecting: Desired | undefined;
  #incarnation: string | undefined;
  #revision: number | undefined;
  #socket: WebSocket | undefined;
  /** Refused for a while, by key; whatever is reported of the key later goes instead. */
  readonly #retries = new Map<string, NodeJS.Timeout>();
  readonly #tokens = new Map<number, Waiting>();
  #nextToken = 1;
  #attempts = 0;
  #timer: NodeJS.Timeout | undefined;
  #watchdog: NodeJS.Timeout | undefined;
  #closed = false;
  #synced = false;

  constructor(options: LinkClientOptions) {
    this.#options = options;
    this.#outbox = new Outbox((id, report) => this.#send({ ...report, id } as UpFrame));
  }

  /** True once the first full sync has arrived since the start. */
  get synced(): boolean {
    return this.#synced;
  }
  get connected(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  start(): void {
    if (!this.#closed) this.#dial();
  }

  /** @param key what it is the newest state of */
  report(key: string, report: Report): void {
    if (this.#outbox.size > maxWaitingReports && report.t === 'event') return;
    clearTimeout(this.#retries.get(key));
    this.#retries.delete(key);
    this.#outbox.put({ key, frame: report });
  }

  /** Sent only if the link is up: the next one is better than an old one. */
  stats(frame: Extract<UpFrame, { t: 'stats' }>): void {
    if (this.connected && this.#socket && this.#socket.bufferedAmount < maxControlBytes) this.#send(frame);
  }

  /** Rejects with an Error saying why: refused, or the link is down. */
  requestToken(request: TokenRequest): Promise<string> {
    if (!this.connected) return Promise.reject(new Error('the controller cannot be reached now'));
    const number = this.#nextToken++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#answer(number, { error: 'the controller does not answer' }), tokenMs);
      this.#tokens.set(number, { resolve, reject, timer });
      this.#send({ t: 'tokenRequest', request: number, ...request });
    });
  }

  #answer(number: number, { token, error }: { token?: string | undefined; error?: string | undefined }): void {
    const waiting = this.#tokens.get(number);
    if (!waiting) return;
    this.#tokens.delete(number);
    clearTimeout(waiting.timer);
    if (token === undefined) waiting.reject(new Error(error ?? 'no token'));
    else waiting.resolve(token);
  }

  object(kind: string, namespace: string | undefined, name: string): KubeObject | undefined {
    return this.#desired.named(objectName(kind, namespace, name));
  }

  /** All of a kind that the controller has told this node of. */
  objectsOf(kind: string): KubeObject[] {
    return this.#desired.ofKind(kind);
  }

  /** Resolves when everything reported is acknowledged, or after `timeoutMs`. */
  async drain(timeoutMs: number): Promise<void> {
    const until = Date.now() + timeoutMs;
    while (this.#outbox.size > 0 && this.connected && Date.now() < until)
      await new Promise(resolve => setTimeout(resolve, 10));
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#watchdog);
    for (const timer of this.#retries.values()) clearTimeout(timer);
    this.#socket?.close(1000, 'agent is stopping');
  }

  #dial(): void {
    let own: ClientOptions;
    try {
      own = this.#options.socket();
    } catch (error) {
      // credentials that are just being replaced: the node goes on without a link, and tries again
      this.#options.log.error({ error: describe(error) }, 'link cannot be dialled');
      this.#dialLater();
      return;
    }
    const socket = new WebSocket(this.#options.url, {
      maxPayload: maxControlBytes,
      perMessageDeflate: false,
      handshakeTimeout: 5000,
      ...own,
    });
    this.#socket = socket;
    socket.on('open', () => this.#opened());
    socket.on('message', (data, binary) => this.#message(data, binary));
    socket.on('ping', () => this.#heard());
    socket.on('error', error => this.#options.log.warn({ error: describe(error) }, 'link error'));
    socket.on('close', (code, reason) => this.#lost(socket, code, String(reason)));
  }

  #opened(): void {
    const { version, bootID } = this.#options;
    const known =
      this.#incarnation !== undefined && this.#revision !== undefined
        ? { incarnation: this.#incarnation, revision: this.#revision }
        : {};
    this.#send({ t: 'hello', protocol: protocolVersion, version, bootID, ...known });
    this.#heard();
  }

  #lost(socket: WebSocket, code: number, reason: string): void {
    if (this.#socket !== socket) return;
    clearTimeout(this.#watchdog);
    this.#outbox.disconnected();
    this.#collecting = undefined;
    for (const stream of [...this.#streams.values()]) stream.lost();
    for (const number of [...this.#tokens.keys()]) this.#answer(number, { error: 'the link to the controller broke' });
    this.#options.events.onDisconnected?.();
    if (this.#closed) return;
    this.#options.log.info({ code, reason, delay: this.#dialLater() }, 'link lost; dialling again');
  }

  /** @returns in how many milliseconds */
  #dialLater(): number {
    const delay = 50 + jittered(backoffDelay(reconnect, ++this.#attempts));
    this.#timer = setTimeout(() => this.#dial(), delay);
    return delay;
  }

  #pingMs = 10_000;
  /** The peer may vanish without a word: two silent ping periods, and the link is dead. */
  #heard(): void {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.#socket?.terminate(), this.#pingMs * 2.5);
  }

  #send(frame: UpFrame): void {
    if (this.connected) this.#socket?.send(JSON.stringify(frame));
  }

  #message(data: RawData, binary: boolean): void {
    this.#heard();
    try {
      if (binary) this.#streamData(data as Buffer);
      else this.#frame(parseDownFrame(String(data)));
    } catch (error) {
      this.#options.log.error({ error: describe(error) }, 'link: bad frame from the controller');
      this.#socket?.close(
        1008,
        error instanceof FrameError ? error.message.slice(0, 120) : 'frame could not be handled',
      );
    }
  }

  #streamData(data: Buffer): void {
    const { stream, channel, payload } = decodeStreamFrame(data);
    if (this.#streams.get(stream)?.receive(channel, payload) === false)
      throw new FrameError(`stream ${stream}: more data than credit`);
  }

  #frame(frame: DownFrame): void {
    switch (frame.t) {
      case 'welcome':
        return this.#welcome(frame.incarnation, frame.pingMs);
      case 'sync':
        return this.#sync(frame);
      case 'changes':
        return this.#changes(frame.changes, frame.revision);
      case 'ack':
        return this.#acknowledged(frame);
      case 'token':
        return this.#answer(frame.request, { token: frame.token, error: frame.error?.message });
      case 'open':
        return this.#open(frame.stream, frame.request);
      default:
        this.#streams.get(frame.stream)?.receiveControl(frame);
    }
  }

  #welcome(incarnation: string, pingMs: number): void {
    this.#attempts = 0;
    this.#pingMs = pingMs;
    // another database: nothing known before can be trusted as a base for a difference
    if (incarnation !== this.#incarnation) this.#revision = undefined;
    this.#incarnation = incarnation;
    this.#outbox.connected();
    this.#options.events.onConnected?.();
  }

  #sync({ objects, keep, last, revision }: Extract<DownFrame, { t: 'sync' }>): void {
    this.#collecting ??= new Desired();
    for (const object of objects) this.#collecting.put(object);
    for (const uid of keep) {
      const held = this.#desired.get(uid);
      if (held) this.#collecting.put(held);
    }
    if (!last) return;
    this.#desired = this.#collecting;
    this.#collecting = undefined;
    this.#revision = revision;
    this.#synced = true;
    this.#options.events.onSync(this.#desired.all());
  }

  #changes(changes: readonly DesiredChange[], revision: number): void {
    for (const change of changes) {
      if ('put' in change) {
        this.#desired.put(change.put);
        this.#options.events.onPut(change.put);
      } else {
        const { kind, namespace, name, uid } = change.gone;
        this.#desired.remove(uid);
        this.#options.events.onGone(kind, uid, namespace ? `${namespace}/${name}` : name);
      }
    }
    this.#revision = revision;
  }

  #acknowledged({ id, revision, error }: Extract<DownFrame, { t: 'ack' }>): void {
    const done = this.#outbox.acknowledged(id);
    if (!done) return;
    if (error && isPassing(error)) this.#reportLater(done.key, done.frame);
    if (error) this.#options.events.onRefused(done.key, done.frame, error);
    else this.#options.events.onAcknowledged?.(done.key, done.frame, revision ?? 0);
  }

  /** The controller could not store it now (a full disk, say): again in a while, unless there is something newer. */
  #reportLater(key: string, report: Report): void {
    if (this.#outbox.has(key)) return;
    this.#retries.set(
      key,
      setTimeout(() => this.report(key, report), retryReportMs),
    );
  }

  #open(id: number, request: StreamRequest): void {
    const stream = new LinkStream(
      id,
      { control: frame => this.#send(frame), data: frame => this.#socket?.send(frame, { binary: true }) },
      () => this.#streams.delete(id),
    );
    this.#streams.set(id, stream);
    this.#options.events.onStream(stream, request);
  }
}
