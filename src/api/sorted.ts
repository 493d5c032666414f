/** A map whose keys can be walked in order from any point: binary search over one sorted array of keys. */

export class SortedMap<V> {
  readonly #values = new Map<string, V>();
  readonly #keys: string[] = [];

  get size(): number {
    return this.#keys.length;
  }

  get(key: string): V | undefined {
    return this.#values.get(key);
  }

  set(key: string, value: V): void {
    if (!this.#values.has(key)) this.#keys.splice(this.#position(key), 0, key);
    this.#values.set(key, value);
  }

  delete(key: string): void {
    if (this.#values.delete(key)) this.#keys.splice(this.#position(key), 1);
  }

  /** Values of keys in [from, to), ascending. */
  *range(from: string, to: string): Generator<V> {
    for (let at = this.#position(from); at < this.#keys.length && this.#keys[at]! < to; at++)
      yield this.#values.get(this.#keys[at]!)!;
  }

  /** The first index whose key is not below `key`. */
  #position(key: string): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#keys[middle]! < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
