/** Services by nftables: a table for each family, changed by elements, watched by the generation of the ruleset. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { nftGeneration } from '../../../native/index.js';
import type { BackendOptions, Family, ProxyBackend, ServiceEntry, ServiceTable, TableDifference } from '../contract.js';
import { forgetStale } from '../forget.js';
import { isEmpty, ofFamily } from '../stale.js';
import { translateBridged } from '../sysctl.js';
import { forgetClients } from './affinity.js';
import { deletion, FamilyTable } from './family.js';
import { nft } from './run.js';

const families = ['IPv4', 'IPv6'] as const;

export class NftablesBackend implements ProxyBackend {
  readonly name = 'nftables';
  readonly #options: BackendOptions;
  readonly #tables = new Map<Family, FamilyTable>();
  /** Of the ruleset, after our last change; undefined: somebody else changed something at the same time. */
  #generation: number | undefined;

  constructor(options: BackendOptions) {
    this.#options = options;
  }

  async unusable(): Promise<string | undefined> {
    try {
      await promisify(execFile)('nft', ['--check', 'add table ip keelson_services_probe']);
      return undefined;
    } catch (error) {
      const { code, stderr = '' } = error as { code?: unknown; stderr?: string };
      if (code === 'ENOENT') return 'the program nft is missing: apt install nftables';
      return `nft refuses a table (${stderr.trim() || String(error)}): load the kernel's module: modprobe nf_tables`;
    }
  }

  async sync(table: ServiceTable): Promise<void> {
    const translates = await translateBridged();
    for (const family of families) {
      const entries = [...table.values()].filter(entry => entry.family === family);
      if (entries.length === 0 && family === 'IPv6' && !this.#tables.has(family)) continue;
      await this.#table(family).sync(entries, translates);
    }
    this.#generation = await nftGeneration();
    await forgetStale({ added: [...table.values()], changed: [], removed: [] });
    // what is remembered of a Service without affinity is never looked up
    if ([...table.values()].some(isSticky)) await forgetClients(table);
  }

  async apply(difference: TableDifference, table: ServiceTable): Promise<void> {
    const before = await nftGeneration();
    let transactions = 0;
    for (const family of families) {
      const own = ofFamily(difference, family);
      if (isEmpty(own)) continue;
      if (this.#tables.has(family)) transactions += await this.#table(family).apply(own);
      else return this.sync(table);
    }
    const after = await nftGeneration();
    this.#generation = before === this.#generation && after === before + transactions ? after : undefined;
    await forgetStale(difference);
    if (changesAffinity(difference)) await forgetClients(table);
  }

  async intact(): Promise<boolean> {
    const generation = await nftGeneration();
    if (generation === this.#generation) return true;
    for (const table of this.#tables.values()) if (!(await table.intact())) return false;
    this.#generation = generation;
    return true;
  }

  async cleanup(): Promise<void> {
    this.#tables.clear();
    await nft(families.map(deletion).join(''));
  }

  #table(family: Family): FamilyTable {
    const known = this.#tables.get(family) ?? new FamilyTable(family, this.#options);
    this.#tables.set(family, known);
    return known;
  }
}

const isSticky = ({ affinitySeconds }: ServiceEntry): boolean => affinitySeconds !== undefined;

const changesAffinity = ({ changed, removed }: TableDifference): boolean =>
  removed.some(isSticky) || changed.some(({ before }) => isSticky(before));
