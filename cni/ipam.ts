/**
 * Addresses of one range of a network, in files of host-local's layout: `<dataDir>/<name>/<ip>` holds `<id>\r\n<ifname>`,
 * and `last_reserved_ip.N` makes allocation round robin; a second range has its files in the same folder. An index in memory decides and is reserved in the same turn of the
 * event loop, so calls in this process cannot collide; the file is created with O_EXCL, so other processes cannot either,
 * and no lock has to be held. Nothing is fsynced: what a power cut loses belonged to pods that the cut ended too.
 */
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFiles } from '../native/index.js';
import { type Cidr, familyOf, formatCidr, formatIp, parseIp } from '../src/base/cidr.js';
import { codeOf } from '../src/base/errors.js';
import { failpoint } from '../src/base/failpoint.js';
import { CniError } from './contract.js';
import { nextFree, podAddresses } from './ranges.js';

export interface Lease {
  readonly address: string;
  /** False if (id, ifName) had it before this call. */
  readonly fresh: boolean;
}

interface Holder {
  readonly address: bigint;
  readonly key: string;
  readonly id: string;
  /** Settles when the file is written. */
  written: Promise<void>;
}

export interface IpamOptions {
  readonly dataDir: string;
  /** Of the network: its folder. */
  readonly name: string;
  readonly range: Cidr;
  /** Which of the network's ranges it is. */
  readonly index?: number;
}

const keyOf = (id: string, ifName: string) => `${id}\r\n${ifName}`;

export class Ipam {
  readonly #folder: string;
  readonly #range: Cidr;
  readonly #lastReserved: string;
  #loaded: Promise<void> | undefined;
  readonly #byAddress = new Map<bigint, Holder>();
  readonly #byKey = new Map<string, Holder>();
  #previous: bigint | undefined;
  #previousWritten: Promise<void> | undefined;
  #previousOnDisk: bigint | undefined;

  constructor({ dataDir, name, range, index = 0 }: IpamOptions) {
    this.#folder = join(dataDir, name);
    this.#range = range;
    this.#lastReserved = join(this.#folder, `last_reserved_ip.${index}`);
  }

