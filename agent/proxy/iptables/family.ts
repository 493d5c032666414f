/** The rules of one family: what we have put there, and how they follow the table of Services. */
import type { BackendOptions, Family, ServiceEntry, TableDifference } from '../contract.js';
import { partText, readSaved, removalText, wholeText } from './restore.js';
import { type GroupRules, groupKey, rulesOf } from './rules.js';
import { type Programs, restore, save } from './run.js';

export class FamilyRules {
  /** By `groupKey`. */
  readonly #entries = new Map<string, Map<string, ServiceEntry>>();
  readonly #rules = new Map<string, GroupRules>();
  /** How many there are in the kernel, jumps to them included. */
  #count = 0;

  constructor(
    readonly family: Family,
    readonly programs: Programs,
    readonly options: BackendOptions,
  ) {}

  async sync(entries: readonly ServiceEntry[], translatesBridged: boolean): Promise<void> {
    this.#entries.clear();
    this.#rules.clear();
    for (const entry of entries) this.#put(entry);
    for (const [key, group] of this.#entries) this.#rules.set(key, rulesOf([...group.values()], this.options));
    const found = readSaved(await save(this.programs, this.family));
    const whole = wholeText(this.family, this.#rules.values(), found, this.options, translatesBridged);
    await this.#restore(whole.text);
    this.#count = whole.rules;
  }

  /** Only chains of ports that change, and rules that lead to them. */
  async apply({ added, changed, removed }: TableDifference): Promise<void> {
    const touched = new Set([...added, ...removed, ...changed.flatMap(one => [one.before, one.after])].map(groupKey));
    for (const entry of [...removed, ...changed.map(one => one.before)])
      this.#entries.get(groupKey(entry))?.delete(entry.key);
    for (const entry of [...added, ...changed.map(one => one.after)]) this.#put(entry);
    const part = partText([...touched].map(key => this.#refresh(key)));
    await this.#restore(part.text);
    this.#count += part.rules;
  }

  async intact(): Promise<boolean> {
    return readSaved(await save(this.programs, this.family)).rules === this.#count;
  }

  async cleanup(): Promise<void> {
    await this.#restore(removalText(readSaved(await save(this.programs, this.family))));
  }

  #put(entry: ServiceEntry): void {
    const key = groupKey(entry);
    const known = this.#entries.get(key) ?? new Map<string, ServiceEntry>();
    this.#entries.set(key, known.set(entry.key, entry));
  }

  #refresh(key: string): { before: GroupRules | undefined; after: GroupRules | undefined } {
    const before = this.#rules.get(key);
    const entries = [...(this.#entries.get(key)?.values() ?? [])];
    const after = entries.length > 0 ? rulesOf(entries, this.options) : undefined;
    if (after) this.#rules.set(key, after);
    else {
      this.#rules.delete(key);
      this.#entries.delete(key);
    }
    return { before, after };
  }

  #restore(text: string): Promise<void> {
    return restore(this.programs, this.family, text, message => this.options.warn?.(message));
  }
}
