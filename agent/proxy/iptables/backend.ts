/** Services by iptables, in the chains that people know from kube-proxy. */
import { nftGeneration } from '../../../native/index.js';
import type { BackendOptions, Family, ProxyBackend, ServiceTable, TableDifference } from '../contract.js';
import { forgetStale } from '../forget.js';
import { isEmpty, ofFamily } from '../stale.js';
import { translateBridged } from '../sysctl.js';
import { FamilyRules } from './family.js';
import { readSaved } from './restore.js';
import { findPrograms, otherFlavours, type Programs, save, tryTables } from './run.js';

const families = ['IPv4', 'IPv6'] as const;
/** A look at all rules costs as much as there are: one takes at most this part of the time, and comes this often at least. */
const checkShare = 1 / 20;
const maxCheckMs = 8_000;

export class IptablesBackend implements ProxyBackend {
  readonly name = 'iptables';
  readonly #options: BackendOptions;
  readonly #rules = new Map<Family, FamilyRules>();
  #programs: Programs | undefined;
  /** Of nftables' ruleset, when our rules were last seen whole. */
  #generation: number | undefined;
  #nextCheck = 0;

  /** @param programs if not those that `iptables` leads to */
  constructor(options: BackendOptions, programs?: Programs) {
    this.#options = options;
    this.#programs = programs;
  }

  async unusable(): Promise<string | undefined> {
    this.#programs ??= await findPrograms();
    if (!this.#programs) return 'the program iptables is missing: apt install iptables';
    const complaint = await tryTables(this.#programs, 'IPv4');
    return (
      complaint && `${this.#programs.name} cannot be used (${complaint}): modprobe -a ip_tables iptable_nat nf_tables`
    );
  }

  async sync(table: ServiceTable): Promise<void> {
    const translates = await translateBridged();
    for (const family of families) {
      const entries = [...table.values()].filter(entry => entry.family === family);
      if (entries.length === 0 && family === 'IPv6' && !this.#rules.has(family)) continue;
      const rules = await this.#of(family);
      await rules.sync(entries, translates);
      await this.#warnOfOthers(family);
    }
    this.#changed();
    await forgetStale({ added: [...table.values()], changed: [], removed: [] });
  }

  async apply(difference: TableDifference, table: ServiceTable): Promise<void> {
    for (const family of families) {
      const own = ofFamily(difference, family);
      if (isEmpty(own)) continue;
      if (!this.#rules.has(family)) return this.sync(table);
      await (await this.#of(family)).apply(own);
    }
    this.#changed();
    await forgetStale(difference);
  }

  async intact(): Promise<boolean> {
    const isNft = this.#programs?.flavour === 'nf_tables';
    const generation = isNft ? await nftGeneration() : undefined;
    if (isNft && generation === this.#generation) return true;
    const started = Date.now();
    if (!isNft && started < this.#nextCheck) return true;
    for (const rules of this.#rules.values()) if (!(await rules.intact())) return false;
    this.#generation = generation;
    this.#nextCheck = started + Math.min(maxCheckMs, (Date.now() - started) / checkShare);
    return true;
  }

  /** Of both flavours: an earlier process may have used the other. */
  async cleanup(): Promise<void> {
    this.#programs ??= await findPrograms();
    this.#rules.clear();
    for (const family of families) {
      const all = [...(await otherFlavours(this.#programs?.flavour, family))];
      if (this.#programs) all.push(this.#programs);
      for (const programs of all) await removeAll(new FamilyRules(family, programs, this.#options));
    }
  }

  #changed(): void {
    this.#generation = undefined;
    this.#nextCheck = 0;
  }

  async #of(family: Family): Promise<FamilyRules> {
    this.#programs ??= await findPrograms();
    if (!this.#programs) throw new Error('the program iptables is missing: apt install iptables');
    const known = this.#rules.get(family) ?? new FamilyRules(family, this.#programs, this.#options);
    this.#rules.set(family, known);
    return known;
  }

  /** Both flavours see each packet: what one lets through the other may drop. */
  async #warnOfOthers(family: Family): Promise<void> {
    for (const other of await otherFlavours(this.#programs?.flavour, family)) {
      const text = await save(other, family).catch(() => '');
      if (/^-A /m.test(text))
        this.#options.warn?.(
          `${other.name} holds rules too, besides those of ${this.#programs?.name}: packets meet both (${other.name}-save shows them)`,
        );
      if (readSaved(text).rules > 0) await removeAll(new FamilyRules(family, other, this.#options));
    }
  }
}

/** A family that this kernel lacks has no rules. */
async function removeAll(rules: FamilyRules): Promise<void> {
  const complaint = await tryTables(rules.programs, rules.family);
  if (complaint === undefined) await rules.cleanup();
}
