/** One node's link on the controller: its interest, what it was told, its streams. */
import type { RawData, WebSocket } from 'ws';
import { describe } from '../base/errors.js';
import { failpoint } from '../base/failpoint.js';
import type { KubeObject } from '../kube/meta.js';
import type { Pod } from '../kube/pod.js';
import { failure, StatusError } from '../kube/status.js';
import {
  type DesiredChange,
  type DownFrame,
  decodeStreamFrame,
  maxStreamsPerNode,
  protocolVersion,
  type StreamRequest,
  type UpFrame,
} from './frames.js';
import type { HubChange, HubOptions } from './hub.js';
import { isPodOf, nameOfObject, type ObjectName, referencesOf, sameForNode } from './interest.js';
import { FrameError, parseUpFrame } from './parse.js';
import { isShared, sameForAll, sharedKinds, sharedText } from './shared.js';
import { LinkStream } from './stream.js';

/** Bytes of objects per sync frame, so that no frame nears the limit. */
const syncBytes = 1024 * 1024;
/** Above this many unsent bytes changes are collected as newest-state-of-key instead of queued. */
const highWaterBytes = 1024 * 1024;
/** A connection that has not said hello by then is closed. */
const helloMs = 5000;

export class HubConnection {
  readonly #socket: WebSocket;
  readonly #options: HubOptions & { pingMs: number };
  readonly #streams = new Map<number, LinkStream>();
  #nextStream = 1;
  #ready = false;
  #alive = true;
  readonly #timer: NodeJS.Timeout;
  readonly #helloTimer: NodeJS.Timeout;
  /** UIDs of this node's pods → what they refer to. */
  readonly #pods = new Map<string, ReadonlySet<ObjectName>>();
  /** What the node holds, by name. */
  readonly #told = new Map<ObjectName, string>();
  /** Newest unsent change per object; sent in insertion order. */
  #pending = new Map<ObjectName, DesiredChange>();
  #pendingRevision = 0;
  #flushing = false;

  constructor(
    socket: WebSocket,
    readonly node: string,
    options: HubOptions & { pingMs: number },
    readonly onClosed: () => void,
  ) {
    this.#socket = socket;
    this.#options = options;
    socket.on('message', (data, binary) => this.#message(data, binary));
    socket.on('pong', () => {
      this.#alive = true;
    });
    socket.on('error', error => options.log.warn({ node, error: describe(error) }, 'link error'));
    socket.on('close', (code, reason) => this.#closed(code, String(reason)));
    this.#timer = setInterval(() => this.#ping(), options.pingMs);
    this.#helloTimer = setTimeout(() => {
      if (!this.#ready) this.close(4002, 'no hello frame in time');
    }, helloMs);
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason.slice(0, 120));
  }

