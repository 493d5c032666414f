/**
 * Addresses of one network, in files of host-local's layout: `<dataDir>/<name>/<ip>` holds `<id>\r\n<ifname>`, and
 * `last_reserved_ip.0` makes allocation round robin. An index in memory decides and is reserved in the same turn of the
 * event loop, so calls in this process cannot collide; the file is created with O_EXCL, so other processes cannot either,
 * and no lock has to be held. Nothing is fsynced: what a power cut loses belonged to pods that the cut ended too.
 */
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFiles } from '../native/index.js';
import { codeOf } from '../src/base/errors.js';
import { failpoint } from '../src/base/failpoint.js';
import { CniError } from './contract.js';
import { formatAddress, nextFree, parseAddress, podAddresses, type Range } from './ipv4.js';

export interface Lease {
  readonly address: string;
  /** False if (id, ifName) had it before this call. */
  readonly fresh: boolean;
}

interface Holder {
  readonly address: number;
  readonly key: string;
  readonly id: string;
  /** Settles when the file is written. */
  written: Promise<void>;
}

const lastReserved = 'last_reserved_ip.0';
const keyOf = (id: string, ifName: string) => `${id}\r\n${ifName}`;

export class Ipam {
  readonly #folder: string;
  readonly #range: Range;
  #loaded: Promise<void> | undefined;
  readonly #byAddress = new Map<number, Holder>();
  readonly #byKey = new Map<string, Holder>();
  #previous: number | undefined;
  #previousWritten: Promise<void> | undefined;
  #previousOnDisk: number | undefined;

  constructor({ dataDir, name, range }: { dataDir: string; name: string; range: Range }) {
    this.#folder = join(dataDir, name);
    this.#range = range;
  }

  /** The address of (id, ifName): the same at every call until it is released. @throws CniError 11 if the range is full */
  async allocate(id: string, ifName: string): Promise<Lease> {
    await this.#load();
    const key = keyOf(id, ifName);
    const held = this.#byKey.get(key);
    if (held) {
      await held.written;
      return { address: formatAddress(held.address), fresh: false };
    }
    return { address: formatAddress(await this.#reserve(id, key)), fresh: true };
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
  async #reserve(id: string, key: string): Promise<number> {
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

  async #take(address: number, id: string, key: string): Promise<boolean> {
    const holder: Holder = { address, key, id, written: Promise.resolve() };
    this.#remember(holder);
    this.#previous = address;
    holder.written = writeFiles([{ op: 'create', path: this.#file(address), data: key, mode: 0o600 }]);
    try {
      await holder.written;
    } catch (error) {
      this.#forget(holder);
      if (codeOf(error) !== 'EEXIST') throw error;
      await this.#readLease(formatAddress(address));
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
      if (holder.id === '' || !names.has(formatAddress(holder.address))) this.#forget(holder);
    }
    await this.#readAll();
  }

  async #readAll(): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    await Promise.all((await readdir(this.#folder)).map(name => this.#readLease(name)));
    const previous = await readFile(join(this.#folder, lastReserved), 'utf8').catch(() => '');
    this.#previous ??= parseAddress(previous.trim());
  }

  /** An empty or unreadable file is a crash between create and write: the address stays taken, by nobody, until it is collected. */
  async #readLease(name: string): Promise<void> {
    const address = parseAddress(name);
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
    const content = formatAddress(previous);
    const path = join(this.#folder, lastReserved);
    this.#previousWritten = writeFiles([{ op: 'write', path, data: content, mode: 0o600 }])
      .catch(() => undefined)
      .then(() => {
        this.#previousOnDisk = previous;
        this.#previousWritten = undefined;
        this.#writePrevious();
      });
  }

  #file(address: number): string {
    return join(this.#folder, formatAddress(address));
  }

  #full(): CniError {
    const { first, last, count } = podAddresses(this.#range);
    return new CniError(
      11,
      `No address is free in "${this.#folder}"`,
      `all ${count} from ${formatAddress(first)} to ${formatAddress(last)} are taken`,
    );
  }
}
