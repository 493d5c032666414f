/** TCP connections of one Service address, carried to its endpoints. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { Family, ProxyEndpoint } from '../contract.js';
import { Balancer } from './balancer.js';

/** Of one address; more wait in the kernel's queue, or are refused. */
const maxConnections = 16_384;
/** How long an endpoint may take to accept before the next one is tried. */
const connectMs = 3_000;

export class TcpProxy {
  readonly #balancer = new Balancer();
  readonly #server: Server;
  /** By the client's socket. */
  readonly #connections = new Map<Socket, { endpoint: ProxyEndpoint; upstream: Socket }>();
  readonly #clients = new Set<Socket>();

  private constructor() {
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, client => {
      this.#clients.add(client);
      client.on('close', () => this.#clients.delete(client));
      client.on('error', () => client.destroy());
      void this.#carry(client);
    });
    this.#server.maxConnections = maxConnections;
  }

  static async open(family: Family): Promise<TcpProxy> {
    const proxy = new TcpProxy();
    const host = family === 'IPv4' ? '0.0.0.0' : '::';
    proxy.#server.listen({ port: 0, host, ipv6Only: family === 'IPv6', backlog: 1024 });
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections to an endpoint that is gone end; all others go on. */
  set(endpoints: readonly ProxyEndpoint[], affinitySeconds: number | undefined): void {
    this.#balancer.set(endpoints, affinitySeconds);
    for (const [client, { endpoint, upstream }] of this.#connections) {
      if (this.#balancer.has(endpoint)) continue;
      client.resetAndDestroy();
      upstream.destroy();
    }
  }

  close(): void {
    this.#server.close();
    for (const client of this.#clients) client.destroy();
  }

  /** To the first endpoint that accepts. */
  async #carry(client: Socket): Promise<void> {
    const name = client.remoteAddress ?? '';
    for (const endpoint of this.#balancer.order(name)) {
      const upstream = await dial(endpoint);
      if (client.destroyed) return void upstream?.destroy();
      if (!upstream) continue;
      this.#balancer.remember(name, endpoint);
      return this.#join(client, upstream, endpoint);
    }
    client.resetAndDestroy();
  }

  /** Each side's end is passed on; an error of one ends both. */
  #join(client: Socket, upstream: Socket, endpoint: ProxyEndpoint): void {
    this.#connections.set(client, { endpoint, upstream });
    client.on('close', () => {
      this.#connections.delete(client);
      upstream.destroy();
    });
    upstream.on('error', () => client.resetAndDestroy());
    upstream.on('close', () => client.destroySoon());
    client.pipe(upstream);
    upstream.pipe(client);
  }
}

/** Undefined if it does not accept. */
function dial({ address, port }: ProxyEndpoint): Promise<Socket | undefined> {
  const socket = connect({ host: address, port, allowHalfOpen: true, noDelay: true });
  return new Promise(resolve => {
    const give = (found: Socket | undefined) => {
      clearTimeout(timer);
      socket.removeAllListeners('error').removeAllListeners('connect');
      if (!found) socket.on('error', () => undefined).destroy();
      resolve(found);
    };
    const timer = setTimeout(() => give(undefined), connectMs);
    socket.once('connect', () => give(socket));
    socket.once('error', () => give(undefined));
  });
}
