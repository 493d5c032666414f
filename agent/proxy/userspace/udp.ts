/** UDP of one Service address: each client has a socket of its own to its endpoint, until both are silent for a while. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { Family, ProxyEndpoint } from '../contract.js';
import { Balancer } from './balancer.js';

/** Without a datagram from either side. */
const idleMs = 60_000;
/** Of one address; the one that was silent longest ends for a new one. */
const maxSessions = 4_096;

interface Session {
  readonly endpoint: ProxyEndpoint;
  readonly socket: Socket;
  at: number;
}

export class UdpProxy {
  readonly #balancer = new Balancer();
  /** On all addresses, and on the loopback's: what the node itself sends must be answered from where it was led to. */
  readonly #sockets: readonly [Socket, Socket];
  readonly #type: 'udp4' | 'udp6';
  /** By client, `10.244.0.5 41000`; those silent longest first. */
  readonly #sessions = new Map<string, Session>();
  readonly #sweep: NodeJS.Timeout;

  private constructor(family: Family) {
    this.#type = family === 'IPv4' ? 'udp4' : 'udp6';
    const open = () => createSocket({ type: this.#type, ipv6Only: family === 'IPv6', reuseAddr: true });
    this.#sockets = [open(), open()];
    for (const socket of this.#sockets) {
      socket.on('error', () => undefined);
      socket.on('message', (message, from) => this.#receive(socket, message, from.address, from.port));
    }
    this.#sweep = setInterval(() => this.#endIdle(), idleMs / 4);
    this.#sweep.unref();
  }

  static async open(family: Family): Promise<UdpProxy> {
    const proxy = new UdpProxy(family);
    const [everywhere, loopback] = proxy.#sockets;
    everywhere.bind(0);
    await once(everywhere, 'listening');
    loopback.bind(proxy.port, family === 'IPv4' ? '127.0.0.1' : '::1');
    await once(loopback, 'listening');
    return proxy;
  }

  get port(): number {
    return this.#sockets[0].address().port;
  }

  set(endpoints: readonly ProxyEndpoint[], affinitySeconds: number | undefined): void {
    this.#balancer.set(endpoints, affinitySeconds);
    for (const [client, { endpoint }] of this.#sessions) if (!this.#balancer.has(endpoint)) this.#end(client);
  }

  close(): void {
    clearInterval(this.#sweep);
    for (const client of [...this.#sessions.keys()]) this.#end(client);
    for (const socket of this.#sockets) socket.close();
  }

  #receive(own: Socket, message: Buffer, address: string, port: number): void {
    const client = `${address} ${port}`;
    const session = this.#sessions.get(client) ?? this.#begin(own, client, address, port);
    if (!session) return;
    this.#touch(client, session);
    session.socket.send(message, session.endpoint.port, session.endpoint.address, () => undefined);
  }

  #begin(own: Socket, client: string, address: string, port: number): Session | undefined {
    const [endpoint] = this.#balancer.order(address);
    if (!endpoint) return undefined;
    this.#balancer.remember(address, endpoint);
    const socket = createSocket(this.#type);
    const session = { endpoint, socket, at: Date.now() };
    socket.on('error', () => this.#end(client));
    socket.on('message', (answer, from) => {
      if (from.port !== endpoint.port || from.address !== endpoint.address) return;
      this.#touch(client, session);
      own.send(answer, port, address, () => undefined);
    });
    const [oldest] = this.#sessions.keys();
    if (this.#sessions.size >= maxSessions && oldest !== undefined) this.#end(oldest);
    return session;
  }

  #touch(client: string, session: Session): void {
    session.at = Date.now();
    this.#sessions.delete(client);
    this.#sessions.set(client, session);
  }

  #end(client: string): void {
    const session = this.#sessions.get(client);
    this.#sessions.delete(client);
    session?.socket.close();
  }

  #endIdle(): void {
    const oldest = Date.now() - idleMs;
    for (const [client, { at }] of this.#sessions) {
      if (at > oldest) return;
      this.#end(client);
    }
  }
}
