/** The addresses of a container: one of each range of its network. */
import type { Cidr } from '../src/base/cidr.js';
import { Ipam } from './ipam.js';

export interface Leases {
  /** In the order of the ranges. */
  readonly addresses: readonly string[];
  /** False if (id, ifName) had all of them before this call. */
  readonly fresh: boolean;
}

/** As `Ipam`, over all ranges. */
export class LeaseBook {
  readonly #ipams: readonly Ipam[];

  constructor({ ranges, ...folder }: { dataDir: string; name: string; ranges: readonly Cidr[] }) {
    this.#ipams = ranges.map((range, index) => new Ipam({ ...folder, range, index }));
  }

  /** All or nothing: what this call has taken before it failed is given back. @throws CniError 11 if a range is full */
  async allocate(id: string, ifName: string): Promise<Leases> {
    const results = await Promise.allSettled(this.#ipams.map(ipam => ipam.allocate(id, ifName)));
    const failed = results.find(result => result.status === 'rejected');
    const leases = results.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []));
    if (!failed) return { addresses: leases.map(({ address }) => address), fresh: leases.some(({ fresh }) => fresh) };
    if (leases.every(({ fresh }) => fresh)) await this.release(id, ifName);
    throw failed.reason;
  }

  /** Whether it has an address of every range. */
  async holds(id: string, ifName: string): Promise<boolean> {
    return !(await Promise.all(this.#ipams.map(ipam => ipam.holds(id, ifName)))).includes(false);
  }

  /** @throws CniError 11 if a range is full */
  async requireFree(): Promise<void> {
    await Promise.all(this.#ipams.map(ipam => ipam.requireFree()));
  }

  async inUse(): Promise<boolean> {
    return (await Promise.all(this.#ipams.map(ipam => ipam.inUse()))).includes(true);
  }

  async release(id: string, ifName: string): Promise<void> {
    await Promise.all(this.#ipams.map(ipam => ipam.release(id, ifName)));
  }

  async collect(valid: ReadonlySet<string>): Promise<void> {
    await Promise.all(this.#ipams.map(ipam => ipam.collect(valid)));
  }

  async settled(): Promise<void> {
    await Promise.all(this.#ipams.map(ipam => ipam.settled()));
  }
}