  /** Throws StatusError 429 when the node serves as many as it may. */
  open(request: StreamRequest): LinkStream {
    if (this.#streams.size >= maxStreamsPerNode)
      throw failure(
        429,
        'TooManyRequests',
        `node ${JSON.stringify(this.node)} serves ${this.#streams.size} streams, the most allowed; end some (logs -f, exec, attach, port-forward) or try again later`,
        { retryAfterSeconds: 1 },
      );
    const id = this.#nextStream++;
    const stream = new LinkStream(
      id,
      { control: frame => this.#send(frame), data: frame => this.#socket.send(frame, { binary: true }) },
      () => this.#streams.delete(id),
    );
    this.#streams.set(id, stream);
    this.#send({ t: 'open', stream: id, request });
    return stream;
  }

  /** A change of the cache: is it this node's business? */
  change(change: HubChange): void {
    if (!this.#ready) return;
    const { object, deleted } = change;
    const name = nameOfObject(object);
    if (object.kind === 'Pod') this.#podChange(change, name);
    else if (isShared(object.kind) ? this.#concerns(change, name) : this.#isReferenced(name)) {
      this.#queue(name, deleted ? goneOf(object) : { put: object }, change.revision);
    }
  }

  /** A node sees all of itself, and of what all are told only what matters. */
  #concerns({ object, previous, deleted }: HubChange, name: ObjectName): boolean {
    if (this.#isOwn(object) || deleted || !previous || !this.#told.has(name)) return true;
    return !sameForAll(previous, object);
  }

  #isOwn({ kind, metadata }: KubeObject): boolean {
    return kind === 'Node' && metadata.name === this.node;
  }

  #text(object: KubeObject): string {
    return isShared(object.kind) && !this.#isOwn(object) ? sharedText(object) : JSON.stringify(object);
  }

  #podChange({ object, previous, deleted, revision }: HubChange, name: ObjectName): void {
    const pod = object as Pod;
    const uid = pod.metadata.uid ?? '';
    if (deleted || !isPodOf(pod, this.node)) {
      const references = this.#pods.get(uid);
      if (!references) return;
      this.#pods.delete(uid);
      this.#queue(name, goneOf(pod), revision);
      return this.#dropReferences(references, revision);
    }
    if (this.#pods.has(uid) && previous && sameForNode(previous as Pod, pod)) return;
    const references = referencesOf(pod);
    this.#pods.set(uid, references);
    for (const reference of references) this.#tellReference(reference, revision);
    this.#queue(name, { put: pod }, revision);
  }

  /** What a pod names goes before the pod itself. */
  #tellReference(name: ObjectName, revision: number): void {
    if (this.#told.has(name)) return;
    const [kind = '', namespace, object = ''] = name.split('/');
    const found = this.#options.view.get(kind as 'ConfigMap' | 'Secret', namespace, object);
    if (found) this.#queue(name, { put: found }, revision);
  }

  /** What no pod names any more is not kept up to date: the node must forget it, or a later pod would see it as it was. */
  #dropReferences(references: Iterable<ObjectName>, revision: number): void {
    for (const reference of references) {
      const uid = this.#told.get(reference);
      if (uid === undefined || this.#isReferenced(reference)) continue;
      const [kind = '', namespace = '', name = ''] = reference.split('/');
      this.#queue(reference, { gone: { kind, namespace, name, uid } }, revision);
    }
  }

  #isReferenced(name: ObjectName): boolean {
    for (const references of this.#pods.values()) if (references.has(name)) return true;
    return false;
  }

  #queue(name: ObjectName, change: DesiredChange, revision: number): void {
    if ('put' in change) this.#told.set(name, change.put.metadata.uid ?? '');
    else this.#told.delete(name);
    // last state wins, and takes the latest place in the order
    this.#pending.delete(name);
    this.#pending.set(name, change);
    this.#pendingRevision = revision;
    this.#flushSoon();
  }

  #flushSoon(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#flushing = false;
    if (this.#pending.size === 0 || this.#socket.readyState !== 1) return;
    if (this.#socket.bufferedAmount > highWaterBytes) {
      this.#flushing = true;
      setTimeout(() => this.#flush(), 20);
      return;
    }
    const changes = [...this.#pending.values()].map(change =>
      'put' in change ? `{"put":${this.#text(change.put)}}` : JSON.stringify(change),
    );
    this.#pending = new Map();
    this.#socket.send(`{"t":"changes","revision":${this.#pendingRevision},"changes":[${changes.join(',')}]}`);
  }

  #message(data: RawData, binary: boolean): void {
    try {
      if (binary) this.#streamData(data as Buffer);
      else this.#frame(parseUpFrame(String(data)));
    } catch (error) {
      const reason =
        error instanceof FrameError || error instanceof RangeError ? error.message : 'frame could not be handled';
      this.#options.log.warn({ node: this.node, error: describe(error) }, 'link closed for a bad frame');
      this.close(1008, reason);
    }
  }

  #streamData(data: Buffer): void {
    const { stream, channel, payload } = decodeStreamFrame(data);
    if (this.#streams.get(stream)?.receive(channel, payload) === false)
      throw new FrameError(`stream ${stream}: more data than credit`);
  }

  #frame(frame: UpFrame): void {
    if (frame.t === 'hello') return this.#hello(frame);
    if (!this.#ready) throw new FrameError(`${frame.t} frame before hello`);
    switch (frame.t) {
      case 'credit':
      case 'end':
      case 'close':
        return this.#streams.get(frame.stream)?.receiveControl(frame);
      case 'tokenRequest':
        return void this.#token(frame);
      case 'stats':
        return this.#options.onStats?.(this.node, frame.stats);
      default:
        void this.#store(frame);
    }
  }

