/** Answers load balancers whether this node serves a Service with externalTrafficPolicy Local, as kube-proxy does. */
import { createServer, type Server } from 'node:http';
import { describe } from '../../src/base/errors.js';
import type { Logger } from '../../src/base/log.js';
import type { HealthPort } from './contract.js';

export class HealthServers {
  readonly #log: Logger;
  readonly #servers = new Map<number, Server>();
  readonly #retryMs: number;
  #ports = new Map<number, HealthPort>();
  #retry: NodeJS.Timeout | undefined;

  /** @param retryMs somebody else may have a port for a while */
  constructor(log: Logger, retryMs = 5000) {
    this.#log = log;
    this.#retryMs = retryMs;
  }

  /** Opens and closes ports as they come and go. */
  set(ports: readonly HealthPort[]): void {
    this.#ports = new Map(ports.map(health => [health.port, health]));
    for (const [port, server] of this.#servers) if (!this.#ports.has(port)) this.#end(port, server);
    for (const port of this.#ports.keys()) if (!this.#servers.has(port)) this.#listen(port);
  }

  async close(): Promise<void> {
    clearTimeout(this.#retry);
    for (const [port, server] of this.#servers) this.#end(port, server);
  }

  #end(port: number, server: Server): void {
    this.#servers.delete(port);
    server.close();
    server.closeAllConnections();
  }

  #listen(port: number): void {
    const server = createServer((_, response) => {
      const health = this.#ports.get(port);
      const [namespace = '', name = ''] = (health?.service ?? '').split('/');
      const count = health?.localEndpoints ?? 0;
      response.writeHead(count > 0 ? 200 : 503, {
        'content-type': 'application/json',
        'x-content-type-options': 'nosniff',
        'x-load-balancing-endpoint-weight': String(count),
      });
      response.end(JSON.stringify({ service: { namespace, name }, localEndpoints: count, serviceProxyHealthy: true }));
    });
    this.#servers.set(port, server);
    server.on('error', error => {
      if (this.#servers.get(port) !== server) return;
      this.#servers.delete(port);
      this.#log.warn({ port, error: describe(error) }, 'a health check node port cannot be opened: is it taken?');
      clearTimeout(this.#retry);
      this.#retry = setTimeout(() => this.set([...this.#ports.values()]), this.#retryMs);
    });
    server.listen(port);
  }
}
