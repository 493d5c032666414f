/** Elements of nftables' sets and maps as text, for backends that need few of them. */

/** An element, in the set's own words. */
export interface TextElement {
  readonly set: string;
  readonly key: string;
  /** Of a map. */
  readonly value?: string;
}

/** `set key`, `set key : value` */
export const identity = ({ set, key, value }: TextElement): string =>
  `${set} ${key}${value === undefined ? '' : ` : ${value}`}`;

/** @param table `ip keelson_ipvs` @param texts of `identity` */
export function change(table: string, word: 'add' | 'delete', texts: Iterable<string>): string {
  const bySet = new Map<string, string[]>();
  for (const text of texts) {
    const space = text.indexOf(' ');
    const [set, element] = [text.slice(0, space), text.slice(space + 1)];
    const known = bySet.get(set) ?? [];
    known.push(word === 'delete' ? (element.split(' : ')[0] as string) : element);
    bySet.set(set, known);
  }
  return [...bySet].map(([set, all]) => `${word} element ${table} ${set} { ${all.join(', ')} }\n`).join('');
}

/** Which elements are needed, by how many entries: each is in the kernel once. */
export class ElementUses {
  readonly #uses = new Map<string, number>();
  #before = new Set<string>();

  put(elements: Iterable<string>): void {
    for (const element of elements) this.#uses.set(element, (this.#uses.get(element) ?? 0) + 1);
  }
  take(elements: Iterable<string>): void {
    for (const element of elements) {
      const left = (this.#uses.get(element) ?? 0) - 1;
      if (left > 0) this.#uses.set(element, left);
      else this.#uses.delete(element);
    }
  }
  clear(): void {
    this.#uses.clear();
    this.#before.clear();
  }
  all(): Iterable<string> {
    return this.#uses.keys();
  }
  /** How many are in a set. */
  count(set: string): number {
    let count = 0;
    for (const element of this.#uses.keys()) if (element.startsWith(`${set} `)) count++;
    return count;
  }
  /** What has changed since the last call. */
  difference(): { gone: string[]; come: string[] } {
    const now = new Set(this.#uses.keys());
    const gone = [...this.#before].filter(element => !now.has(element));
    const come = [...now].filter(element => !this.#before.has(element));
    this.#before = now;
    return { gone, come };
  }
}