  async #store(frame: Extract<UpFrame, { id: number }>): Promise<void> {
    try {
      const revision = await this.#apply(frame);
      await failpoint('link.beforeAck');
      this.#send({ t: 'ack', id: frame.id, revision });
    } catch (error) {
      if (!(error instanceof StatusError))
        this.#options.log.error({ node: this.node, frame: frame.t, error: describe(error) }, 'node report failed');
      const status =
        error instanceof StatusError
          ? error.status
          : failure(500, 'InternalError', 'the report could not be stored').status;
      this.#send({ t: 'ack', id: frame.id, error: status });
    }
  }

  async #token({ request, ...wanted }: Extract<UpFrame, { t: 'tokenRequest' }>): Promise<void> {
    try {
      this.#send({ t: 'token', request, token: await this.#options.sink.token(this.node, wanted) });
    } catch (error) {
      if (!(error instanceof StatusError))
        this.#options.log.error({ node: this.node, error: describe(error) }, 'token request failed');
      const known = error instanceof StatusError;
      const status = known ? error.status : failure(500, 'InternalError', 'the token could not be made').status;
      this.#send({ t: 'token', request, error: status });
    }
  }

  #apply(frame: Extract<UpFrame, { id: number }>): Promise<number> {
    const { sink } = this.#options;
    switch (frame.t) {
      case 'node':
        return sink.node(this.node, frame.node);
      case 'heartbeat':
        return sink.heartbeat(this.node);
      case 'podStatus':
        return sink.podStatus(this.node, frame, frame.status);
      case 'podGone':
        return sink.podGone(this.node, frame, frame.status);
      case 'mirror':
        return sink.mirror(this.node, frame.pod);
      case 'event':
        return sink.event(this.node, frame.event);
    }
  }

  #hello(frame: Extract<UpFrame, { t: 'hello' }>): void {
    if (this.#ready) throw new FrameError('a second hello frame');
    if (frame.protocol !== protocolVersion)
      throw new FrameError(`protocol ${frame.protocol}; this controller speaks ${protocolVersion}`);
    clearTimeout(this.#helloTimer);
    this.#ready = true;
    const { view, pingMs } = this.#options;
    this.#send({ t: 'welcome', protocol: protocolVersion, node: this.node, incarnation: view.incarnation, pingMs });
    const known =
      frame.incarnation === view.incarnation && frame.revision !== undefined && frame.revision <= view.revision
        ? frame.revision
        : -1;
    this.#sync(known);
  }

  /** Full set for `known` -1, else only what changed since (and what pods that changed refer to), the rest by UID. */
  #sync(known: number): void {
    const { view } = this.#options;
    const send = new Map<ObjectName, KubeObject>();
    const keep: string[] = [];
    const tell = (object: KubeObject, force: boolean) => {
      const name = nameOfObject(object);
      this.#told.set(name, object.metadata.uid ?? '');
      if (force || Number(object.metadata.resourceVersion) > known) send.set(name, object);
      else keep.push(object.metadata.uid ?? '');
    };
    for (const kind of sharedKinds) for (const object of view.list(kind)) tell(object, false);
    for (const object of view.list('Pod')) {
      if (!isPodOf(object, this.node)) continue;
      const references = referencesOf(object as Pod);
      this.#pods.set(object.metadata.uid ?? '', references);
      const changed = Number(object.metadata.resourceVersion) > known;
      for (const reference of references) {
        const [kind = '', namespace, name = ''] = reference.split('/');
        const found = view.get(kind as 'ConfigMap' | 'Secret', namespace, name);
        if (found && !send.has(reference)) tell(found, changed);
      }
      tell(object, false);
    }
    this.#sendSync([...send.values()], keep);
  }

  #sendSync(objects: readonly KubeObject[], keep: readonly string[]): void {
    const { revision } = this.#options.view;
    let texts: string[] = [];
    let bytes = 0;
    const flush = (last: boolean) => {
      const kept = JSON.stringify(last ? keep : []);
      if (this.#socket.readyState === 1)
        this.#socket.send(
          `{"t":"sync","revision":${revision},"objects":[${texts.join(',')}],"keep":${kept},"last":${last}}`,
        );
      texts = [];
      bytes = 0;
    };
    for (const object of objects) {
      const text = this.#text(object);
      if (bytes + text.length > syncBytes && texts.length > 0) flush(false);
      texts.push(text);
      bytes += text.length;
    }
    flush(true);
  }

  #send(frame: DownFrame): void {
    if (this.#socket.readyState === 1) this.#socket.send(JSON.stringify(frame));
  }

  #ping(): void {
    if (!this.#alive) {
      this.#options.log.warn({ node: this.node }, 'link is silent: closed');
      this.#socket.terminate();
      return;
    }
    this.#alive = false;
    this.#socket.ping();
  }

  #closed(code: number, reason: string): void {
    clearInterval(this.#timer);
    clearTimeout(this.#helloTimer);
    this.#ready = false;
    for (const stream of [...this.#streams.values()]) stream.lost();
    this.#options.log.info({ node: this.node, code, reason }, 'link closed');
    this.onClosed();
  }
}

function goneOf(object: KubeObject): DesiredChange {
  const { namespace, name, uid = '' } = object.metadata;
  return { gone: { kind: object.kind, ...(namespace && { namespace }), name, uid } };
}
