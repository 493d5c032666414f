/** Joined JSON of whole lists, kept for a moment: clients that all ask for the same list get it joined once. */
import type { ViewEntry } from './view.js';

interface Kept {
  readonly changed: number;
  readonly items: Buffer;
  readonly timer: NodeJS.Timeout;
}

/** Long enough for a burst of informers, short enough not to hold a second copy of a big cluster. */
const keepMs = 1000;

export class ListCache {
  readonly #kept = new Map<string, Kept>();

  /**
   * @param changed the revision of the last change of anything in the list.
   * @param entries called only if nothing fitting is kept.
   */
  items(key: string, changed: number, entries: () => Iterable<ViewEntry>): Buffer {
    const found = this.#kept.get(key);
    if (found?.changed === changed) return found.items;
    const items = joinItems(entries());
    this.#keep(key, changed, items);
    return items;
  }

  #keep(key: string, changed: number, items: Buffer): void {
    clearTimeout(this.#kept.get(key)?.timer);
    const timer = setTimeout(() => this.#kept.delete(key), keepMs).unref();
    this.#kept.set(key, { changed, items, timer });
  }
}

/** The objects' JSON with commas between. */
export function joinItems(entries: Iterable<ViewEntry>): Buffer {
  const parts: Buffer[] = [];
  for (const entry of entries) {
    if (parts.length > 0) parts.push(comma);
    parts.push(entry.json);
  }
  return Buffer.concat(parts);
}

const comma = Buffer.from(',');
