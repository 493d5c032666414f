/** Small pieces that exec, attach and port-forward share: a promise with its levers, sockets around raw descriptors, copying. */
import { Socket } from 'node:net';
import type { LinkStream } from '../../src/link/stream.js';

export interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
}

/** A promise settled from outside; an unobserved rejection is not an unhandled one. */
export function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  promise.catch(() => {});
  return { promise, resolve, reject };
}

/** Takes ownership of a descriptor of a stream socket. A peer that went away is an end, not an error. */
export function socketOf(fd: number): Socket {
  const socket = new Socket({ fd, readable: true, writable: true, allowHalfOpen: true });
  socket.on('error', () => socket.destroy());
  return socket;
}

/** The same for a connection whose failure is somebody's news: its errors are left to the caller. */
export function tcpSocketOf(fd: number): Socket {
  return new Socket({ fd, readable: true, writable: true, allowHalfOpen: true });
}

/** Copies until the end; rejects if the stream closes before. @param number channel of the stream */
export async function pump(from: NodeJS.ReadableStream, stream: LinkStream, number: number): Promise<void> {
  for await (const part of from) await stream.write(number, part as Buffer);
}

/** Resolves when it has been written, or never can be: who has closed its input must not hold the stream up. */
export function writeTo(to: NodeJS.WritableStream, data: Buffer): Promise<void> {
  return new Promise(resolve => {
    to.write(data, () => resolve());
  });
}
