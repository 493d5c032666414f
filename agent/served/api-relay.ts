/**
 * The API at the address of the Service default/kubernetes: bytes are passed on to wherever this node reaches its
 * controller, a unix socket perhaps. TLS ends there, not here, so pods check the API's own certificate.
 */
import { type AddressInfo, connect, createServer, type NetConnectOpts, type Socket } from 'node:net';
import { runNft } from '../../src/base/nft.js';
import type { Listener } from './served-service.js';

const servicePort = 443;
const maxConnections = 1000;
export const servedTable = 'keelson_served';

/**
 * The socket is at another port: one that listens at 443 would keep every web server of the node from listening there at
 * all addresses. Packets of pods (prerouting) and of the node itself (output) are led to it. Pure.
 */
export function leadTo(address: string, port: number): string {
  const [family, target] = address.includes(':') ? ['ip6', `[${address}]`] : ['ip', address];
  const rule = `${family} daddr ${address} tcp dport ${servicePort} dnat to ${target}:${port}`;
  return [
    removeServed,
    `table ${family} ${servedTable} {`,
    `chain prerouting { type nat hook prerouting priority -105; ${rule}; }`,
    `chain output { type nat hook output priority -105; ${rule}; }`,
    '}',
    '',
  ].join('\n');
}

const removeServed = ['ip', 'ip6']
  .map(family => `add table ${family} ${servedTable}\ndelete table ${family} ${servedTable}\n`)
  .join('');

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
    server.listen(0, address, resolve);
  });
  await runNft(leadTo(address, (server.address() as AddressInfo).port));
  return {
    close: async () => {
      await runNft(removeServed).catch(() => {});
      for (const socket of open) socket.destroy();
      await new Promise<void>(resolve => server.close(() => resolve()));
    },
  };
}
