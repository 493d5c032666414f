/** Which endpoint the next client gets: one after another, or the one that it had. Pure but for the clock it is given. */
import type { ProxyEndpoint } from '../contract.js';

/** Clients that are remembered at most; the one that came longest ago is forgotten first. */
const maxClients = 65_536;

export const endpointName = ({ address, port }: ProxyEndpoint): string => `${address} ${port}`;

export class Balancer {
  #endpoints: readonly ProxyEndpoint[] = [];
  #names = new Set<string>();
  #affinityMs: number | undefined;
  #next = 0;
  readonly #clients = new Map<string, { endpoint: ProxyEndpoint; at: number }>();

  constructor(readonly now: () => number = Date.now) {}

  set(endpoints: readonly ProxyEndpoint[], affinitySeconds: number | undefined): void {
    this.#endpoints = endpoints;
    this.#names = new Set(endpoints.map(endpointName));
    this.#affinityMs = affinitySeconds === undefined ? undefined : affinitySeconds * 1000;
    if (affinitySeconds === undefined) this.#clients.clear();
    for (const [client, { endpoint }] of this.#clients)
      if (!this.#names.has(endpointName(endpoint))) this.#clients.delete(client);
  }

  has(endpoint: ProxyEndpoint): boolean {
    return this.#names.has(endpointName(endpoint));
  }

  /** In the order in which they are tried; empty if there is none. */
  order(client: string): readonly ProxyEndpoint[] {
    const known = this.#remembered(client);
    if (known) return [known, ...this.#endpoints.filter(endpoint => endpoint !== known)];
    const first = this.#next++ % Math.max(1, this.#endpoints.length);
    return [...this.#endpoints.slice(first), ...this.#endpoints.slice(0, first)];
  }

  /** That a client has come to an endpoint. */
  remember(client: string, endpoint: ProxyEndpoint): void {
    if (this.#affinityMs === undefined) return;
    this.#clients.delete(client);
    this.#clients.set(client, { endpoint, at: this.now() });
    const [oldest] = this.#clients.keys();
    if (this.#clients.size > maxClients && oldest !== undefined) this.#clients.delete(oldest);
  }

  #remembered(client: string): ProxyEndpoint | undefined {
    const known = this.#clients.get(client);
    if (!known || this.#affinityMs === undefined) return undefined;
    if (this.now() - known.at < this.#affinityMs) return known.endpoint;
    this.#clients.delete(client);
    return undefined;
  }
}
