/**
 * The server's end of one SPDY/3.1 connection over any byte stream: a socket after its upgrade, or the messages of a
 * WebSocket. Clients open streams; each is read in order, one frame at a time, and a stream whose reader falls behind stops
 * the connection: memory stays bounded without frames of flow control, which clients of Kubernetes do not send.
 */
import type { Duplex } from 'node:stream';
import {
  dataChunkBytes,
  encodeData,
  encodeGoAway,
  encodePing,
  encodeReset,
  encodeSynReply,
  resetCodes,
  SpdyDecoder,
  SpdyError,
  type SpdyFrame,
} from './frames.js';
import { HeaderReader, HeaderWriter, type SpdyHeaders } from './headers.js';

/** Open streams of one connection; a forwarded connection has two. */
export const maxStreams = 512;
/** Data of one stream that its reader has not taken yet. */
const streamBacklogBytes = 256 * 1024;
/** The same for all streams together. */
const totalBacklogBytes = 4 * 1024 * 1024;
const pingMs = 20_000;

export interface SpdyStreamEvents {
  /** Resolve when the data has been taken. */
  onData(data: Buffer): Promise<void> | void;
  /** The client sends no more. */
  onEnd(): void;
  /** The client wants no more of it, or the connection is gone. Not after both sides have ended. */
  onReset(): void;
}

export interface SpdyConnectionEvents {
  /** A new stream, already answered: call `listen` at once. */
  onStream(stream: SpdyStream): void;
  /** Once. With the reason if the client broke the protocol. */
  onClose(error?: Error): void;
}

export class SpdyStream {
  #events: SpdyStreamEvents | undefined;
  #taken: Promise<unknown> = Promise.resolve();
  #backlog = 0;
  #localEnded = false;
  #remoteEnded = false;
  #gone = false;

  constructor(
    readonly connection: SpdyConnection,
    readonly id: number,
    readonly headers: SpdyHeaders,
  ) {}

  listen(events: SpdyStreamEvents): void {
    this.#events = events;
  }

