/**
 * The API at the address of the Service default/kubernetes: bytes are passed on to wherever this node reaches its
 * controller, a unix socket perhaps. TLS ends there, not here, so pods check the API's own certificate.
 */
import { connect, createServer, type NetConnectOpts, type Socket } from 'node:net';
import type { Listener } from './served-service.js';

const port = 443;
const maxConnections = 1000;

/** @param target is asked for with every connection: credentials are renewed. @throws Error if the port is taken */
export async function listenForApi(address: string, target: () => NetConnectOpts): Promise<Listener> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, client => {
    const api = connect({ allowHalfOpen: true, ...target() });
    for (const [from, to] of [
      [client, api],
      [api, client],
    ] as const) {
      open.add(from);
      from.once('close', () => {
        open.delete(from);
        to.destroy();
      });
      from.on('error', () => from.destroy());
      from.setKeepAlive(true, 30_000);
      from.pipe(to);
    }
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
