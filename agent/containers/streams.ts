/** Small pieces that exec and attach share: a promise with its levers, and sockets around raw descriptors. */
import { Socket } from 'node:net';

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
