/** Clients of a container's shim, over its unix socket: attach, log reopening, liveness. */
import { connect, type Socket } from 'node:net';
import { PassThrough, Writable } from 'node:stream';
import type { ContainerStreams } from './contract.js';
import { deferred } from './streams.js';
import { encodeFrame, FrameDecoder, maxPayload, parseExit, resizeFrame, type ShimFrame } from './wire.js';

const wantsOutput = 1;
const wantsStdin = 2;

/** Every answer of the shim is immediate; it does nothing else that could take long. */
const answerMs = 5000;

function open(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    socket.once('connect', () => resolve(socket));
    socket.once('error', reject);
  });
}

/** Sends one frame and resolves with the first answer. Rejects if the shim is gone or silent. */
export async function askShim(path: string, type: string): Promise<ShimFrame> {
  const socket = await open(path);
  const answer = deferred<ShimFrame>();
  const decoder = new FrameDecoder();
  socket.setTimeout(answerMs, () =>
    answer.reject(new Error(`shim at ${path} did not answer "${type}" in ${answerMs} ms`)),
  );
  socket.on('data', chunk => decoder.push(chunk).slice(0, 1).forEach(answer.resolve));
  socket.on('error', answer.reject);
  socket.on('close', () => answer.reject(new Error(`shim at ${path} closed the connection`)));
  socket.write(encodeFrame(type));
  try {
    return await answer.promise;
  } finally {
    socket.destroy();
  }
}

/** Cuts what is written into frames; the end of it becomes the end-of-stdin frame. */
function stdinOf(socket: Socket): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      let last = true;
      for (let at = 0; at < chunk.length; at += maxPayload)
        last = socket.write(encodeFrame('I', chunk.subarray(at, at + maxPayload)));
      if (last || socket.destroyed) done();
      else socket.once('drain', () => done());
    },
    final(done) {
      socket.write(encodeFrame('C'));
      done();
    },
  });
}

export async function attachToContainer(
  path: string,
  { stdin, tty }: { readonly stdin: boolean; readonly tty: boolean },
): Promise<ContainerStreams> {
  const socket = await open(path);
  const stdout = new PassThrough();
  const stderr = tty ? undefined : new PassThrough();
  const exited = deferred<Awaited<ContainerStreams['exited']>>();
  const decoder = new FrameDecoder();
  const take = ({ type, payload }: ShimFrame) => {
    if (type === 'x') exited.resolve(parseExit(payload));
    const target = type === 'o' ? stdout : type === 'e' ? (stderr ?? stdout) : undefined;
    // a slow reader stops the socket; the shim then drops this client, never the container
    if (target && !target.write(payload)) {
      socket.pause();
      target.once('drain', () => socket.resume());
    }
  };
  socket.on('data', chunk => decoder.push(chunk).forEach(take));
  socket.on('error', () => socket.destroy());
  socket.on('close', () => {
    stdout.end();
    stderr?.end();
    exited.reject(new Error('detached'));
  });
  socket.write(encodeFrame('A', Uint8Array.of(wantsOutput | (stdin ? wantsStdin : 0))));
  return {
    ...(stdin && { stdin: stdinOf(socket) }),
    stdout,
    ...(stderr && { stderr }),
    resize: (columns, rows) => void (socket.destroyed || socket.write(resizeFrame(columns, rows))),
    exited: exited.promise,
    close: () => socket.destroy(),
  };
}