  /** Resolves when the connection can take more; rejects when the stream is over. Concurrent writes keep their order. */
  async write(data: Uint8Array): Promise<void> {
    if (this.#gone || this.#localEnded) throw new Error(`stream ${this.id} is closed`);
    let sent: Promise<void> = Promise.resolve();
    // no await in between: another write must not get among these pieces
    for (let at = 0; at < data.length; at += dataChunkBytes)
      sent = this.connection.send(encodeData(this.id, data.subarray(at, at + dataChunkBytes), false));
    await sent;
  }

  /** No more data from here. */
  end(): void {
    if (this.#gone || this.#localEnded) return;
    this.#localEnded = true;
    void this.connection.send(encodeData(this.id, new Uint8Array(), true));
    this.#settle();
  }

  reset(code: number = resetCodes.cancel): void {
    if (this.#gone) return;
    void this.connection.send(encodeReset(this.id, code));
    this.#leave();
  }

  /** From the connection. Resolves when the connection may read on. */
  receive(data: Buffer, fin: boolean): Promise<unknown> | undefined {
    if (this.#remoteEnded) throw new SpdyError(`data on stream ${this.id} after its end`);
    if (data.length > 0) this.#queue(data);
    if (fin) this.#ended();
    return this.#backlog > streamBacklogBytes ? this.#taken : undefined;
  }

  /** From the connection: RST_STREAM, or the end of everything. */
  lost(): void {
    if (this.#gone) return;
    this.#leave();
    this.#events?.onReset();
  }

  #queue(data: Buffer): void {
    this.#backlog += data.length;
    this.connection.backlog += data.length;
    this.#taken = this.#taken
      .then(() => (this.#gone ? undefined : this.#events?.onData(data)))
      .catch(() => this.reset(resetCodes.internalError))
      .finally(() => {
        this.#backlog -= data.length;
        this.connection.backlog -= data.length;
      });
  }

  #ended(): void {
    this.#remoteEnded = true;
    const told = this.#taken.then(() => (this.#gone ? undefined : this.#events?.onEnd()));
    this.#taken = told.then(() => this.#settle());
  }

  /** Both sides have said all: the stream makes room for another one. */
  #settle(): void {
    if (this.#localEnded && this.#remoteEnded && !this.#gone) this.#leave();
  }

  #leave(): void {
    this.#gone = true;
    this.connection.forget(this);
  }
}

export class SpdyConnection {
  /** Bytes of all streams that nobody has taken yet. */
  backlog = 0;
  readonly #socket: Duplex;
  readonly #events: SpdyConnectionEvents;
  readonly #streams = new Map<number, SpdyStream>();
  readonly #decoder = new SpdyDecoder();
  readonly #reader = new HeaderReader();
  readonly #writer = new HeaderWriter();
  readonly #timer: NodeJS.Timeout;
  #lastStream = 0;
  #heard = true;
  #pings = 0;
  #closed = false;

  /** @param head bytes that came with the upgrade */
  constructor(socket: Duplex, head: Buffer, events: SpdyConnectionEvents) {
    this.#socket = socket;
    this.#events = events;
    // one waiter per write that the socket could not take
    socket.setMaxListeners(0);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#finish());
    this.#timer = setInterval(() => this.#ping(), pingMs);
    void this.#run(head);
  }

  /** Resolves when the socket can take more, or is gone. */
  send(frame: Buffer): Promise<void> {
    if (this.#closed || this.#socket.destroyed || this.#socket.write(frame)) return Promise.resolve();
    return new Promise(resolve => {
      const go = (): void => {
        this.#socket.off('drain', go);
        this.#socket.off('close', go);
        resolve();
      };
      this.#socket.on('drain', go);
      this.#socket.on('close', go);
    });
  }

  /** Says goodbye after what was written before; a client that does not go is cut off. */
  close(): void {
    if (this.#closed || this.#socket.destroyed) return;
    this.#socket.end(encodeGoAway(this.#lastStream));
    const cut = setTimeout(() => this.#socket.destroy(), closeMs);
    this.#socket.once('close', () => clearTimeout(cut));
  }

  forget(stream: SpdyStream): void {
    this.#streams.delete(stream.id);
  }

  async #run(head: Buffer): Promise<void> {
    try {
      await this.#read(head);
      for await (const chunk of this.#socket as AsyncIterable<Buffer>) await this.#read(chunk);
      this.#socket.end();
    } catch (error) {
      this.#finish(error instanceof SpdyError ? error : undefined);
      this.#socket.destroy();
    }
  }

  async #read(chunk: Buffer): Promise<void> {
    this.#heard = true;
    for (const frame of this.#decoder.push(chunk)) await this.#frame(frame);
  }

  async #frame(frame: SpdyFrame): Promise<void> {
    switch (frame.type) {
      case 'data':
        return this.#data(frame.stream, frame.data, frame.fin);
      case 'synStream':
        return this.#open(frame.stream, await this.#reader.read(frame.block), frame.fin);
      case 'headers':
      case 'synReply':
        // without meaning here; but their headers are part of the one compressed stream
        await this.#reader.read(frame.block);
        return;
      case 'reset':
        return this.#streams.get(frame.stream)?.lost();
      case 'ping':
        // odd ones are the client's; even ones are the answers to ours
        if (frame.id % 2 === 1) await this.send(encodePing(frame.id));
        return;
      default:
        return;
    }
  }

  async #data(id: number, data: Buffer, fin: boolean): Promise<void> {
    const stream = this.#streams.get(id);
    // one that was reset a moment ago; data for what never was ends the connection
    if (!stream && id > this.#lastStream) throw new SpdyError(`data on stream ${id}, which was never opened`);
    const slow = stream?.receive(data, fin);
    if (slow) await slow;
    while (this.backlog > totalBacklogBytes && !this.#closed) await new Promise(resolve => setTimeout(resolve, 5));
  }

  #open(id: number, headers: SpdyHeaders, fin: boolean): void {
    if (id % 2 === 0 || id <= this.#lastStream)
      throw new SpdyError(`stream ${id} after ${this.#lastStream}: clients use odd, rising numbers`);
    this.#lastStream = id;
    if (this.#streams.size >= maxStreams) return void this.send(encodeReset(id, resetCodes.refusedStream));
    const stream = new SpdyStream(this, id, headers);
    this.#streams.set(id, stream);
    void this.send(encodeSynReply(id, this.#writer.write()));
    this.#events.onStream(stream);
    if (fin) void stream.receive(Buffer.alloc(0), true);
  }

  /** Nothing at all came since the last ping: the other side is gone, whatever TCP thinks. */
  #ping(): void {
    if (!this.#heard) return void this.#socket.destroy();
    this.#heard = false;
    this.#pings += 2;
    void this.send(encodePing(this.#pings));
  }

  #finish(error?: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    this.#reader.close();
    for (const stream of [...this.#streams.values()]) stream.lost();
    this.#events.onClose(error);
  }
}

const closeMs = 2000;
