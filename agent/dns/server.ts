/** The sockets of the cluster's DNS: UDP, and TCP with a length before each message (RFC 7766). */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Socket } from 'node:net';
import { describe } from '../../src/base/errors.js';
import type { Logger } from '../../src/base/log.js';
import type { Listener } from '../served/served-service.js';
import type { Resolver } from './resolver.js';

/** TCP connections at once, and how long one may be silent. */
const maxConnections = 256;
const idleMs = 10_000;
/** Queries that wait for others at once: beyond, they are dropped, and asked again by their clients. */
const maxWaiting = 2000;
/** Room for a burst of some thousand queries. */
const receiveBytes = 4 << 20;

/** @throws Error naming the address, if it cannot be listened on */
export async function listen(address: string, port: number, resolver: Resolver, log: Logger): Promise<Listener> {
  const udp = await listenUdp(address, port, resolver, log);
  try {
    const tcp = await listenTcp(address, port, resolver);
    return { close: async () => void (await Promise.all([closeUdp(udp), tcp.close()])) };
  } catch (error) {
    await closeUdp(udp);
    throw error;
  }
}

const closeUdp = (socket: UdpSocket): Promise<void> => new Promise(resolve => socket.close(() => resolve()));

function listenUdp(address: string, port: number, resolver: Resolver, log: Logger): Promise<UdpSocket> {
  const socket = createSocket({ type: address.includes(':') ? 'udp6' : 'udp4', recvBufferSize: receiveBytes });
  let waiting = 0;
  socket.on('message', (bytes, from) => {
    const reply = (response: Buffer): void => socket.send(response, from.port, from.address, () => {});
    const found = resolver.answer(bytes, false);
    if (found === undefined || (found instanceof Promise && waiting >= maxWaiting)) return;
    if (Buffer.isBuffer(found)) return reply(found);
    waiting++;
    void found.then(reply).finally(() => waiting--);
  });
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(port, address, () => {
      socket.off('error', reject);
      socket.on('error', error => log.warn({ error: describe(error) }, 'DNS by UDP'));
      resolve(socket);
    });
  });
}

async function listenTcp(address: string, port: number, resolver: Resolver): Promise<Listener> {
  const open = new Set<Socket>();
  const server = createServer(socket => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    serve(socket, resolver);
  });
  server.maxConnections = maxConnections;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, address, resolve);
  });
  return {
    close: async () => {
      for (const socket of open) socket.destroy();
      await new Promise<void>(resolve => server.close(() => resolve()));
    },
  };
}

function serve(socket: Socket, resolver: Resolver): void {
  let got = Buffer.alloc(0);
  let turn = Promise.resolve();
  socket.setTimeout(idleMs, () => socket.destroy());
  socket.on('error', () => socket.destroy());
  socket.on('data', part => {
    got = got.length > 0 ? Buffer.concat([got, part]) : part;
    while (got.length >= 2 && got.length >= 2 + got.readUInt16BE(0)) {
      const query = got.subarray(2, 2 + got.readUInt16BE(0));
      got = got.subarray(2 + query.length);
      // one after another: a client that sends faster than it is answered is read no further
      socket.pause();
      turn = turn.then(() => respond(socket, resolver, query)).finally(() => socket.resume());
    }
  });
}

async function respond(socket: Socket, resolver: Resolver, query: Buffer): Promise<void> {
  const response = await resolver.answer(query, true);
  if (!response) return void socket.destroy();
  const length = Buffer.alloc(2);
  length.writeUInt16BE(response.length);
  if (!socket.destroyed) socket.write(Buffer.concat([length, response]));
}
