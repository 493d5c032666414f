/** The kernel's table of one family: what we have put into it, and how it follows the table of Services. */
import { type NfFamily, nftCount, nftElements } from '../../../native/index.js';
import type { BackendOptions, Family, ServiceEntry, TableDifference } from '../contract.js';
import { batch } from './batch.js';
import { type Element, elementDifference, elementsOf, hairpinElement, hairpinOf, picksOf } from './elements.js';
import { extraChains, layout, type PickChain, pickName, rememberName, setNames, tableName, words } from './layout.js';
import { nft } from './run.js';

const numbers: Readonly<Record<Family, NfFamily>> = { IPv4: 2, IPv6: 10 };

export class FamilyTable {
  /** How many entries need an address's hairpin element. */
  #hairpins = new Map<string, number>();
  /** Chains beyond the layout, that are in the kernel. */
  #chains = new Set<string>();
  #counts = new Map<string, number>();
  #rules = -1;

  constructor(
    readonly family: Family,
    readonly options: BackendOptions,
  ) {}

  /** Rules first, which find the old elements until the new ones replace them all at once. */
  async sync(entries: readonly ServiceEntry[], translatesBridged: boolean): Promise<void> {
    const { picks, seconds } = needs(entries);
    const text =
      layout(this.family, this.options, translatesBridged) + extraChains(this.family, picks.values(), seconds);
    // a table of another version of ours, perhaps with other sets, cannot be kept
    await nft(text).catch(() => nft(`${deletion(this.family)}${text}`));
    this.#hairpins = new Map();
    const elements = [...entries.flatMap(elementsOf), ...this.#share(entries.flatMap(hairpinOf), []).come];
    await this.#send([...setNames.map(set => ({ op: 'flush', set }) as const), ...batch([], elements)]);
    this.#counts = new Map(setNames.map(set => [set, 0]));
    this.#count(elements, 1);
    this.#chains = new Set([...picks.keys(), ...[...seconds].map(rememberName)]);
    this.#rules = (await this.#ask([])).rules;
  }

  /** @returns how many transactions it took */
  async apply({ added, changed, removed }: TableDifference): Promise<number> {
    const after = [...added, ...changed.map(one => one.after)];
    const before = [...removed, ...changed.map(one => one.before)];
    const prepared = await this.#addChains(after);
    const parts = [
      ...changed.map(one => elementDifference(elementsOf(one.before), elementsOf(one.after))),
      this.#share(after.flatMap(hairpinOf), before.flatMap(hairpinOf)),
    ];
    const gone = [...removed.flatMap(elementsOf), ...parts.flatMap(part => part.gone)];
    const come = [...added.flatMap(elementsOf), ...parts.flatMap(part => part.come)];
    const ops = batch(gone, come);
    await this.#send(ops);
    this.#count(gone, -1);
    this.#count(come, 1);
    return prepared + (ops.length > 0 ? 1 : 0);
  }

  /** Whether as much is there as we have put there. */
  async intact(): Promise<boolean> {
    const { rules, elements } = await this.#ask(setNames);
    return rules === this.#rules && setNames.every((set, i) => elements[i] === this.#counts.get(set));
  }

  cleanup(): Promise<void> {
    return nft(deletion(this.family));
  }

  async #addChains(entries: readonly ServiceEntry[]): Promise<0 | 1> {
    const { picks, seconds } = needs(entries);
    const newPicks = [...picks].filter(([name]) => !this.#chains.has(name));
    const newSeconds = [...seconds].filter(time => !this.#chains.has(rememberName(time)));
    if (newPicks.length === 0 && newSeconds.length === 0) return 0;
    await nft(
      extraChains(
        this.family,
        newPicks.map(([, pick]) => pick),
        newSeconds,
      ),
    );
    for (const name of [...newPicks.map(([pick]) => pick), ...newSeconds.map(rememberName)]) this.#chains.add(name);
    this.#rules = (await this.#ask([])).rules;
    return 1;
  }

  /** Entries that share an address need its element once. */
  #share(come: readonly string[], gone: readonly string[]): { gone: Element[]; come: Element[] } {
    const changes = new Map<string, number>();
    for (const address of come) changes.set(address, (changes.get(address) ?? 0) + 1);
    for (const address of gone) changes.set(address, (changes.get(address) ?? 0) - 1);
    const result = { gone: [] as Element[], come: [] as Element[] };
    for (const [address, change] of changes) {
      const before = this.#hairpins.get(address) ?? 0;
      const after = before + change;
      if (after > 0) this.#hairpins.set(address, after);
      else this.#hairpins.delete(address);
      if (before === 0 && after > 0) result.come.push(hairpinElement(address));
      if (before > 0 && after === 0) result.gone.push(hairpinElement(address));
    }
    return result;
  }

  #count(elements: readonly Element[], by: 1 | -1): void {
    for (const { set } of elements) this.#counts.set(set, (this.#counts.get(set) ?? 0) + by);
  }

  #send(ops: Parameters<typeof nftElements>[2]): Promise<void> {
    return ops.length === 0 ? Promise.resolve() : nftElements(numbers[this.family], tableName, ops);
  }

  #ask(sets: readonly string[]): ReturnType<typeof nftCount> {
    return nftCount(numbers[this.family], tableName, sets);
  }
}

/** Success if there is none. */
export const deletion = (family: Family): string =>
  `add table ${words[family].table} ${tableName}\ndelete table ${words[family].table} ${tableName}\n`;

function needs(entries: readonly ServiceEntry[]): { picks: Map<string, PickChain>; seconds: Set<number> } {
  const picks = new Map(entries.flatMap(picksOf).map(pick => [pickName(pick), pick]));
  const seconds = new Set(entries.flatMap(({ affinitySeconds: time }) => (time === undefined ? [] : [time])));
  return { picks, seconds };
}