  /** The address of (id, ifName): the same at every call until it is released. @throws CniError 11 if the range is full */
  async allocate(id: string, ifName: string): Promise<Lease> {
    await this.#load();
    const key = keyOf(id, ifName);
    const held = this.#byKey.get(key);
    if (held) {
      await held.written;
      return { address: this.#format(held.address), fresh: false };
    }
    return { address: this.#format(await this.#reserve(id, key)), fresh: true };
  }

  /** Whether (id, ifName) has an address. */
  async holds(id: string, ifName: string): Promise<boolean> {
    await this.#load();
    return this.#byKey.has(keyOf(id, ifName));
  }

  /** As the disk has it, whoever wrote there. @throws CniError 11 as `allocate` would if the range is full */
  async requireFree(): Promise<void> {
    await this.#reload();
    if (nextFree(this.#range, this.#previous, this.#byAddress) === undefined) throw this.#full();
  }

  /** Whether anybody has an address. */
  async inUse(): Promise<boolean> {
    await this.#load();
    return this.#byAddress.size > 0;
  }

  /** Gives the address back. An unknown id is success. */
  async release(id: string, ifName: string): Promise<void> {
    await this.#load();
    const holder = this.#byKey.get(keyOf(id, ifName));
    if (holder) await this.#free(holder);
  }

  /** Releases what is held by ids not in `valid`, unreadable files included. Looks at the disk, whoever wrote there. */
  async collect(valid: ReadonlySet<string>): Promise<void> {
    await this.#reload();
    const stale = [...this.#byAddress.values()].filter(holder => !valid.has(holder.id));
    await Promise.all(stale.map(holder => this.#free(holder)));
  }

  /** Resolves when nothing is left to be written. */
  async settled(): Promise<void> {
    await Promise.all([...this.#byAddress.values()].map(holder => holder.written.catch(() => undefined)));
    while (this.#previousWritten) await this.#previousWritten;
  }

  /** Tries one address after another: EEXIST means that another process took it since we looked. */
  async #reserve(id: string, key: string): Promise<bigint> {
    for (let looked = false; ; ) {
      const address = nextFree(this.#range, this.#previous, this.#byAddress);
      if (address === undefined) {
        if (looked) throw this.#full();
        looked = true;
        await this.#reload();
        continue;
      }
      if (await this.#take(address, id, key)) return address;
    }
  }

  async #take(address: bigint, id: string, key: string): Promise<boolean> {
    const holder: Holder = { address, key, id, written: Promise.resolve() };
    this.#remember(holder);
    this.#previous = address;
    holder.written = writeFiles([{ op: 'create', path: this.#file(address), data: key, mode: 0o600 }]);
    try {
      await holder.written;
    } catch (error) {
      this.#forget(holder);
      if (codeOf(error) !== 'EEXIST') throw error;
      await this.#readLease(this.#format(address));
      return false;
    }
    await failpoint('ipam.afterReserve');
    this.#writePrevious();
    return true;
  }

  /** Removed from disk first: the address is not given out again before its file is gone. */
  async #free(holder: Holder): Promise<void> {
    await holder.written.catch(() => undefined);
    await rm(this.#file(holder.address), { force: true });
    this.#forget(holder);
  }

  #remember(holder: Holder): void {
    this.#byAddress.set(holder.address, holder);
    if (holder.id !== '') this.#byKey.set(holder.key, holder);
  }

  #forget(holder: Holder): void {
    if (this.#byAddress.get(holder.address) === holder) this.#byAddress.delete(holder.address);
    if (this.#byKey.get(holder.key) === holder) this.#byKey.delete(holder.key);
  }

  #load(): Promise<void> {
    this.#loaded ??= this.#readAll().catch(error => {
      this.#loaded = undefined; // the next call tries again
      throw error;
    });
    return this.#loaded;
  }

  /** What other processes released is forgotten, what they took is learnt. */
  async #reload(): Promise<void> {
    await this.#load();
    await this.settled();
    const names = new Set(await readdir(this.#folder));
    for (const holder of [...this.#byAddress.values()]) {
      // a file that was empty when we read it may have been another process's, between its create and its write
      if (holder.id === '' || !names.has(this.#format(holder.address))) this.#forget(holder);
    }
    await this.#readAll();
  }

  async #readAll(): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    await Promise.all((await readdir(this.#folder)).map(name => this.#readLease(name)));
    const previous = await readFile(this.#lastReserved, 'utf8').catch(() => '');
    this.#previous ??= this.#parse(previous.trim());
  }

  /** An empty or unreadable file is a crash between create and write: the address stays taken, by nobody, until it is collected. */
  async #readLease(name: string): Promise<void> {
    const address = this.#parse(name);
    if (address === undefined || this.#byAddress.has(address)) return;
    const key = await readFile(this.#file(address), 'utf8').catch(error =>
      codeOf(error) === 'ENOENT' ? undefined : '',
    );
    if (key === undefined || this.#byAddress.has(address)) return;
    const trimmed = key.trim();
    this.#remember({ address, key: trimmed, id: trimmed.split('\r\n')[0]!, written: Promise.resolve() });
  }

  /** Behind the caller's back and at most one at a time: losing it costs only the order of reuse. */
  #writePrevious(): void {
    if (this.#previousWritten || this.#previousOnDisk === this.#previous) return;
    const previous = this.#previous!;
    const content = this.#format(previous);
    this.#previousWritten = writeFiles([{ op: 'write', path: this.#lastReserved, data: content, mode: 0o600 }])
      .catch(() => undefined)
      .then(() => {
        this.#previousOnDisk = previous;
        this.#previousWritten = undefined;
        this.#writePrevious();
      });
  }

  #file(address: bigint): string {
    return join(this.#folder, this.#format(address));
  }

  /** Undefined for what is no address of this range's family: the other range's files, and those that are no leases. */
  #parse(name: string): bigint | undefined {
    return familyOf(name) === this.#range.family ? parseIp(name) : undefined;
  }

  #format(address: bigint): string {
    return formatIp(this.#range.family, address);
  }

  #full(): CniError {
    const { first, last, count } = podAddresses(this.#range);
    return new CniError(
      11,
      `No address of ${formatCidr(this.#range)} is free in "${this.#folder}"`,
      `all ${count} from ${this.#format(first)} to ${this.#format(last)} are taken`,
    );
  }
}
