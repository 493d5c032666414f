/**
 * A Service that the agent of every node answers itself (`keelson.dev/served-by: agent`): its cluster address is the
 * node's own, on loopback, so it is reached the same way in every proxy mode, and nothing of it leaves the node.
 */
import { netlink } from '../../native/index.js';
import { bitsOf, familyOf } from '../../src/base/cidr.js';
import { describe } from '../../src/base/errors.js';
import type { Logger } from '../../src/base/log.js';
import type { Service } from '../../src/kube/api/core-v1.js';
import { servedByLabel } from '../proxy/table.js';

export interface Listener {
  close(): Promise<void>;
}

export interface ServedOptions {
  readonly namespace: string;
  readonly name: string;
  readonly listen: (address: string) => Promise<Listener>;
  readonly log: Logger;
}

/** Somebody else may have the port for a while. */
const retryMs = 5000;

export class ServedService {
  #wanted: string | undefined;
  #served: { readonly address: string; readonly listener: Listener } | undefined;
  #turn: Promise<void> = Promise.resolve();
  #retry: NodeJS.Timeout | undefined;

  constructor(readonly of: ServedOptions) {}

  isIt({ metadata }: Service): boolean {
    return metadata.namespace === this.of.namespace && metadata.name === this.of.name;
  }

  /** @param service as it is now; undefined: it is gone */
  see(service: Service | undefined): void {
    this.#wanted = service && addressToServe(service);
    this.#next();
  }

  async close(): Promise<void> {
    this.#wanted = undefined;
    this.#next();
    await this.#turn;
  }

  #next(): void {
    clearTimeout(this.#retry);
    this.#turn = this.#turn.then(() => this.#apply());
  }

  async #apply(): Promise<void> {
    const { namespace, name, log } = this.of;
    if (this.#wanted === this.#served?.address) return;
    try {
      await this.#leave();
      if (this.#wanted !== undefined) await this.#serve(this.#wanted);
    } catch (error) {
      log.warn({ service: `${namespace}/${name}`, error: describe(error) }, 'Service could not be served: tried again');
      this.#retry = setTimeout(() => this.#next(), retryMs);
    }
  }

  async #serve(address: string): Promise<void> {
    await netlink(null, [{ op: 'address.add', dev: 'lo', address: alone(address), ifExists: 'ignore' }]);
    try {
      this.#served = { address, listener: await this.of.listen(address) };
    } catch (error) {
      await dropAddress(address);
      throw error;
    }
  }

  async #leave(): Promise<void> {
    const served = this.#served;
    if (!served) return;
    this.#served = undefined;
    await served.listener.close();
    await dropAddress(served.address);
  }
}

const alone = (address: string): string => `${address}/${bitsOf(familyOf(address))}`;

const dropAddress = (address: string) =>
  netlink(null, [{ op: 'address.delete', dev: 'lo', address: alone(address), ifMissing: 'ignore' }]);

/** The address, if it is the agent that answers there. Pure. */
export function addressToServe({ metadata, spec }: Service): string | undefined {
  const by = metadata.annotations?.[servedByLabel] ?? metadata.labels?.[servedByLabel];
  const address = spec?.clusterIP;
  return by === 'agent' && address && address !== 'None' ? address : undefined;
}
