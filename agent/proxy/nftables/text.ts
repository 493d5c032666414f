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
  readonly #before = new Set<string>();
  /** Since the last `difference`, which so costs as much as what has changed. */
  readonly #touched = new Set<string>();

  put(elements: Iterable<string>): void {
    for (const element of elements) {
      this.#uses.set(element, (this.#uses.get(element) ?? 0) + 1);
      this.#touched.add(element);
    }
  }
  take(elements: Iterable<string>): void {
    for (const element of elements) {
      this.#touched.add(element);
      const left = (this.#uses.get(element) ?? 0) - 1;
      if (left > 0) this.#uses.set(element, left);
      else this.#uses.delete(element);
    }
  }
  clear(): void {
    this.#uses.clear();
    this.#before.clear();
    this.#touched.clear();
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
    const touched = [...this.#touched];
    this.#touched.clear();
    const gone = touched.filter(element => this.#before.has(element) && !this.#uses.has(element));
    const come = touched.filter(element => !this.#before.has(element) && this.#uses.has(element));
    for (const element of gone) this.#before.delete(element);
    for (const element of come) this.#before.add(element);
    return { gone, come };
  }
}
